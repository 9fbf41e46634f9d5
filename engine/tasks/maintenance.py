"""The maintenance script: whether it has to run, running it, and keeping what it did for later starts (SPEC C6)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.cache import snapshots
from engine.cache.decision import Maintained, Snapshot
from engine.cache.key import Key
from engine.containers.container import Container
from engine.durations import words
from engine.errors import EngineError, PhaseFailed
from engine.repository import into
from engine.repository.watched import differences
from engine.state import Lock
from engine.tasks import events as ev
from engine.tasks.disk import check_room
from engine.tasks.prepare import Base
from engine.tasks.recorder import phase, skipped
from engine.tasks.scripted import run_script
from engine.tasks.secrets import given, nothing_left_behind
from engine.tasks.work import Work

if TYPE_CHECKING:
    from engine.tasks.outlet import Outlet


def maintenance(work: Work, base: Base, container: Container, run: int) -> bool:
    """Run the maintenance script in a task's container, unless the snapshot has seen it; whether it ran.

    What it did becomes part of the cache when it ran on the default branch, from which snapshots are made: what other
    branches bring along is for their own tasks only.

    Raises:
        PhaseFailed: it failed, and the environment does not say `on_failure = "continue"`.
    """
    due, reason = _due(work, base)
    if not due:
        skipped(work.recorder, "maintenance", reason, run)
        return False
    succeeded = run_maintenance(work, container, run, reason)
    into.record_leftovers(container, work.repository_dir)
    if succeeded and base.kept and run == 1 and work.watched and work.checkout.target.sha == work.checkout.default.sha:
        _keep_for_later(work, base.snapshot, container)
    return True


def _due(work: Work, base: Base) -> tuple[bool, str]:
    """Whether the script has to run in a container of the snapshot, and why (not)."""
    if not work.effective.maintenance_script.strip():
        return False, "no maintenance script"
    if not work.watched:
        return True, ""
    if base.maintained is None:
        return True, "it has not run since setup"
    if base.snapshot.maintained and base.snapshot.maintained.files == work.watched:
        ago = words(time.time() - base.snapshot.maintained.at)
        return False, f"{_listed(sorted(work.watched))}: nothing changed since it last ran, {ago} ago"
    return True, _listed(differences(base.maintained.files, work.watched)) or "what it did is not kept"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def run_maintenance(
    work: Work, container: Container, run: int, reason: str, way_out: AbstractContextManager[Outlet] | None = None
) -> bool:
    """The phase itself: the script, through the gateway; whether it succeeded.

    `way_out`: an outlet of the container that is open already.

    Raises:
        PhaseFailed: it failed, and the environment does not say `on_failure = "continue"`.
    """
    settings = work.environment.maintenance
    from engine.network.check import PUBLIC
    from engine.tasks.outlet import outlet

    with (
        phase(work.recorder, "maintenance", run, reason) as current,
        nothing_left_behind(work, container, "maintenance"),
        way_out or outlet(work, container, "maintenance", PUBLIC, run=run) as open_outlet,
    ):
        try:
            run_script(
                work,
                container,
                "maintenance",
                work.effective.maintenance_script,
                run=run,
                timeout=settings.timeout,
                env={**open_outlet.variables, **given(work, "maintenance")},
            )
        except PhaseFailed as error:
            if settings.on_failure != "continue":
                raise
            current.failed(error)
            text = f"{error.message}; going on, as on_failure = continue says"
            work.recorder.emit(ev.Notice(level="warning", text=text, run=run))
    if given(work, "maintenance"):
        # Whatever the script left running has the secrets in its environment.
        container.restart()
    return current.status == "done"


def keep(work: Work, container: Container, root: Snapshot, key: Key, sha: str, files: Mapping[str, str]) -> Snapshot:
    """Store a container in which maintenance has run as the refreshed state of `root`; no agent ever ran in it.

    Args:
        key: the environment's key now; it may differ from the root's in the maintenance script.
        sha: the commit its work tree is at.
        files: what maintenance saw of the files it watches.

    Raises:
        ContainerError: it cannot be stored; PhaseFailed: it is larger than the environment allows.
    """
    check_room(work, container)
    refreshed = replace(root, key=key, sha=sha, maintained=Maintained(time.time(), dict(files), root.image))
    snapshot = snapshots.store(container, refreshed)
    lock = Lock(snapshots.lock_path(work.environment.id))
    # Somebody who holds it is starting from one of the others; they are then removed another time.
    if lock.try_acquire():
        try:
            snapshots.remove_outdated(work.api, work.environment, key, keep=snapshot.image)
        finally:
            lock.release()
    return snapshot


def _keep_for_later(work: Work, root: Snapshot, container: Container) -> None:
    try:
        keep(work, container, root, root.key, work.checkout.target.sha, work.watched)
    except EngineError as error:
        # The task can go on without: the next one runs the script again.
        text = f"what maintenance did is not kept for later starts: {error.message}"
        work.recorder.emit(ev.Notice(level="warning", text=text))
