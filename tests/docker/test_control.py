"""A task goes on without its watchers, ends when told to, and tells the truth about its end (SPEC T4, T7, T8, A4)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.docker.conftest import Lab, environment
from tui.live.feed import Feed
from tui.present.story import Command

pytestmark = pytest.mark.docker

LINES = 100_000
COUNT = f"for i in $(seq 0 5000 {LINES - 1}); do seq $((i + 1)) $((i + 5000)); sleep 0.05; done"


def start(lab: Lab, project: Path) -> str:
    return str(lab.json("exec", "--env", str(project), "go")["id"])


def wait_for(lab: Lab, task: str, kind: str, seconds: float = 60, **fields: object) -> None:
    """Until the task's journal has such an event."""
    deadline = time.monotonic() + seconds
    while not any(e["type"] == kind and all(e[k] == v for k, v in fields.items()) for e in lab.events(task)):
        assert time.monotonic() < deadline, lab.events(task)[-3:]


def test_a_killed_watcher_disturbs_nothing_and_the_log_has_no_gap(lab: Lab) -> None:
    project = lab.project("count", environment(command=COUNT))
    task = start(lab, project)
    argv = [sys.executable, "-m", "tui.cli", "logs", "-f", "--raw", task]
    counted = [str(number) for number in range(1, LINES + 1)]
    for _ in range(3):
        watcher = subprocess.Popen(argv, env=lab.variables, stdout=subprocess.PIPE)
        assert watcher.stdout
        # In the middle of it.
        seen = watcher.stdout.read(20_000)
        watcher.kill()
        seen += watcher.communicate()[0]
        assert "\n".join(counted).encode().startswith(seen.rstrip(b"\n"))
        workbench = Feed(lab.home / "state/fumehood/tasks" / task).read_all()
        lines = shown(workbench)
        assert lines[:-1] == counted[: len(lines) - 1]
    again = subprocess.run(argv, env=lab.variables, capture_output=True, timeout=120, check=True)
    assert again.stdout.decode().split() == counted
    # Who came in the middle and stayed has the same as who comes when all is over.
    assert shown(workbench.read_all()) == shown(Feed(workbench.folder).read_all()) == counted
    events = lab.events(task)
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    assert sum(e["type"] == "run.finished" for e in events) == 1


def shown(feed: Feed) -> list[str]:
    """The lines of the agent's output, read as the workbench reads them."""
    (command,) = (block for block in feed.story.blocks if isinstance(block, Command))
    index = feed.index(command)
    feed.backlog.wait()
    feed.adopt_heads()
    return [line.data.decode() for line in index.lines(0, index.count)]


def test_cancel_ends_the_container_and_says_cancelled(lab: Lab) -> None:
    project = lab.project("sleeper", environment(command="trap '' TERM; echo up; sleep 1000"))
    task = start(lab, project)
    wait_for(lab, task, "command.output")
    assert lab.run("cancel", task).returncode == 0
    began = time.monotonic()
    followed = lab.run("logs", "-f", task)
    assert time.monotonic() - began < 12
    assert "cancelled" in followed.stdout
    state = lab.json("status", task)
    assert (state["status"], state["attempts"][0]["status"]) == ("cancelled", "cancelled")
    deadline = time.monotonic() + 10
    while lab.containers(task):
        assert time.monotonic() < deadline
    again = lab.run("cancel", task)
    assert again.returncode == 2
    assert "ended already" in again.stderr


def test_cancel_in_setup_leaves_nothing(lab: Lab) -> None:
    project = lab.project("setup-sleeper", environment("echo up; sleep 1000"))
    task = start(lab, project)
    wait_for(lab, task, "command.output")
    lab.run("cancel", task)
    assert lab.run("exec", "--help").returncode == 0
    wait_for(lab, task, "task.status", status="cancelled")
    deadline = time.monotonic() + 10
    while lab.containers(task):
        assert time.monotonic() < deadline


def test_a_killed_supervisor_leaves_an_interrupted_task_and_no_container(lab: Lab) -> None:
    project = lab.project("orphan", environment(command="echo up; sleep 1000"))
    task = start(lab, project)
    wait_for(lab, task, "command.output")
    os.kill(supervisor_of(lab, task), signal.SIGKILL)
    state = lab.json("status", task)
    assert (state["status"], state["error"]["phase"]) == ("interrupted", "agent")
    assert lab.containers(task) == []


def supervisor_of(lab: Lab, task: str) -> int:
    """The process that holds the task's lock."""
    lock = (lab.home / "state" / "fumehood" / "tasks" / task / "lock").stat().st_ino
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if fields[5].endswith(f":{lock}"):
            return int(fields[4])
    raise AssertionError("nobody holds the lock")


def test_a_time_limit_ends_the_agent_and_keeps_what_it_did(lab: Lab) -> None:
    text = environment(command="echo new > made; sleep 1000").replace("[agent]", '[agent]\ntimeout = "2s"')
    state = lab.task(lab.project("limit", text))
    assert state["status"] == "error"
    events = lab.events(state["id"])
    finished = [e for e in events if e["type"] == "run.finished"]
    assert [e["status"] for e in finished] == ["limit"]
    assert [e["status"] for e in events if e["type"] == "command.finished"][-1] == "timeout"
    assert "+new" in lab.run("diff", state["id"]).stdout


@pytest.mark.parametrize(
    ("command", "code", "reason"),
    [
        ("exit 1", 1, "exit code 1"),
        ("nonexistent-program", 127, "not found"),
        ("kill -9 $$", 137, "killed"),
        ("kill -15 $$", 143, "was ended by signal 15"),
        ("exit 254", 254, "failed with exit code 254"),
        ("/etc/passwd", 126, "cannot be executed"),
        # What it leaves running holds its output open.
        ("sleep 600 & exit 3", 3, "exit code 3"),
        ("true", 0, "It printed nothing"),
        (
            "for i in $(seq 50); do (sleep 0.1 & sleep 0.1 &) ; done; sleep 1; ps -e -o stat= | grep -c Z; true",
            0,
            "```\n0\n",
        ),
    ],
)
def test_the_end_of_the_agents_program_is_told_as_it_was(lab: Lab, command: str, code: int, reason: str) -> None:
    project = lab.home / "ends"
    if not project.exists():
        lab.project("ends", environment())
    (project / "fumehood.toml").write_text(environment(command=command))
    state = lab.task(project)
    attempt = state["attempts"][0]
    assert attempt["exit_code"] == code
    assert reason in attempt["answer"]
    assert state["status"] == ("ready" if code == 0 else "error")
    assert code == 0 or state["error"]["phase"] == "agent"


def test_attempts_run_side_by_side_each_with_its_diff(lab: Lab) -> None:
    project = lab.project("attempts", environment(command="echo $RANDOM$RANDOM > number"))
    state = lab.task(project, "go", "--attempts", "3")
    assert state["status"] == "ready"
    assert [a["status"] for a in state["attempts"]] == ["completed"] * 3
    diffs = {lab.run("diff", state["id"], "--attempt", str(n)).stdout for n in (1, 2, 3)}
    assert len(diffs) == 3
    assert lab.run("diff", state["id"], "--attempt", "4").returncode == 2


def test_the_exit_code_of_wait_is_the_tasks_end(lab: Lab) -> None:
    project = lab.home / "ends"
    (project / "fumehood.toml").write_text(environment(command="exit 4"))
    assert lab.run("exec", "--env", str(project), "--wait", "go").returncode == 1
    (project / "fumehood.toml").write_text(environment(command="echo fine"))
    done = lab.run("exec", "--env", str(project), "--wait", "go")
    assert done.returncode == 0
    assert "fine" in done.stdout
    assert json.loads(lab.run("list", "--json").stdout)["tasks"][0]["status"] == "ready"
