"""Supervisors where logging out ends a login's processes: a unit of their own, if the user's systemd stays (SPEC T4)."""

from __future__ import annotations

import os
import pwd
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import detached
from engine.state import Lock, private_dir, tasks_dir
from engine.tasks import events as ev
from engine.tasks.journal import append_to
from engine.tasks.reading import state_of
from engine.tasks.recovery import mark_interrupted
from engine.tasks.spec import LOCK, supervisors_log

NOTE = '#!/bin/sh\nprintf "%s\\n" "$DBUS_SESSION_BUS_ADDRESS" "$@" > "{0}.new"; mv "{0}.new" "{0}"\n'


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user whose systemd answers and lingers; where `busctl` notes what it was asked."""
    program = tmp_path / "bin/busctl"
    program.parent.mkdir()
    program.write_text(NOTE.format(tmp_path / "asked"))
    program.chmod(0o755)
    (tmp_path / "linger").mkdir()
    (tmp_path / "linger" / pwd.getpwuid(os.getuid()).pw_name).touch()
    monkeypatch.setattr(detached, "LINGER", tmp_path / "linger")
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind(str(tmp_path / "bus"))
        yield tmp_path / "asked"


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists() or not path.stat().st_size:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_process_gets_a_unit_of_its_own(asked: Path, tmp_path: Path) -> None:
    detached.fork(lambda: (tmp_path / "pid").write_text(str(os.getpid())), tmp_path / "log")
    wait_for(asked)
    address, *words = asked.read_text().splitlines()
    assert address == f"unix:path={tmp_path}/bus"
    assert words[:3] == ["--user", "call", "org.freedesktop.systemd1"]
    assert words[5:7] == ["StartTransientUnit", "ssa(sv)a(sa(sv))"]
    wait_for(tmp_path / "pid")
    process = (tmp_path / "pid").read_text()
    assert words[7].startswith(f"fumehood-{process}-")
    assert words[-5:] == ["PIDs", "au", "1", process, "0"]


def test_without_lingering_or_without_a_bus_nobody_is_asked(asked: Path, tmp_path: Path) -> None:
    assert detached.lingers()
    next((tmp_path / "linger").iterdir()).unlink()
    assert not detached.lingers()
    assert detached.own_scope(os.getpid()) == 0
    (tmp_path / "linger" / pwd.getpwuid(os.getuid()).pw_name).touch()
    (tmp_path / "bus").unlink()
    assert detached.own_scope(os.getpid()) == 0
    assert not asked.exists()


def test_without_busctl_it_goes_on(asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert detached.own_scope(os.getpid()) == 0


def test_the_last_words_of_a_supervisor_that_could_not_begin_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    folder = private_dir(tasks_dir() / "t22222")
    asked = ev.TaskCreated(id="t22222", environment="e", environment_path="/e", repository="", prompt="p", agent="loop")
    append_to(folder, asked, ev.TaskStatus(status="pending"))
    detached.spawn("engine.tasks", str(folder), log=supervisors_log())
    deadline = time.monotonic() + 20
    while "task.toml is unusable" not in (supervisors_log().read_text() if supervisors_log().exists() else ""):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    while Lock(folder / LOCK).held_elsewhere():
        time.sleep(0.02)
    mark_interrupted(folder, state_of(folder))
    error = state_of(folder).error
    assert error is not None
    assert error.message.endswith(f"; what supervisors said last is in {supervisors_log()}")
