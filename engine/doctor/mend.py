"""What `doctor --fix` does: rights of our folders, tasks whose supervisor died, and what dead processes left.

Only what needs nobody's decision. Secrets that were open to others are left alone: who could read them has to be asked.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from engine.errors import ContainerError, EngineError
from engine.state import Lock, cache_dir, data_dir, sockets, state_dir, tasks_dir
from engine.tasks.spec import LOCK


def fix() -> Iterator[str]:
    """Mend what can be mended; a line for each thing done, none when there was nothing."""
    for path in open_to_others():
        path.chmod(stat.S_IMODE(path.stat().st_mode) & 0o700)
        yield f"{path}: for you alone now"
    yield from _end_dead_tasks()
    for folder in stale_sockets():
        import shutil

        shutil.rmtree(folder, ignore_errors=True)
        yield f"{folder}: removed, nobody served it"
    yield from _containers()


def open_to_others() -> list[Path]:
    """Our top folders and what is in the state folder, as far as other users could enter or read it."""
    base = state_dir()
    ours = [base, cache_dir(), data_dir(), base / "key", tasks_dir(), base / "trust", base / "keeper", base / "locks"]
    return [path for path in ours if path.exists() and not path.is_symlink() and path.stat().st_mode & 0o077]


def dead_tasks() -> list[str]:
    """The tasks that have not ended and have no supervisor."""
    from engine.tasks.reading import state_of
    from engine.tasks.recovery import abandoned

    found = []
    for folder in _folders():
        # A task that ended is not locked either, but its journal says so.
        with suppress(EngineError):
            state = state_of(folder)
            if state.created_at and abandoned(folder, state):
                found.append(folder.name)
    return found


def stale_sockets() -> list[Path]:
    """Folders of sockets of tasks that nobody works on, and of a starter whose keeper is gone."""
    from engine.tasks.starter import address

    ended = {folder.name for folder in _folders() if not Lock(folder / LOCK).held_elsewhere()}
    found = [path for path in sockets().glob("*-*") if path.name.partition("-")[0] in ended]
    if address().exists() and not Lock(state_dir() / "keeper" / "lock").held_elsewhere():
        found.append(address().parent)
    return sorted(found)


def _folders() -> list[Path]:
    return sorted(path for path in tasks_dir().glob("*") if path.is_dir())


def _end_dead_tasks() -> Iterator[str]:
    from engine.tasks.reading import state_of
    from engine.tasks.recovery import mark_interrupted

    for task in dead_tasks():
        mark_interrupted(tasks_dir() / task, state_of(tasks_dir() / task))
        yield f"task {task}: marked as interrupted; `fumehood status {task}` says what is kept of it"


def _containers() -> Iterator[str]:
    """See to containers and images as it is done by itself now and then; nothing while no engine answers."""
    from engine.containers.endpoint import connect
    from engine.tasks.garbage import collect, limit_bytes

    with suppress(ContainerError):
        for gone in collect(connect(), max_bytes=limit_bytes()).removed:
            yield f"{gone.kind} {gone.name}: removed, {gone.reason}"
