"""Processes are ended by the moment they were started; the container and what is older live on (SPEC A4).

What our own steps print is bounded.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from engine.containers.container import Container, Limits, Spec, create
from engine.containers.endpoint import connect
from engine.containers.processes import Strain, end_since, strain
from engine.errors import ContainerError
from engine.repository.shell import Output
from tests.docker.conftest import BASE_IMAGE

pytestmark = pytest.mark.docker


@pytest.fixture
def container() -> Iterator[Container]:
    api = connect()
    image = api.image(BASE_IMAGE)["Id"]
    name = f"fumehood-test-{time.time_ns():x}"
    made = create(api, Spec(image, name, BASE_IMAGE, {}, Limits(1, 256 << 20, 100)))
    try:
        made.start()
        yield made
    finally:
        made.remove()


def start(container: Container, seconds: int, before: str = "setsid") -> None:
    container.bash(f"{before} sleep {seconds} </dev/null >/dev/null 2>&1 &")


def running(container: Container) -> set[str]:
    printed = container.bash("cat /proc/[0-9]*/cmdline | tr '\\0' ' '").out.decode()
    return {word for word in printed.split() if word.isdigit()}


def test_older_processes_live_on(container: Container) -> None:
    start(container, 1001)
    time.sleep(1)
    since = time.monotonic()
    start(container, 1002)
    start(container, 1003, "env -i setsid nohup")
    assert {"1001", "1002", "1003"} <= running(container)
    assert end_since(container, since) == 0
    assert running(container) & {"1001", "1002", "1003"} == {"1001"}


def test_the_container_itself_lives_on_though_it_is_younger(container: Container) -> None:
    start(container, 1001)
    assert end_since(container, time.monotonic() - 3600) == 0
    assert "1001" not in running(container)


def test_processes_of_other_users_are_counted(container: Container) -> None:
    since = time.monotonic()
    start(container, 1001, "perl -e '$> = 65534; $< = 65534; exec @ARGV'")
    assert end_since(container, since) == 1
    container.restart()
    assert "1001" not in running(container)


def test_a_fork_bomb_is_ended(container: Container) -> None:
    since = time.monotonic()
    container.bash("bomb() { bomb | bomb & }; bomb >/dev/null 2>&1 </dev/null &")
    time.sleep(0.5)
    # Where it leaves no process to end it by, which the caller is told, the restart ends it.
    with suppress(ContainerError):
        end_since(container, since)
    assert strain(container).running in range(101)
    container.restart()
    assert strain(container).running == 0
    assert len(container.bash("ls -d /proc/[0-9]*").out.split()) < 10


def test_a_container_without_room_for_a_step_is_known_to_run_something(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = b"OCI runtime exec failed: exec failed: unable to start container process: read init-p: reset"
    monkeypatch.setattr(Container, "bash", lambda *_, **__: Output(126, refused, b""))
    assert strain(container) == Strain(0, 0, 1)
    with pytest.raises(ContainerError, match="unable to start container process"):
        end_since(container, 0)


def test_what_a_container_that_ended_bears_is_an_error(container: Container) -> None:
    container.stop()
    with pytest.raises(ContainerError):
        strain(container)


def test_a_step_cannot_fill_this_machines_memory(container: Container, tmp_path: Path) -> None:
    assert len(container.bash("head -c 9000000 /dev/zero").out) == 9_000_000
    with pytest.raises(ContainerError, match="printed more than 16 MiB"):
        container.bash("cat /dev/zero")
    with pytest.raises(ContainerError, match="printed more than 16 MiB"):
        container.bash_to_file(tmp_path / "out", "cat /dev/zero >&2")


def test_a_file_cannot_fill_this_machines_memory(container: Container) -> None:
    container.bash("head -c 60000000 /dev/zero > /tmp/much; truncate -s 4G /tmp/more")
    assert len(container.get("/tmp/much")) == 60_000_000
    with pytest.raises(ContainerError, match="larger than 64 MiB"):
        container.get("/tmp/more")
