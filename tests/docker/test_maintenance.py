"""The maintenance script runs when what it watches changed, else not; what it did is there for later starts (SPEC C6)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.docker.conftest import Lab, environment

pytestmark = pytest.mark.docker

# Leaves a line for each time it ran; the lock stands for what package managers read.
COUNT = "echo ran with $(cat deps.lock) >> /opt/ran; echo generated > made.txt"
WATCH = "watch = ['*.lock', 'sub/**']"


def project(lab: Lab, name: str, maintenance: str = COUNT, watch: str = WATCH, more: str = "") -> Path:
    text = environment(maintenance=maintenance, command="cat /opt/ran; git status --short", name=name, more=more)
    text = text.replace("[variables]", f"{watch}\n[variables]")
    return lab.project(name, text, {"deps.lock": "one", "tracked": "1"})


def commit(lab: Lab, folder: Path, path: str, content: str) -> None:
    (folder / path).parent.mkdir(exist_ok=True)
    (folder / path).write_text(content)
    lab.git(folder, "add", "-A")
    lab.git(folder, "commit", "-qm", "change")


def maintenance(state: dict[str, Any]) -> tuple[str, str]:
    phase = next(p for p in state["phases"] if p["name"] == "maintenance")
    return phase["status"], phase["reason"]


def test_it_is_skipped_while_nothing_it_watches_changed(lab: Lab) -> None:
    folder = project(lab, "watched")
    first = lab.task(folder)
    assert maintenance(first) == ("done", "it has not run since setup")
    commit(lab, folder, "tracked", "2")
    second = lab.task(folder)
    assert second["cache"]["result"] == "hit"
    status, reason = maintenance(second)
    assert status == "skipped"
    assert reason.startswith("deps.lock: nothing changed since it last ran, ")
    # What it did is there, is no change of the agent, and the tracked files are the task's.
    assert lab.output(second["id"], "agent") == "ran with one\n"
    assert second["attempts"][0]["diff"]["files_changed"] == 0

    commit(lab, folder, "deps.lock", "two")
    commit(lab, folder, "sub/more", "x")
    third = lab.task(folder)
    assert maintenance(third) == ("done", "deps.lock changed, sub/more added")
    assert maintenance(lab.task(folder))[0] == "skipped"


def test_other_branches_keep_what_they_bring_to_themselves(lab: Lab) -> None:
    folder = project(lab, "branches")
    lab.task(folder)
    lab.git(folder, "checkout", "-qb", "topic")
    commit(lab, folder, "deps.lock", "topic")
    lab.git(folder, "checkout", "-q", "main")
    for _ in range(2):
        topic = lab.task(folder, "go", "--branch", "topic")
        assert maintenance(topic) == ("done", "deps.lock changed")
    main = lab.task(folder)
    assert maintenance(main)[0] == "skipped"
    assert "topic" not in lab.output(main["id"], "agent")


def test_without_a_watch_list_it_runs_every_time(lab: Lab) -> None:
    folder = project(lab, "unwatched", watch="")
    assert [maintenance(lab.task(folder)) for _ in range(2)] == [("done", ""), ("done", "")]


def test_a_failure_is_not_kept(lab: Lab) -> None:
    folder = project(lab, "failing", "echo x >> /opt/ran; exit 3", f"{WATCH}\non_failure = 'continue'")
    for _ in range(2):
        state = lab.task(folder)
        assert maintenance(state)[0] == "failed"
        assert lab.output(state["id"], "agent") == "x\n"


def test_refreshed_states_are_bounded_and_go_with_their_snapshot(lab: Lab) -> None:
    folder = project(lab, "bounded")
    for number in range(5):
        commit(lab, folder, "deps.lock", str(number))
        lab.task(folder)

    def kept() -> int:
        listed = lab.json("cache", "show")["snapshots"]
        return sum(1 for s in listed if s["environment"] == "bounded" or s["environment"].startswith("bounded-"))

    assert kept() == 4
    lab.run("cache", "reset", "--env", str(folder))
    assert kept() == 0
