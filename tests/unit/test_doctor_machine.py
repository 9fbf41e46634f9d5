"""What `doctor` finds on a machine, and what `doctor --fix` mends."""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path
from typing import Any

import pytest

from engine import detached
from engine.doctor import machine
from engine.secrets import identity
from engine.state import Lock, private_dir, socket_dir, state_dir, tasks_dir
from engine.tasks import events as ev
from engine.tasks.journal import append_to
from engine.tasks.reading import state_of
from engine.tasks.spec import LOCK
from tui.cli import main


@pytest.fixture(autouse=True)
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    (tmp_path / "runtime").mkdir()
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


def doctor(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    """What `doctor --json` told; its checks by name, the last of each."""
    main(["doctor", "--json", *options])
    told = json.loads(capsys.readouterr().out)
    return {"fixed": told["fixed"], **{check["name"]: check for check in told["checks"]}}


def asked_for(name: str, *more: ev.Event) -> Path:
    """The folder of a task whose journal has its beginning, and what is given."""
    folder = private_dir(tasks_dir() / name)
    created = ev.TaskCreated(
        id=name, environment="e", environment_path="/e.toml", repository="", prompt="p", agent="loop"
    )
    append_to(folder, created, *more)
    return folder


def test_what_dead_processes_left_is_seen_and_mended(capsys: pytest.CaptureFixture[str]) -> None:
    works = ev.TaskStatus(status="in_progress")
    dead, alive = asked_for("dead22", works), asked_for("live22", works)
    for name in ("dead22-setup-1", "live22-setup-1", "else22-setup-1"):
        socket_dir(name)
    lock = Lock(alive / LOCK)
    assert lock.try_acquire()
    told = doctor(capsys)
    assert told["left behind"]["message"] == ("tasks without a supervisor: dead22; folders of sockets nobody serves: 1")
    assert "doctor --fix" in told["left behind"]["hint"]
    assert state_of(dead).status == "in_progress"
    told = doctor(capsys, "--fix")
    assert told["fixed"][0].startswith("task dead22: ")
    assert (state_of(dead).status, state_of(alive).status) == ("interrupted", "in_progress")
    left = sorted(path.name for path in socket_dir("live22-setup-1").parent.iterdir())
    assert [name for name in left if not name.startswith("starter")] == ["else22-setup-1", "live22-setup-1"]
    assert told["left behind"]["message"] == "nothing"
    assert doctor(capsys, "--fix")["fixed"] == []
    lock.release()


def test_rights_of_our_folders_are_mended_and_those_of_secrets_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    private_dir(state_dir()).chmod(0o755)
    (state_dir() / "key").write_bytes(b"k" * 32)
    (state_dir() / "key").chmod(0o644)
    where = identity.read_or_make().path
    where.chmod(0o644)
    told = doctor(capsys)
    assert (told["state folder"]["ok"], told["state folder"]["message"]) == (
        False,
        f"{state_dir()} and 1 more can be read by other users",
    )
    assert (told["secrets"]["ok"], "chmod 600" in told["secrets"]["hint"]) == (False, True)
    told = doctor(capsys, "--fix")
    assert len(told["fixed"]) == 2
    assert told["state folder"]["ok"]
    assert (state_dir().stat().st_mode & 0o777, (state_dir() / "key").stat().st_mode & 0o777) == (0o700, 0o600)
    assert not told["secrets"]["ok"]
    assert where.stat().st_mode & 0o777 == 0o644


def test_no_key_is_made_by_looking(capsys: pytest.CaptureFixture[str]) -> None:
    assert "the first `fumehood secret set` makes one" in doctor(capsys, "--fix")["secrets"]["message"]
    assert not identity.path().exists()
    # Values without their key cannot be read any more: that is a fault, and no reason to make another key.
    kept = private_dir(identity.path().parent / "secrets" / "web-1") / "TOK.age"
    kept.write_bytes(b"age")
    told = doctor(capsys, "--fix")["secrets"]
    assert (told["ok"], "is not there" in told["message"]) == (False, True)
    assert not identity.path().exists()


def test_the_way_to_the_internet(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor(capsys)["proxy"]["message"] == "none: straight to the internet"
    monkeypatch.setenv("HTTPS_PROXY", "http://u:pw-QZXJ@corp.example:3128")
    assert doctor(capsys)["proxy"]["message"] == "through corp.example:3128"
    monkeypatch.setenv("HTTPS_PROXY", "socks5://u:pw-QZXJ@corp.example:3128")
    told = doctor(capsys)["proxy"]
    assert (told["ok"], "QZXJ" in str(told)) == (False, False)
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", "/nowhere.pem")
    monkeypatch.setattr(machine, "_INOTIFY", Path("/nowhere"))
    main(["doctor"])
    assert "✗ authorities        not there: NODE_EXTRA_CA_CERTS=/nowhere.pem" in capsys.readouterr().out


def test_agents_that_could_work_and_those_that_could_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    told = doctor(capsys)["agents"]
    ready, _, others = told["message"].partition("; not ready: ")
    assert {"replay", "command"} <= set(ready.removeprefix("ready: ").split(", "))
    assert "claude" in others.split(", ")
    assert "agent list" in told["hint"]


def test_limits_of_the_kernel_that_are_too_low(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "max_user_watches").write_text("8192\n")
    (tmp_path / "max_user_instances").write_text("128\n")
    monkeypatch.setattr(machine, "_INOTIFY", tmp_path)
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (256, 4096))
    files, watches, instances = machine.limits()
    assert (files.ok, "ulimit -n 4096" in files.hint) == (None, True)
    assert (watches.ok, "sysctl fs.inotify.max_user_watches=65536" in watches.hint) == (None, True)
    assert instances.ok


@pytest.mark.parametrize(
    ("lingers", "kills", "ok", "said"),
    [
        (True, True, True, "tasks go on"),
        (False, True, None, "tasks end when you log out"),
        (False, False, True, "tasks go on"),
    ],
)
def test_what_a_logout_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lingers: bool, kills: bool, ok: bool | None, said: str
) -> None:
    program = tmp_path / "busctl"
    program.write_text(f"#!/bin/sh\n[ $5 = KillUserProcesses ] && echo b {str(kills).lower()}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(detached, "lingers", lambda: lingers)
    (check,) = machine.logout()
    assert (check.ok, check.message.startswith(said)) == (ok, True)
    assert ("loginctl enable-linger" in check.hint) == (ok is None)


def test_a_task_just_asked_for_is_not_dead(capsys: pytest.CaptureFixture[str]) -> None:
    folder = asked_for("new222")
    assert time.time() - state_of(folder).created_at < 15
    assert doctor(capsys, "--fix")["fixed"] == []
