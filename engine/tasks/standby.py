"""A container that stands by: made from the newest snapshot, running, checked out, waiting for a task (DESIGN "Speed").

A record in the state folder offers it. Whoever renames the record has the container: the kernel lets one do that.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import asdict, replace

from engine.containers.container import Boot, Container, Spec, create, labelled, name_for, task_of
from engine.errors import ContainerError
from engine.state import state_dir, write_atomic

if TYPE_CHECKING:
    from engine.cache.decision import Snapshot
    from engine.containers.api import Api
    from engine.tasks.work import Work

ROLE = "standby"


class Standby(Struct, frozen=True):
    """A container that runs, and the commit its work tree is at."""

    container: Container
    sha: str


def folder() -> Path:
    """Where the records are: one for each environment that has a container standing by."""
    return state_dir() / "standby"


def offer(work: Work, snapshot: Snapshot) -> None:
    """Make a container of `snapshot`, check out the commit of `work`, and offer it to the environment's next task.

    Raises:
        ContainerError, RepositoryError: it does not come up; nothing is left of it then.
    """
    container = running(work, snapshot)
    target = work.checkout.target.sha
    try:
        fits = _print(_spec(work, snapshot))
        write_atomic(
            folder() / work.environment.id, json.dumps({"container": container.id, "sha": target, "spec": fits})
        )
    except BaseException:
        container.remove()
        raise


def running(work: Work, snapshot: Snapshot) -> Container:
    """A container of `snapshot`, running, with the commit of `work` checked out, that waits for another script.

    Raises:
        ContainerError, RepositoryError: it does not come up; nothing is left of it then.
    """
    from engine.repository import into

    name = f"fumehood-{ROLE}-{work.environment.id}-{os.urandom(3).hex()}"
    container = create(work.api, replace(_spec(work, snapshot), name=name))
    try:
        boot = Boot(container, last=False)
        container.start()
        here = work.checkout
        into.bring(boot, here.mirror.git_dir, work.repository_dir, snapshot.sha, here.target.sha, "", work.folder)
    except BaseException:
        container.remove()
        raise
    return container


def offered(work: Work, snapshot: Snapshot) -> bool | None:
    """Whether what stands by is of this snapshot, and at the commit of `work`; None when nothing does."""
    try:
        record = json.loads((folder() / work.environment.id).read_text())
    except (FileNotFoundError, ValueError):
        return None
    fits: bool = record["spec"] == _print(_spec(work, snapshot)) and record["sha"] == work.checkout.target.sha
    return fits


def take(work: Work, snapshot: Snapshot) -> Standby | None:
    """Have the container that stands by for this environment, if it is one of `snapshot` as the environment is now."""
    claimed = work.folder / ROLE
    try:
        (folder() / work.environment.id).rename(claimed)
        record = json.loads(claimed.read_text())
        claimed.unlink()
    except (FileNotFoundError, ValueError):
        return None
    spec = _spec(work, snapshot)
    container = Container(work.api, record["container"], snapshot.image, spec.image_name, work.stop.event)
    try:
        if record["spec"] == _print(spec):
            container.rename(name_for(work.id, "task"))
            return Standby(container, record["sha"])
    except ContainerError:
        # It died meanwhile: the task starts one of its own.
        pass
    container.remove()
    return None


def withdraw(api: Api, environment_id: str) -> None:
    """Take an offer back and remove its container; nothing when there is none, or a task has just taken it."""
    claimed = folder() / f".{environment_id}.{os.urandom(3).hex()}"
    try:
        (folder() / environment_id).rename(claimed)
    except FileNotFoundError:
        return
    try:
        record = json.loads(claimed.read_text())
        Container(api, record["container"]).remove()
    except ValueError:
        return
    finally:
        claimed.unlink()


def remove_all(api: Api) -> None:
    """Remove every container that stands by, offered or not: nobody tends them any more."""
    from engine.cache.snapshots import owner

    for record in folder().glob("*"):
        withdraw(api, record.name)
    for found in labelled(api, {"fumehood.owner": owner(), "fumehood.role": ROLE}):
        if not task_of(found):
            Container(api, found["Id"]).remove()


def _spec(work: Work, snapshot: Snapshot) -> Spec:
    return work.agent_container_spec(snapshot.image, ROLE, 1)


def _print(spec: Spec) -> str:
    """What a container has to have been made with: everything but its name."""
    text = json.dumps(asdict(replace(spec, name="")), default=str, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
