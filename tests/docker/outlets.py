"""A container of the base image and the real way out of it, without a task around them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.containers import images
from engine.containers.container import Container, create
from engine.containers.endpoint import connect
from engine.environment.load import load
from engine.network.policy import Policy
from engine.repository.source import Source
from engine.tasks.journal import Journal, read_all
from engine.tasks.outlet import outlet
from engine.tasks.recorder import Recorder
from engine.tasks.spec import TaskSpec, new_id
from engine.tasks.stop import Order
from engine.tasks.work import Work
from tests.docker.conftest import BASE_IMAGE, environment


@contextmanager
def laboratory(folder: Path) -> Iterator[tuple[Work, Container]]:
    """A task's work and a started container of it; the container goes with the block."""
    path = folder / "fumehood.toml"
    path.write_text(environment())
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")
    for step in (("init", "-q"), (*identity, "commit", "-q", "--allow-empty", "-m", "start")):
        subprocess.run(["git", "-C", str(folder), *step], check=True)
    loaded = load(path)
    spec = TaskSpec(new_id(), str(path), "go", "command", "", 1, time.time())
    journal = Journal(spec.folder)
    # Nobody asks this work to stop.
    never, source = Order(), Source.of(loaded)
    work = Work(loaded, source, spec.id, spec.folder, spec.branch, Recorder(spec.folder, journal), connect(), never, {})
    image = images.find(work.api, BASE_IMAGE)
    assert image, f"{BASE_IMAGE} is not there: fumehood image bootstrap"
    container = create(work.api, work.container_spec(image, "task", 1))
    try:
        container.start()
        yield work, container
    finally:
        container.remove()
        journal.close()


@contextmanager
def agent_outlet(work: Work, container: Container, policy: Policy) -> Iterator[Mapping[str, str]]:
    """The agent's way out under `policy`; gives the variables that lead programs to it."""
    with outlet(work, container, "agent", policy, run=1) as way_out:
        yield way_out.variables


def run(container: Container, script: str, variables: Mapping[str, str]) -> tuple[int | None, str]:
    """Run a script as an agent's command would; its exit code and its output."""
    out = bytearray()
    ended = container.exec(("bash", "-c", script), lambda _, data: out.extend(data), env=variables, timeout=100)
    return ended.code, out.decode()


def requests(work: Work) -> list[Any]:
    """The requests in the journal."""
    return [event for event in read_all(work.folder) if type(event).__name__ == "NetworkRequest"]
