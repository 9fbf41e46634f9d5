"""Several attempts, one picked; and tasks that are removed with their containers (SPEC T6)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.docker.conftest import Lab, environment

pytestmark = pytest.mark.docker


def project(lab: Lab, name: str) -> Path:
    text = environment("true", name=name).split("[agent]")[0]
    return lab.project(name, f'{text}[agent]\nuse = "command"\n', {"a.txt": "one\n"})


def containers(task: str) -> list[str]:
    """The names of the containers of a task, running or not."""
    listed = subprocess.run(
        ["docker", "ps", "-a", "--filter", f"name=fumehood-{task}", "--format", "{{.Names}}"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return listed.stdout.split()


def test_the_picked_attempt_is_the_one_meant(lab: Lab) -> None:
    folder = project(lab, "pick")
    prompt = "head -c 8 /proc/sys/kernel/random/uuid > mine"
    state = lab.task(folder, prompt, "--attempts", "3")
    task = state["id"]
    assert [attempt["status"] for attempt in state["attempts"]] == ["completed"] * 3
    diffs = [lab.run("diff", task, "--attempt", str(number)).stdout for number in (1, 2, 3)]
    assert len(set(diffs)) == 3
    assert lab.run("diff", task).stdout == diffs[0]
    assert lab.run("pick", task, "2").returncode == 0
    assert lab.run("diff", task).stdout == diffs[1]
    assert lab.json("status", task)["picked"] == 2
    then = lab.json("follow-up", task, "--wait", "echo two > follow")
    assert then["turns"][-1]["attempt"] == 2
    lab.run("apply", task)
    applied = (folder / "mine").read_text()
    assert f"+{applied}" in diffs[1]


def test_a_removed_task_takes_its_containers_along(lab: Lab) -> None:
    folder = project(lab, "away")
    task = lab.task(folder, "echo two >> a.txt")["id"]
    assert containers(task), "it is kept for a follow-up"
    assert lab.run("rm", task).returncode == 0
    assert task not in [listed["id"] for listed in lab.json("list")["tasks"]]
    lab.run("cache", "gc")
    assert containers(task), "it can be brought back"
    assert lab.run("rm", "--undo", task).returncode == 0
    assert lab.json("follow-up", task, "--wait", "cat a.txt")["status"] == "ready"
    assert lab.run("rm", "--for-good", task).returncode == 0
    assert containers(task) == []
    refs = subprocess.run(
        ["git", "for-each-ref", f"refs/tasks/{task}"], cwd=next((lab.home / "state/fumehood/results").glob("*.git")),
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert refs.stdout == ""
    refused = lab.run("rm", "--undo", task)
    assert (refused.returncode, "can be brought back" in refused.stderr) == (2, True)


def test_a_task_that_runs_is_not_removed(lab: Lab) -> None:
    folder = project(lab, "busy")
    task = lab.run("exec", "--env", str(folder), "sleep 60").stdout.strip()
    refused = lab.run("rm", task)
    assert refused.returncode == 2
    assert f"fumehood cancel {task}" in refused.stderr
    lab.run("cancel", task)
    lab.run("logs", "-f", task)
    assert lab.run("rm", "--for-good", task).returncode == 0
    assert containers(task) == []
