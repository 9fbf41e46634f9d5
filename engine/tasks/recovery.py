"""What is left of tasks whose supervisor is gone: found by label, removed or marked (SPEC T8)."""

from __future__ import annotations

import time
from pathlib import Path

from engine.errors import DockerUnavailable
from engine.state import Lock, remove_socket_dirs
from engine.tasks import events as ev
from engine.tasks.journal import Journal, read_all
from engine.tasks.model import TaskState
from engine.tasks.spec import LOCK
from engine.tasks.unfinished import endings

# How long after it was asked for a task may be without a supervisor: the time to start one.
_START_SECONDS = 15.0


def abandoned(folder: Path, state: TaskState) -> bool:
    """Whether an unfinished task has no supervisor any more."""
    if state.finished or (time.time() - state.updated_at < _START_SECONDS and state.status == "pending"):
        return False
    return not Lock(folder / LOCK).held_elsewhere()


def mark_interrupted(folder: Path, state: TaskState) -> None:
    """Write the end of an abandoned task into its journal, and remove its containers and its ways out."""
    lock = Lock(folder / LOCK)
    if not lock.try_acquire():
        return
    try:
        where = f" in {state.phase}" if state.phase else ""
        journal = Journal(folder)
        for event in endings(read_all(folder), command="lost", run="failed", reason="its supervisor ended"):
            journal.append(event)
        journal.append(ev.TaskStatus(status="interrupted", reason=f"interrupted{where}: its supervisor ended"))
        journal.close()
        remove_containers(state.id)
        remove_socket_dirs(f"{state.id}-")
    finally:
        lock.release()


def remove_containers(task: str, *, keep_stopped: bool = False) -> None:
    """Remove the containers of a task; without an engine there are none to remove."""
    from engine.containers.container import Container, of_task
    from engine.containers.endpoint import connect

    try:
        api = connect()
    except DockerUnavailable:
        return
    records = of_task(api, task)
    # Relays first: some engines refuse to remove a container whose network namespace another shares.
    for record in sorted(records, key=lambda r: r["Labels"].get("fumehood.role") != "relay"):
        if not (keep_stopped and record["State"] == "exited"):
            Container(api, record["Id"]).remove()
