"""Services beside the agent: the start script, readiness, what becomes of them (SPEC T2)."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.containers.container import Container
from engine.errors import PhaseFailed
from engine.tasks.scripts import HOME
from engine.tasks.services import services
from tests.docker.conftest import Lab, environment
from tests.docker.outlets import laboratory

pytestmark = pytest.mark.docker

PORT = 8765
# Serves the work directory; says so, and each request, on its error output.
SERVE = f"python3 -u -m http.server --bind 127.0.0.1 {PORT}"
ASK = f"curl -sS --noproxy '*' localhost:{PORT}"
READY = f"curl -fsS --noproxy '*' -o /dev/null localhost:{PORT}/README"


def with_start(
    script: str, ready: str = "", command: str = "true", *, timeout: str = "60s", more: str = "", **kinds: str
) -> str:
    start = f"[start]\nscript = '''{script}'''\nready = '''{ready}'''\ntimeout = '{timeout}'\n"
    return environment(command=command, more=start + more, **kinds)


def finished(lab: Lab, task: str) -> dict[str, Any]:
    """The end of the start script."""
    events = lab.events(task)
    (name,) = (e["id"] for e in events if e["type"] == "command.started" and e["phase"] == "start")
    (end,) = (e for e in events if e["type"] == "command.finished" and e["id"] == name)
    return end


def warnings(lab: Lab, task: str) -> list[str]:
    return [e["text"] for e in lab.events(task) if e["type"] == "notice" and e["level"] == "warning"]


def wait_for(lab: Lab, task: str, text: str, phase: str) -> None:
    """Until the commands of a phase have printed this."""
    deadline = time.monotonic() + 60
    while text not in lab.output(task, phase):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_service_in_the_foreground_is_there_for_the_agent_and_its_log_is_kept(lab: Lab) -> None:
    project = lab.project(
        "front", with_start(SERVE, READY, f"{ASK}/README; echo $?; {ASK}/from-agent", maintenance="true")
    )
    state = lab.task(project)
    assert state["status"] == "ready", state["error"]
    assert lab.output(state["id"], "agent").startswith("a project\n0\n")
    assert [p["name"] for p in state["phases"]][-4:] == ["maintenance", "start", "agent", "collect"]
    # Both streams, to the last request of the agent.
    log = lab.output(state["id"], "start")
    assert "Serving HTTP" in log
    assert '"GET /from-agent HTTP/1.1" 404' in log
    end = finished(lab, state["id"])
    assert (end["status"], end["exit_code"]) == ("killed", None)
    assert warnings(lab, state["id"]) == []
    assert lab.containers(state["id"]) == []
    # It is recorded while the agent works: its end comes after the agent's.
    events = [(e["type"], e.get("id") == end["id"]) for e in lab.events(state["id"])]
    assert events.index(("run.finished", False)) < events.index(("command.finished", True))


@pytest.mark.parametrize("ready", [READY, ""])
def test_a_daemon_outlives_its_script(lab: Lab, ready: str) -> None:
    script = f"setsid {SERVE} </dev/null &>/tmp/log &\nuntil {READY}; do sleep 0.1; done 2>/dev/null\necho up; exit 0"
    project = lab.project(f"daemon-{bool(ready)}", with_start(script, ready or "", f"sleep 2; {ASK}/README"))
    state = lab.task(project)
    assert (state["status"], lab.output(state["id"], "agent")) == ("ready", "a project\n"), state["error"]
    assert (lab.output(state["id"], "start"), finished(lab, state["id"])["exit_code"]) == ("up\n", 0)
    assert warnings(lab, state["id"]) == []


def test_what_a_script_leaves_in_the_background_goes_on_being_recorded(lab: Lab) -> None:
    script = "(while sleep 0.1; do echo out; echo err >&2; done) &\necho script done"
    project = lab.project("behind", with_start(script, command="sleep 2"))
    state = lab.task(project)
    log = lab.output(state["id"], "start").split("\n")
    assert log[0] == "script done"
    assert log.count("out") > 5 < log.count("err")
    assert finished(lab, state["id"])["status"] == "killed"


def test_services_that_never_become_ready_fail_the_task(lab: Lab) -> None:
    script = "for i in $(seq 100); do echo line $i; done; sleep infinity"
    project = lab.project("never", with_start(script, "echo looking; sleep 0.2; echo not yet >&2; false", timeout="2s"))
    state = lab.task(project)
    error = state["error"]
    assert (state["status"], error["phase"], error["exit_code"]) == ("error", "start", None)
    assert error["message"] == "the services were not ready within 2 s; `ready` said last: not yet"
    lines = error["tail"].splitlines()
    assert lines == [f"line {i}" for i in range(51, 101)] + ["`ready` said last:", "looking", "not yet"]
    assert 2 <= next(p["seconds"] for p in state["phases"] if p["name"] == "start") < 20
    assert finished(lab, state["id"])["status"] == "killed"
    assert state["attempts"][0]["commands"] == 0
    assert lab.containers(state["id"]) == []


def test_a_ready_that_hangs_ends_at_the_time_limit(lab: Lab) -> None:
    state = lab.task(lab.project("hung", with_start("true", "sleep infinity", timeout="2s")))
    assert state["error"]["message"] == "the services were not ready within 2 s; `ready` said nothing"


@pytest.mark.parametrize("ready", ["false", ""])
@pytest.mark.parametrize("leaves", ["", "sleep infinity & "])
def test_a_script_that_fails_fails_the_task(lab: Lab, ready: str, leaves: str) -> None:
    script = f"{leaves}echo no database; exit 3"
    project = lab.project(f"fails-{ready}-{bool(leaves)}", with_start(script, ready))
    state = lab.task(project)
    error = state["error"]
    assert (error["phase"], error["exit_code"], error["tail"]) == ("start", 3, "no database")
    assert error["message"] == "the start script failed with exit code 3"
    end = finished(lab, state["id"])
    assert (end["status"], end["exit_code"]) == ("failed", 3)
    assert lab.containers(state["id"]) == []


def test_a_service_that_dies_is_told_of_and_the_task_goes_on(lab: Lab) -> None:
    project = lab.project(
        "dies", with_start("echo serving; sleep 3; echo no space >&2; exit 5", command="sleep 5; echo on")
    )
    state = lab.task(project)
    assert (state["status"], lab.output(state["id"], "agent")) == ("ready", "on\n")
    assert warnings(lab, state["id"]) == [
        "while the agent worked, the start script failed with exit code 5\nserving\nno space"
    ]
    assert finished(lab, state["id"])["exit_code"] == 5


def test_a_background_service_that_dies_is_told_of_when_ready_says_so(lab: Lab) -> None:
    script = f"{SERVE} &\necho $! > /tmp/pid"
    project = lab.project("dies-behind", with_start(script, READY, "kill $(cat /tmp/pid); sleep 12"))
    state = lab.task(project)
    (warning,) = warnings(lab, state["id"])
    assert warning.startswith("while the agent worked, the services ended: `ready` does not succeed any more\n")
    assert "Serving HTTP" in warning


def test_cancel_ends_script_and_container(lab: Lab) -> None:
    for name, ready, phase in (("waits", "false", "start"), ("works", "", "agent")):
        project = lab.project(
            f"cancel-{name}", with_start("trap '' TERM; echo up; sleep infinity", ready, "echo up; sleep infinity")
        )
        task = lab.json("exec", "--env", str(project), "go")["id"]
        wait_for(lab, task, "up", phase)
        began = time.monotonic()
        lab.run("cancel", task)
        lab.run("logs", "-f", task)
        assert time.monotonic() - began < 6
        state = lab.json("status", task)
        assert state["status"] == "cancelled"
        assert finished(lab, task)["status"] == "killed"
        assert warnings(lab, task) == []
        while lab.containers(task):
            assert time.monotonic() - began < 12


def test_no_service_runs_while_the_result_is_collected(lab: Lab) -> None:
    script = "while :; do date +%N > tracked; echo x > ignored.log; sleep 0.01; done"
    command = "echo done > made"
    project = lab.project(
        "busy", with_start(script, "[ -s tracked ]", command), {"tracked": "1\n", ".gitignore": "*.log\n"}
    )
    state = lab.task(project)
    assert state["status"] == "ready", state["error"]
    assert re.findall(r"^\+\+\+ (.*)", lab.run("diff", state["id"]).stdout, re.M) == ["b/made", "b/tracked"]


def test_a_flood_of_output_is_capped_and_disturbs_nothing(lab: Lab) -> None:
    state = lab.task(lab.project("flood", with_start("yes", command="sleep 2; echo fine")))
    assert (state["status"], lab.output(state["id"], "agent")) == ("ready", "fine\n")
    end = finished(lab, state["id"])
    assert end["truncated"]
    assert len(lab.output(state["id"], "start")) < 10 << 20 < end["bytes"]


def test_attempts_have_services_of_their_own(lab: Lab) -> None:
    script = f"echo $RANDOM$RANDOM > /tmp/secret; cd /tmp; {SERVE}"
    command = f"{ASK}/secret > got; cmp got /tmp/secret"
    project = lab.project("each", with_start(script, f"{ASK}/secret -fo /dev/null", command))
    state = lab.task(project, "go", "--attempts", "2")
    assert [a["status"] for a in state["attempts"]] == ["completed"] * 2
    assert len({lab.run("diff", state["id"], "--attempt", n).stdout for n in ("1", "2")}) == 2


# Nobody but root ends a process of another user, and root in the container may not: it is restarted.
OF_ANOTHER_USER = "perl -e '$> = 65534; $< = 65534; exec qw(sleep infinity)'"


@pytest.mark.parametrize("waits", ["sleep infinity", OF_ANOTHER_USER])
def test_a_time_limit_of_the_agent_collects_what_is_there(lab: Lab, waits: str) -> None:
    text = with_start(SERVE, READY, f"echo new > made; {waits}").replace("[agent]", '[agent]\ntimeout = "2s"')
    state = lab.task(lab.project(f"limited-{len(waits)}", text))
    assert "+new" in lab.run("diff", state["id"]).stdout
    ends = [e["status"] for e in lab.events(state["id"]) if e["type"] == "command.finished"]
    assert sorted(ends) == ["killed", "timeout"]
    assert not any("while the agent worked" in text for text in warnings(lab, state["id"]))


LOOK = """
for name in OLD NPM_TOKEN https_proxy; do echo "$name=${!name:+set}"; done
curl -s -m 20 -o /dev/null -w '%{http_code} %header{x-proxy-error}\\n' http://refused.example/
timeout 3 bash -c 'exec 3<>/dev/tcp/198.51.100.1/80' 2>/dev/null || echo cut off
touch /tmp/ready; sleep infinity
"""


@pytest.mark.parametrize(
    ("mode", "sees"), [("off", "https_proxy=\n000 \n"), ("limited", "https_proxy=set\n403 blocked-by-allowlist\n")]
)
def test_services_reach_what_the_agent_may_and_get_no_secrets(lab: Lab, mode: str, sees: str) -> None:
    network = f"[network]\nagent = '{mode}'\n" + ("allow = ['allowed.example']\n" if mode == "limited" else "")
    more = f"[secrets]\nNPM_TOKEN = {{ maintenance = true }}\n{network}"
    text = with_start(LOOK, "[ -e /tmp/ready ]", more=more, setup="export OLD=1")
    project = lab.project(f"net-{mode}", text)
    lab.run("secret", "set", "NPM_TOKEN", "-", "--env", str(project), input="value-of-the-token")
    state = lab.task(project)
    assert state["status"] == "ready", state["error"]
    assert lab.output(state["id"], "start") == f"OLD=\nNPM_TOKEN=\n{sees}cut off\n"
    events = lab.events(state["id"])
    proven = next(n for n, e in enumerate(events) if e["type"] == "network.proven")
    started = next(n for n, e in enumerate(events) if e["type"] == "command.started" and e["phase"] == "start")
    assert proven < started
    requests = [(e["phase"], e["decision"]) for e in events if e["type"] == "network.request"]
    assert requests == ([("start", "denied")] if mode == "limited" else [])


def test_without_a_script_the_phase_is_skipped(lab: Lab) -> None:
    state = lab.task(lab.project("none", environment()))
    phase = next(p for p in state["phases"] if p["name"] == "start")
    assert (phase["status"], phase["reason"]) == ("skipped", "no start script")


@pytest.fixture
def beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Container, Callable[..., AbstractContextManager[None]]]]:
    """A container without a task, and services in it."""
    for name in ("CONFIG", "STATE", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    (tmp_path / "lab").mkdir()
    with laboratory(tmp_path / "lab") as (work, container):
        container.bash('mkdir -p "$1"', work.workdir)
        before = work.environment

        def start(script: str, ready: str = "") -> AbstractContextManager[None]:
            work.environment = replace(before, start=replace(before.start, script=script, ready=ready, timeout=3))
            return services(work, container, {}, 1, threading.Event())

        yield container, start
    assert "services" not in [thread.name for thread in threading.enumerate()]


def test_a_second_start_in_the_same_container(beside: Any) -> None:
    """As a follow-up does it: nothing of the first start is taken for the second's."""
    container, start = beside
    container.bash('mkdir -m 1777 "$1"', HOME)
    for script, fails in (("exit 4", True), ("exit 0", False), ("sleep infinity", False), ("exit 4", True)):
        reached = False
        with pytest.raises(PhaseFailed, match="exit code 4") if fails else nullcontext(), start(script):
            reached = True
        assert reached != fails
        container.restart()


@pytest.mark.parametrize("ready", ["", "false"])
def test_a_script_that_cannot_be_put_into_the_container_has_failed(beside: Any, ready: str) -> None:
    _, start = beside
    with pytest.raises(PhaseFailed, match="exit code 1") as failed, start("sleep infinity", ready):
        pass
    assert "No such file" in failed.value.tail


def test_a_follow_up_has_its_services_too(lab: Lab) -> None:
    state = lab.task(lab.project("again", with_start(f"echo serving; {SERVE}", READY, f"{ASK}/README")))
    state = lab.json("follow-up", state["id"], "--wait", "again")
    assert state["status"] == "ready", state["error"]
    assert lab.output(state["id"], "agent") == "a project\n" * 2
    assert lab.output(state["id"], "start").count("serving\n") == 2
    assert [p["status"] for p in state["phases"] if p["name"] == "start"] == ["done", "done"]
    assert warnings(lab, state["id"]) == []


def test_nothing_of_it_is_left_running(lab: Lab) -> None:
    running = subprocess.run(
        ["docker", "ps", "--format", "{{.Names}}"], check=True, capture_output=True, text=True
    ).stdout
    tasks = [entry["id"] for entry in lab.json("list", "--limit", "100")["tasks"]]
    assert tasks
    assert [task for task in tasks if f"-{task}-" in running or lab.containers(task)] == []
