"""Limits driven into: their names are told, and nothing beside the container suffers (SECURITY-CASES R01, R02)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docker.conftest import Lab, environment
from tests.docker.test_control import start, wait_for

pytestmark = pytest.mark.docker

SMALL = '[resources]\nmemory = "128m"\npids = 64\n'
OUT_OF_MEMORY = "out of memory: 1 process killed at the limit of 128 MiB"


@pytest.fixture(scope="module")
def project(lab: Lab) -> Path:
    return lab.project("limits", environment(more=SMALL))


def change(project: Path, **parts: str) -> None:
    (project / "fumehood.toml").write_text(environment(**parts, more=SMALL))


@pytest.mark.parametrize(("command", "code"), [("tail /dev/zero", 137), ("tail /dev/zero || exit 3", 3)])
def test_an_agent_out_of_memory_is_told_so_whatever_its_exit_code(
    lab: Lab, project: Path, command: str, code: int
) -> None:
    change(project, command=command)
    state = lab.task(project)
    assert (state["status"], state["attempts"][0]["exit_code"]) == ("error", code)
    assert OUT_OF_MEMORY in state["error"]["message"]


def test_setup_out_of_memory_is_told_so(lab: Lab, project: Path) -> None:
    change(project, setup="tail /dev/zero; exit 4")
    state = lab.task(project)
    assert (state["error"]["phase"], state["error"]["exit_code"]) == ("setup", 4)
    assert state["error"]["message"] == (
        f"the setup script failed with exit code 4; {OUT_OF_MEMORY}, see [resources] memory"
    )


def test_a_process_killed_from_inside_is_not_called_out_of_memory(lab: Lab, project: Path) -> None:
    change(project, command="kill -9 $$")
    state = lab.task(project)
    assert state["attempts"][0]["exit_code"] == 137
    assert "memory" not in state["error"]["message"]


def test_what_died_for_want_of_memory_is_told_of_an_agent_that_completed(lab: Lab, project: Path) -> None:
    change(project, command="tail /dev/zero; true")
    state = lab.task(project)
    assert state["status"] == "ready"
    assert any(e["type"] == "notice" and OUT_OF_MEMORY in e["text"] for e in lab.events(state["id"]))


def test_a_fork_bomb_ends_at_its_limit_and_other_tasks_go_on(lab: Lab, project: Path) -> None:
    change(project, command="sleep 1000 & :(){ :|:& };:; wait")
    bomb = start(lab, project)
    wait_for(lab, bomb, "command.output")
    change(project, command="echo fine")
    other = lab.task(project)
    assert (other["status"], lab.output(other["id"], "agent")) == ("ready", "fine\n")
    assert lab.json("status", bomb)["status"] == "in_progress"
    assert lab.run("cancel", bomb).returncode == 0
    wait_for(lab, bomb, "task.status", status="cancelled")
    assert lab.containers(bomb) == []


def test_what_a_fork_bomb_left_is_still_collected(lab: Lab, project: Path) -> None:
    # Nothing but builtins after the bomb: bash gives up when it cannot fork, and what the agent ends with is its own.
    # For the same reason the bomb is in a shell of its own.
    refused = """
      cd /sys/fs/cgroup; [ -r pids.events ] || cd pids
      until read -r _ count < pids.events && [ "$count" -gt 0 ]; do read -r -t 0.1 < /dev/zero; done"""
    change(project, command=f"echo kept > made; (:(){{ :|:& }};:); {refused}; true")
    state = lab.task(project)
    assert state["status"] == "ready", state["error"]
    events = lab.events(state["id"])
    assert any(e["type"] == "notice" and "the limit of 64 was reached" in e["text"] for e in events)
    assert "+kept" in lab.run("diff", state["id"]).stdout


def test_what_an_agent_left_running_takes_no_process_from_the_collecting(lab: Lab, project: Path) -> None:
    # As many as leave room for the shell that ends, but not for git and what git starts.
    change(project, command="echo kept > made; for ((n = 0; n < 59; n++)); do sleep 1000 & done; true")
    state = lab.task(project)
    assert state["status"] == "ready", state["error"]
    assert "+kept" in lab.run("diff", state["id"]).stdout


def test_nothing_an_agent_left_running_changes_what_is_collected(lab: Lab, project: Path) -> None:
    change(
        project,
        command="(trap '' HUP TERM; until grep -qsx git /proc/[0-9]*/comm; do :; done; echo late > late) & true",
    )
    state = lab.task(project)
    assert state["status"] == "ready", state["error"]
    assert "late" not in lab.run("diff", state["id"]).stdout
