"""What is left of tasks nobody works on any more: files of agents are kept, the rest goes (SPEC T8).

Containers are found by their names and labels, tasks by the lock that a supervisor holds while it lives. So nothing has
to have been written down before a crash.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import ContainerError, DockerUnavailable
from engine.state import Lock, remove_socket_dirs, tasks_dir
from engine.tasks import events as ev
from engine.tasks.journal import append_to, read_all
from engine.tasks.model import TaskState, fold
from engine.tasks.spec import LOCK, supervisors_log
from engine.tasks.unfinished import endings

if TYPE_CHECKING:
    from engine.containers.api import Api, Record

# How long after it was asked for a task may be without a supervisor: the time to start one.
_START_SECONDS = 15.0
# How long after its engine went away a supervisor waits for it, to see to the containers by itself.
_ENGINE_SECONDS = 60.0


def abandoned(folder: Path, state: TaskState) -> bool:
    """Whether an unfinished task has no supervisor any more."""
    if state.finished or (time.time() - state.updated_at < _START_SECONDS and state.status == "pending"):
        return False
    return not Lock(folder / LOCK).held_elsewhere()


def mark_interrupted(folder: Path, state: TaskState) -> None:
    """See to the containers of an abandoned task, and write its end into its journal.

    Without an engine that answers, only its end is written; its containers are seen to by `reconcile`.
    """
    lock = Lock(folder / LOCK)
    if not lock.try_acquire():
        return
    try:
        state = fold(folder.name, read_all(folder))
        if state.finished:
            # Somebody else looked at the same moment.
            return
        where = f" in {state.phase}" if state.phase else ""
        reason = f"interrupted{where}: its supervisor ended{_settled(folder, state)}{_last_words(state)}"
        owed = endings(read_all(folder), command="lost", run="failed", reason="its supervisor ended")
        append_to(folder, *owed, ev.TaskStatus(status="interrupted", reason=reason))
    finally:
        lock.release()


def _last_words(state: TaskState) -> str:
    """Where supervisors have said something since the task was heard of; a killed one says nothing."""
    log = supervisors_log()
    try:
        said = log.stat().st_mtime >= state.updated_at
    except OSError:
        return ""
    return f"; what supervisors said last is in {log}" if said else ""


def _settled(folder: Path, state: TaskState) -> str:
    from engine.containers.endpoint import connect

    with suppress(ContainerError):
        return files_kept(state.id, settle(connect(), folder, state))
    return ""


def files_kept(task: str, attempts: Sequence[int]) -> str:
    """What can be done about attempts that did not get to their results, in words."""
    told = f"; its files are kept: `fumehood collect {task}` brings them out, `fumehood follow-up {task}` goes on"
    return told if attempts else ""


def fate(record: Record, state: TaskState) -> str:
    """What becomes of a container when nobody works on its task: it `stays`, is to be `kept`, or `goes`."""
    from engine.cache.snapshots import KEPT
    from engine.containers.container import role_of
    from engine.tasks.kept import AGAIN, REFUSED, TASK

    role, run = role_of(record)
    if role in (KEPT, REFUSED):
        return "stays"
    return "kept" if role == AGAIN or (role == TASK and state.has_work(run)) else "goes"


def settle(api: Api, folder: Path, state: TaskState | None = None) -> list[int]:
    """End what still runs of a task nobody works on; the numbers of the attempts whose files are kept.

    Args:
        state: the task's state, when the caller has it.

    Raises:
        ContainerError: the engine does not do it.
    """
    from engine.cache.snapshots import KEPT
    from engine.containers.container import Container, of_task, role_of
    from engine.repository.out import sweep
    from engine.tasks import kept

    found = of_task(api, folder.name)
    state = state or fold(folder.name, read_all(folder))
    runs = []
    for record in relays_first(found):
        container = Container(api, record["Id"])
        what, (role, run) = fate(record, state), role_of(record)
        if what == "kept":
            kept.keep(container, state.id, run)
        elif what == "goes":
            container.remove()
        if what == "kept" or role == KEPT:
            runs.append(run)
    remove_socket_dirs(f"{folder.name}-")
    for left in folder.rglob("*.bundle"):
        # On its way in or out when its supervisor was killed.
        left.unlink(missing_ok=True)
    sweep()
    return runs


def relays_first(records: list[Record]) -> list[Record]:
    """Relays come before the others: some engines keep a container whose network namespace another shares."""

    def is_relay(labels: Mapping[str, str]) -> bool:
        return labels.get("fumehood.role") == "relay"

    return sorted(records, key=lambda record: not is_relay(record["Labels"]))


def reconcile(*, patience: float = 0.0) -> None:
    """See to every container of a task that nobody works on; cheap when there is none.

    Args:
        patience: seconds to wait for an engine that does not answer.
    """
    from engine.cache.snapshots import owner
    from engine.containers.container import labelled, task_of
    from engine.containers.endpoint import connect

    deadline = time.monotonic() + patience
    while True:
        try:
            api = connect()
            tasks = {task_of(record) for record in labelled(api, {"fumehood.owner": owner()})}
            break
        except ContainerError:
            if time.monotonic() > deadline:
                return
            time.sleep(0.5)
    for task in sorted(tasks - {""}):
        with suppress(ContainerError):
            _reconcile(api, tasks_dir() / task)


def wait_for_engine() -> None:
    """As `reconcile`, by a supervisor whose engine went away."""
    reconcile(patience=_ENGINE_SECONDS)


def _reconcile(api: Api, folder: Path) -> None:
    """See to the containers of one task; one whose folder is gone has ended, too."""
    if not folder.is_dir():
        from engine.tasks import trash

        if not trash.holds(folder.name):
            settle(api, folder, TaskState(folder.name))
        return
    state = fold(folder.name, read_all(folder))
    if abandoned(folder, state):
        mark_interrupted(folder, state)
    elif state.finished:
        lock = Lock(folder / LOCK)
        if lock.try_acquire():
            try:
                settle(api, folder, state)
            finally:
                lock.release()


def remove_containers(task: str) -> None:
    """Remove the containers of a job that leaves nothing; without an engine there are none to remove."""
    from engine.containers.container import Container, of_task
    from engine.containers.endpoint import connect

    try:
        api = connect()
    except DockerUnavailable:
        return
    for record in relays_first(of_task(api, task)):
        Container(api, record["Id"]).remove()
