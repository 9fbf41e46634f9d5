"""Removed tasks: out of sight at once, gone for good after an hour, until then they can be brought back."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from engine.errors import EngineError, UsageError
from engine.state import Lock, private_dir, state_dir, tasks_dir
from engine.tasks.recovery import remove_containers
from engine.tasks.spec import LOCK

KEPT_SECONDS = 3600.0
# How long the supervisor of a task that has just ended may take to let go of it.
_PATIENCE = 3.0


def folder() -> Path:
    """Where removed tasks lie, each in its own folder as before."""
    return state_dir() / "trash"


def holds(task: str) -> bool:
    """Whether a task was removed and can still be brought back."""
    return bool(task) and (folder() / task).is_dir()


def put(task: Path) -> None:
    """Remove the task in this folder; its stopped containers stay as long as it can be brought back.

    Raises:
        UsageError: it still works; EngineError: it cannot be moved.
    """
    lock = Lock(task / LOCK)
    until = time.monotonic() + _PATIENCE
    if not task.is_dir():
        raise UsageError(f"there is no task {task.name!r}", "`fumehood list` shows them")
    while not lock.try_acquire():
        if time.monotonic() > until:
            raise UsageError(f"task {task.name} still works", f"stop it first: fumehood cancel {task.name}")
        time.sleep(0.05)
    try:
        _move(task, private_dir(folder()) / task.name)
        # The age of what is in the trash counts from now.
        os.utime(folder() / task.name)
    finally:
        lock.release()


def restore(task: str) -> None:
    """Bring a removed task back.

    Raises:
        UsageError: it is not there, or not any more.
    """
    if not holds(task):
        raise UsageError(f"no task {task!r} can be brought back", f"these can: {', '.join(removed()) or 'none'}")
    _move(folder() / task, tasks_dir() / task)


def _move(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError as error:
        raise EngineError(f"cannot move {source} to {target}: {error.strerror}", "check who owns them") from error


def removed() -> list[str]:
    """The ids of the tasks that can be brought back, the one removed last first."""
    return [path.name for path in sorted(_folders(), key=_age)]


def _folders() -> list[Path]:
    try:
        return [path for path in folder().iterdir() if path.is_dir() and not path.name.startswith(".")]
    except FileNotFoundError:
        return []


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime


def empty(*, older: float = KEPT_SECONDS, only: Callable[[str], bool] = lambda task: True) -> list[str]:
    """Remove for good what was removed at least `older` seconds ago; returns the ids.

    With a task go its containers and what names its results in the repository of results; whoever brings it back
    meanwhile finds it there or not, never a part of it.

    Raises:
        EngineError: the container engine refuses, or the folder cannot be removed.
    """
    from engine.repository.out import forget

    gone = []
    for path in [path for path in _folders() if _age(path) >= older and only(path.name)]:
        going = path.with_name(f".{path.name}")
        _move(path, going)
        gone.append(path.name)
    # Also what a process left that ended in the middle of this.
    for going in folder().glob(".*"):
        task = going.name.lstrip(".")
        remove_containers(task)
        forget(task)
        shutil.rmtree(going, ignore_errors=True)
    return gone
