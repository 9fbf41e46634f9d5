"""What is left of a task that did not get to its end: its agent's files, and nothing that runs (SPEC T8, C02, C05)."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.docker.conftest import Lab
from tests.docker.test_control import supervisor_of, wait_for
from tests.docker.test_follow_up import last_output, project

pytestmark = pytest.mark.docker

WORKS = "echo half > made.txt; (while :; do date > /tmp/alive; sleep 0.1; done) & echo up; sleep 1000"


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def ended(lab: Lab, task: str, seconds: float = 30) -> dict[str, Any]:
    """The task's state once it has ended."""
    deadline = time.monotonic() + seconds
    while (state := lab.json("status", task))["status"] in ("pending", "in_progress"):
        assert time.monotonic() < deadline, state
        time.sleep(0.1)
    return dict(state)


def start(lab: Lab, folder: Path, prompt: str) -> str:
    return str(lab.json("exec", "--env", str(folder), prompt)["id"])


def in_agent(lab: Lab, name: str) -> str:
    """A task whose agent has made a file and goes on running."""
    task = start(lab, project(lab, name), WORKS)
    wait_for(lab, task, "command.output", stream="out")
    return task


def kill_supervisor(lab: Lab, task: str) -> None:
    os.kill(supervisor_of(lab, task), signal.SIGKILL)


def cancel(lab: Lab, task: str) -> None:
    assert lab.run("cancel", task).returncode == 0


def stop_container(lab: Lab, task: str) -> None:
    docker("kill", f"fumehood-{task}-task-1")


@pytest.mark.parametrize(
    ("end", "status", "told"),
    [
        (kill_supervisor, "interrupted", "its supervisor ended; its files are kept: `fumehood collect"),
        (cancel, "cancelled", ""),
        (stop_container, "interrupted", "was stopped by somebody else"),
    ],
)
def test_files_of_an_agent_are_kept_and_can_be_brought_out(
    lab: Lab, end: Callable[[Lab, str], None], status: str, told: str
) -> None:
    task = in_agent(lab, end.__name__)
    end(lab, task)
    state = ended(lab, task)
    assert state["status"] == status
    assert told in (state["error"] or {"message": ""})["message"]
    (kept,) = lab.kept(task)
    assert lab.containers(task) == []
    assert docker("inspect", "-f", "{{.State.Status}}", kept) == "exited"
    collected = lab.json("collect", task, "--wait")
    assert collected["status"] == "ready"
    assert "+half" in lab.run("diff", task).stdout
    again = lab.run("collect", task)
    assert again.returncode == 2
    assert "has its result" in again.stderr
    assert lab.json("follow-up", task, "--wait", "cat made.txt; pgrep -fc 'date > /tmp'")["attempts"]
    assert last_output(lab, task) == "half\n0\n"


def test_a_container_removed_by_hand_is_told_and_a_follow_up_goes_on(lab: Lab) -> None:
    task = in_agent(lab, "by-hand")
    # Its task may be the one that removes it in the end: it sees it die.
    subprocess.run(["docker", "rm", "-f", f"fumehood-{task}-task-1"], capture_output=True)
    state = ended(lab, task)
    assert state["status"] == "interrupted"
    assert "was removed by somebody else" in state["error"]["message"]
    gone = lab.json("collect", task, "--wait")
    assert gone["status"] == "error"
    assert "the container with the files is gone" in gone["error"]["message"]


def test_what_a_dead_supervisor_left_is_seen_to_by_the_next_task(lab: Lab) -> None:
    task = in_agent(lab, "left")
    kill_supervisor(lab, task)
    other = lab.task(project(lab, "other"), "true")
    assert other["status"] == "ready"
    deadline = time.monotonic() + 20
    while lab.containers(task):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert len(lab.kept(task)) == 1
    assert lab.json("status", task)["status"] == "interrupted"


def test_a_task_interrupted_before_its_agent_leaves_no_container(lab: Lab) -> None:
    task = start(lab, project(lab, "early", "echo up; sleep 1000"), "true")
    wait_for(lab, task, "command.output")
    kill_supervisor(lab, task)
    assert ended(lab, task)["error"]["phase"] == "setup"
    assert lab.containers(task) + lab.kept(task) == []
    refused = lab.run("collect", task)
    assert (refused.returncode, "its agent had not begun" in refused.stderr) == (2, True)
    assert list(Path(f"/tmp/fumehood-{os.getuid()}").glob(f"{task}-*")) == []
