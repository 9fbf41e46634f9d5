"""A container that stands by: made from the newest snapshot, running, checked out, waiting for a task (DESIGN "Speed").

A record in the state folder offers it. Whoever renames the record has the container: the kernel lets one do that.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.containers.container import Boot, Container, Spec, create, name_for
from engine.errors import ContainerError
from engine.state import state_dir, write_atomic

if TYPE_CHECKING:
    from engine.cache.decision import Snapshot
    from engine.tasks.work import Work

ROLE = "standby"


@dataclass(frozen=True, slots=True)
class Standby:
    """A container that runs, and the commit its work tree is at."""

    container: Container
    sha: str


def folder() -> Path:
    """Where the records are: one for each environment that has a container standing by."""
    return state_dir() / "standby"


def offer(work: Work, snapshot: Snapshot) -> Standby:
    """Make a container of `snapshot`, check out the commit of `work`, and offer it to the environment's next task.

    Raises:
        ContainerError, RepositoryError: it does not come up; nothing is left of it then.
    """
    from engine.repository import into

    spec = _spec(work, snapshot)
    name = f"fumehood-{ROLE}-{work.environment.id}-{os.urandom(3).hex()}"
    container = create(work.api, replace(spec, name=name))
    try:
        boot = Boot(container, last=False)
        container.start()
        checkout = work.checkout
        into.bring(
            boot, checkout.mirror.git_dir, work.repository_dir, snapshot.sha, checkout.target.sha, "", work.folder
        )
        record = {"container": container.id, "name": name, "sha": checkout.target.sha, "spec": _print(spec)}
        write_atomic(folder() / work.environment.id, json.dumps(record))
    except BaseException:
        container.remove()
        raise
    return Standby(container, checkout.target.sha)


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
    container = Container(work.api, record["container"], snapshot.image, spec.image_name)
    try:
        if record["spec"] == _print(spec):
            container.rename(name_for(work.id, "task"))
            return Standby(container, record["sha"])
    except ContainerError:
        # It died meanwhile: the task starts one of its own.
        pass
    container.remove()
    return None


def withdraw(environment_id: str, work: Work) -> None:
    """Take an offer back and remove its container; nothing when there is none, or a task has just taken it."""
    claimed = work.folder / f"{ROLE}-withdrawn"
    try:
        (folder() / environment_id).rename(claimed)
        record = json.loads(claimed.read_text())
        claimed.unlink()
    except (FileNotFoundError, ValueError):
        return
    Container(work.api, record["container"]).remove()


def _spec(work: Work, snapshot: Snapshot) -> Spec:
    return work.container_spec(snapshot.image, ROLE, 1, boots=True)


def _print(spec: Spec) -> str:
    """What a container has to have been made with: everything but its name."""
    text = json.dumps(asdict(replace(spec, name="")), default=str, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
