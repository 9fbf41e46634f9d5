"""Processes are ended by the moment they were started; the container and what is older live on (SPEC A4).

What our own steps print is bounded.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.containers.container import Container, Limits, Spec, create
from engine.containers.endpoint import connect
from engine.errors import ContainerError
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
    assert container.end_processes(since) == 0
    assert running(container) & {"1001", "1002", "1003"} == {"1001"}


def test_the_container_itself_lives_on_though_it_is_younger(container: Container) -> None:
    start(container, 1001)
    assert container.end_processes(time.monotonic() - 3600) == 0
    assert "1001" not in running(container)


def test_processes_of_other_users_are_counted(container: Container) -> None:
    since = time.monotonic()
    start(container, 1001, "perl -e '$> = 65534; $< = 65534; exec @ARGV'")
    assert container.end_processes(since) == 1
    container.restart()
    assert "1001" not in running(container)


def test_a_fork_bomb_is_ended(container: Container) -> None:
    since = time.monotonic()
    container.bash("bomb() { bomb | bomb & }; bomb >/dev/null 2>&1 </dev/null &")
    time.sleep(0.5)
    try:
        assert container.end_processes(since) in range(100)
    finally:
        container.restart()
    assert len(container.bash("ls -d /proc/[0-9]*").out.split()) < 10


def test_a_step_cannot_fill_this_machines_memory(container: Container, tmp_path: Path) -> None:
    assert len(container.bash("head -c 9000000 /dev/zero").out) == 9_000_000
    with pytest.raises(ContainerError, match="printed more than 16 MiB"):
        container.bash("cat /dev/zero")
    with pytest.raises(ContainerError, match="printed more than 16 MiB"):
        container.bash_to_file(tmp_path / "out", "cat /dev/zero >&2")
