"""Tasks wait for a place, the oldest first; setup runs once for all that wait for it (SECURITY-CASES P01)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.docker.conftest import Lab
from tests.docker.test_control import wait_for
from tests.docker.test_follow_up import project

pytestmark = pytest.mark.docker


def ask(lab: Lab, folder: Path, prompt: str, places: int) -> str:
    return str(lab.json("exec", "--env", str(folder), prompt, env={"FUMEHOOD_MAX_TASKS": str(places)})["id"])


def ended(lab: Lab, tasks: list[str], seconds: float) -> dict[str, str]:
    deadline = time.monotonic() + seconds
    while True:
        states = {state["id"]: state["status"] for state in lab.json("list")["tasks"] if state["id"] in tasks}
        if all(status not in ("pending", "in_progress") for status in states.values()):
            return states
        assert time.monotonic() < deadline, states
        time.sleep(0.2)


def test_all_get_their_turn_and_one_setup(lab: Lab) -> None:
    folder = project(lab, "queued", "echo x >> /opt/setups")
    tasks = [ask(lab, folder, "wc -l < /opt/setups; sleep 0.5", 2) for _ in range(8)]
    assert set(ended(lab, tasks, 90).values()) == {"ready"}
    journals = {task: lab.events(task) for task in tasks}
    setups = [
        e for events in journals.values() for e in events if e["type"] == "phase.started" and e["phase"] == "setup"
    ]
    assert len(setups) == 1
    assert {lab.output(task, "agent") for task in tasks} == {"1\n"}
    spans = []
    for events in journals.values():
        begun = next(e["ts"] for e in events if e["type"] == "task.status" and e["status"] == "in_progress")
        done = next(e["ts"] for e in reversed(events) if e["type"] == "run.finished")
        spans.append((begun, done))
    # Two of them may begin at the same moment.
    assert all(spans[n][0] <= spans[n + 2][0] for n in range(len(spans) - 2))
    for begun, _ in spans:
        assert sum(first <= begun < last for first, last in spans) <= 2
    waited = [e["text"] for e in journals[tasks[-1]] if e["type"] == "notice" and "waiting for a place" in e["text"]]
    assert "at most 2 at once (FUMEHOOD_MAX_TASKS)" in waited[0]


def test_one_that_waits_can_be_cancelled_and_the_next_goes(lab: Lab) -> None:
    folder = project(lab, "waits", "")
    works = ask(lab, folder, "echo up; sleep 1000", 1)
    wait_for(lab, works, "command.output")
    waits, last = ask(lab, folder, "true", 1), ask(lab, folder, "true", 1)
    wait_for(lab, last, "notice", text="waiting for a place: 1 before it, at most 1 at once (FUMEHOOD_MAX_TASKS)")
    assert lab.run("cancel", waits).returncode == 0
    wait_for(lab, waits, "task.status", status="cancelled")
    assert lab.json("status", last)["status"] == "pending"
    assert lab.run("cancel", works).returncode == 0
    assert ended(lab, [works, waits, last], 60) == {works: "cancelled", waits: "cancelled", last: "ready"}
