"""Two who do the same thing at the same moment: one effect, the other is told (SECURITY-CASES C06, C09, P03 to P06)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docker.conftest import Lab, environment
from tests.docker.test_control import start, wait_for
from tests.docker.test_follow_up import project

pytestmark = pytest.mark.docker


def at_once(lab: Lab, *commands: list[str]) -> list[tuple[int, str]]:
    """Exit code and standard error of each command, all begun together."""
    running = [
        subprocess.Popen(
            [*lab.program, *words], env=lab.variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for words in commands
    ]
    return [(process.returncode, told) for process in running if (told := process.communicate(timeout=120)[1]) or True]


def statuses(lab: Lab, task: str) -> list[str]:
    return [event["status"] for event in lab.events(task) if event["type"] == "task.status"]


def test_a_task_that_two_stop_and_two_remove(lab: Lab) -> None:
    task = start(lab, lab.project("twice", environment(command="echo up; sleep 1000")))
    wait_for(lab, task, "command.output")
    stopped = at_once(lab, ["cancel", task], ["cancel", task], ["cancel", task])
    assert all(code == 0 or (code == 2 and "ended already" in told) for code, told in stopped), stopped
    wait_for(lab, task, "task.status", status="cancelled")
    assert statuses(lab, task).count("cancelled") == 1
    removed = at_once(lab, *[["rm", task]] * 3)
    assert sorted(code for code, _ in removed) == [0, 2, 2], removed
    assert [told for code, told in removed if code and f"there is no task '{task}'" not in told] == []
    # Not even a folder is left.
    assert list((lab.home / "state/fumehood/tasks").glob(task)) == []


def test_of_two_follow_ups_at_once_one_is_done_and_the_other_told(lab: Lab) -> None:
    folder = project(lab, "follow")
    task = lab.task(folder, "echo one > made")["id"]
    asked = at_once(lab, *[["follow-up", task, f"echo {n} >> made; sleep 1"] for n in (1, 2, 3)])
    assert sorted(code for code, _ in asked) == [0, 2, 2], asked
    assert [told for code, told in asked if code and "still works" not in told] == []
    wait_for(lab, task, "task.status", status="ready")
    lab.run("logs", "-f", task)
    (done,) = [number for number, (code, _) in enumerate(asked, 1) if not code]
    state = lab.json("status", task)
    assert (state["status"], statuses(lab, task)) == ("ready", ["pending", "in_progress", "ready"] * 2)
    assert lab.run("diff", task).stdout.splitlines()[-2:] == ["+one", f"+{done}"]
    sequence = [event["seq"] for event in lab.events(task)]
    assert sequence == list(range(1, len(sequence) + 1))


def test_a_dead_task_that_many_look_at_ends_once(lab: Lab) -> None:
    from tests.docker.test_recovery import in_agent, kill_supervisor

    task = in_agent(lab, "looked-at")
    kill_supervisor(lab, task)
    assert [code for code, _ in at_once(lab, *[["list"]] * 4)] == [0] * 4
    assert statuses(lab, task) == ["pending", "in_progress", "interrupted"]


def test_supervisors_started_twice_run_a_task_once(lab: Lab) -> None:
    folder = lab.project("double", environment(command="echo ran"))
    task = lab.json("exec", "--env", str(folder), "go")["id"]
    again = [sys.executable, "-m", "engine.tasks", str(lab.home / "state/fumehood/tasks" / task)]
    at_the_same_time = [subprocess.Popen(again, env=lab.variables) for _ in range(3)]
    assert [process.wait(timeout=60) for process in at_the_same_time] == [0] * 3
    wait_for(lab, task, "task.status", status="ready")
    # One that comes late finds that there is nothing to do.
    assert subprocess.run(again, env=lab.variables, check=True, timeout=60).returncode == 0
    assert statuses(lab, task) == ["pending", "in_progress", "ready"]
    assert lab.output(task, "agent") == "ran\n"


def test_an_environment_changed_and_deleted_while_its_tasks_run(lab: Lab) -> None:
    def text(word: str) -> str:
        return environment(f"echo up; sleep 2; echo {word} > /opt/word", command="cat /opt/word; sleep 1", name="edit")

    folder = lab.project("edit", text("old"))
    file = folder / "fumehood.toml"
    first = start(lab, folder)
    wait_for(lab, first, "command.output")
    file.write_text(text("new"))
    second = lab.task(folder)
    assert (second["cache"]["result"], lab.output(second["id"], "agent")) == ("miss", "new\n")
    lab.run("logs", "-f", first)
    # What the first made is stored under the key of what it was made by.
    assert (lab.json("status", first)["status"], lab.output(first, "agent")) == ("ready", "old\n")
    third = start(lab, folder)
    wait_for(lab, third, "command.output")
    file.unlink()
    lab.run("logs", "-f", third)
    assert lab.json("status", third)["status"] == "ready"
    assert lab.containers(third) == []
    refused = lab.run("follow-up", third, "more")
    assert (refused.returncode, str(file) in refused.stderr, "Traceback" in refused.stderr) == (2, True, False)
    assert {state["id"] for state in lab.json("list")["tasks"]} >= {first, second["id"], third}


def test_snapshots_removed_by_hand_are_made_again(lab: Lab) -> None:
    folder = lab.project("by-hand", environment("echo made > /opt/made", command="cat /opt/made", name="by-hand"))
    for _ in range(2):
        state = lab.task(folder)
        assert (state["status"], state["cache"]["result"]) == ("ready", "miss"), json.dumps(state)
        assert lab.output(state["id"], "agent") == "made\n"
        image = next(s["image"] for s in lab.json("cache", "show")["snapshots"] if s["environment"] == "by-hand")
        kept = lab.kept(state["id"])
        subprocess.run(["docker", "rm", "-f", *kept], check=True, capture_output=True)
        subprocess.run(["docker", "rmi", "-f", image], check=True, capture_output=True)


def test_a_branch_that_goes_while_its_task_waits(lab: Lab, tmp_path: Path) -> None:
    folder = lab.project("branches", environment(command="git log -1 --format=%s; sleep 2", name="branches"))
    lab.git(folder, "branch", "feature")
    one = {"FUMEHOOD_MAX_TASKS": "1"}
    first = lab.json("exec", "--env", str(folder), "go", env=one)["id"]
    wait_for(lab, first, "command.output")
    waits = lab.json("exec", "--env", str(folder), "--branch", "feature", "go", env=one)["id"]
    lab.git(folder, "branch", "-D", "feature")
    lab.run("logs", "-f", waits)
    state = lab.json("status", waits)
    assert state["status"] == "error"
    assert "has no branch or tag 'feature'" in state["error"]["message"]
