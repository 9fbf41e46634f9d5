"""Another prompt to a task that has ended: in the container it left, or in a new one with its files (SPEC T5)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.docker.conftest import Lab, environment

pytestmark = pytest.mark.docker

# The prompt is a shell line.
AGENT = '[agent]\nuse = "command"\n'


def project(lab: Lab, name: str, setup: str = "echo installed > /opt/tool", more: str = "") -> Path:
    text = environment(setup, name=name).split("[agent]")[0]
    return lab.project(name, f"{text}{AGENT}{more}", {"a.txt": "one\n", "b.txt": "old\n"})


def follow_up(lab: Lab, task: str, prompt: str, *options: str) -> dict[str, Any]:
    state: dict[str, Any] = lab.json("follow-up", task, "--wait", *options, prompt)
    return state


def reason(state: dict[str, Any], phase: str) -> str:
    return str([p["reason"] for p in state["phases"] if p["name"] == phase][-1])


def last_output(lab: Lab, task: str) -> str:
    events = lab.events(task)
    last = [e["id"] for e in events if e["type"] == "command.started" and e["phase"] == "agent"][-1]
    return "".join(e["text"] for e in events if e["type"] == "command.output" and e["id"] == last)


FIRST = (
    "echo two >> a.txt; rm b.txt; echo new > c.txt; echo kept > /root/outside; git commit -qam first; echo x >> a.txt"
)


def test_it_goes_on_in_the_container_that_was_left(lab: Lab) -> None:
    folder = project(lab, "same")
    first = lab.task(folder, FIRST)
    assert first["status"] == "ready"
    lab.git(folder, "commit", "-q", "--allow-empty", "-m", "the branch moves on")
    state = follow_up(lab, first["id"], "cat /root/outside /opt/tool a.txt; echo more > d.txt")
    assert (state["status"], state["base_sha"]) == ("ready", first["base_sha"])
    assert reason(state, "resume") == "in the container of the turn before"
    assert last_output(lab, first["id"]) == "kept\ninstalled\none\ntwo\nx\n"
    assert state["network"]["proven"] is True
    turns = [(t["number"], t["attempt"], t["status"], t["diff"]["files_changed"]) for t in state["turns"]]
    assert turns == [(1, 1, "completed", 3), (2, 1, "completed", 4)]
    only = lab.run("diff", first["id"], "--turn", "2").stdout
    assert "d.txt" in only
    assert "a.txt" not in only
    assert "it has: 1, 2" in lab.run("diff", first["id"], "--turn", "3").stderr
    # The diff is that of the whole task, and applies.
    assert lab.run("apply", first["id"]).returncode == 0
    assert {p.name for p in folder.glob("?.txt")} == {"a.txt", "c.txt", "d.txt"}


def test_a_container_that_is_gone_is_replaced_with_its_files(lab: Lab) -> None:
    folder = project(lab, "gone")
    first = lab.task(folder, FIRST)
    subprocess.run(["docker", "rm", "-f", *lab.kept(first["id"])], check=True, capture_output=True)
    state = follow_up(
        lab, first["id"], "exec 2>&1; cat a.txt c.txt; ls b.txt /root/outside; git log --format=%s; git status --short"
    )
    assert last_output(lab, first["id"]).splitlines() == [
        "one", "two", "x", "new",
        "ls: cannot access 'b.txt': No such file or directory",
        "ls: cannot access '/root/outside': No such file or directory",
        "first", "start", " M a.txt", "?? c.txt",
    ]  # fmt: skip
    assert state["attempts"][0]["diff"]["files_changed"] == 3
    # Nothing of the agent became part of the snapshot.
    assert lab.output(lab.task(folder, "ls")["id"], "agent") == "README\na.txt\nb.txt\nfumehood.toml\n"


def test_a_reset_gives_up_the_container_that_is_only_kept(lab: Lab) -> None:
    folder = project(lab, "reset")
    first = lab.task(folder, "echo two >> a.txt")
    assert "1 snapshot removed" in lab.run("cache", "reset", "--env", str(folder)).stdout
    assert lab.kept(first["id"]) == []
    state = follow_up(lab, first["id"], "cat a.txt")
    assert (state["status"], state["cache"]["result"]) == ("ready", "miss")
    assert last_output(lab, first["id"]) == "one\ntwo\n"


def test_a_failed_turn_can_be_followed_up_and_one_attempt_of_several(lab: Lab) -> None:
    folder = project(lab, "several")
    failed = lab.task(folder, "echo half > c.txt; false", "--attempts", "2")
    assert failed["status"] == "error"
    state = follow_up(lab, failed["id"], "cat c.txt; echo done > e.txt", "--attempt", "2")
    assert state["status"] == "ready"
    assert [a["diff"]["files_changed"] for a in state["attempts"]] == [1, 2]
    assert last_output(lab, failed["id"]) == "half\n"


def test_what_cannot_be_followed_up_says_why(lab: Lab) -> None:
    folder = project(lab, "refused")
    task = lab.json("exec", "--env", str(folder), "sleep 30")["id"]
    assert "still works" in lab.run("follow-up", task, "more").stderr
    lab.run("cancel", task)
    lab.run("logs", "-f", task)
    assert "no attempt 3" in lab.run("follow-up", task, "--attempt", "3", "more").stderr
    assert "prompt is empty" in lab.run("follow-up", task, " ").stderr
    assert follow_up(lab, task, "echo again")["status"] == "ready"


def test_the_replay_agent_goes_on_where_it_was(lab: Lab) -> None:
    plan = [{"shell": "echo first"}, {"final": "one"}, {"shell": "echo second"}, {"final": "two"}]
    text = environment(name="replay").split("[agent]")[0] + '[agent]\nuse = "replay"\nplan = "plan.json"\n'
    folder = lab.project("replay", text, {"plan.json": json.dumps({"steps": plan})})
    first = lab.task(folder)
    assert first["attempts"][0]["answer"] == "one"
    second = follow_up(lab, first["id"], "go on")
    assert second["attempts"][0]["answer"] == "two"
    assert last_output(lab, first["id"]) == "second\n"


def test_what_an_agent_writes_does_not_widen_the_policy_of_the_next_turn(lab: Lab) -> None:
    more = '[network]\nagent = "limited"\nallow = ["preset:registries"]\n'
    folder = project(lab, "widen", more=more)
    write = "sed -i 's#//[^/ ]*#//chosen.example#g' /opt/fumehood/registries; grep -c chosen /opt/fumehood/registries"
    first = lab.task(folder, write)
    assert int(lab.output(first["id"], "agent")) > 0
    assert follow_up(lab, first["id"], "true")["status"] == "ready"
    policies = [event["allow"] for event in lab.events(first["id"]) if event["type"] == "network.policy"]
    assert len(policies) == 2
    assert policies[0] == policies[1]
    assert "chosen.example" not in str(policies)


def test_registries_nobody_noted_are_not_guessed(lab: Lab) -> None:
    folder = project(lab, "later")
    first = lab.task(folder, "true")
    path = folder / "fumehood.toml"
    path.write_text(path.read_text() + '[network]\nagent = "limited"\nallow = ["preset:registries"]\n')
    assert lab.run("env", "trust", str(folder)).returncode == 0
    state = follow_up(lab, first["id"], "true")
    assert state["status"] == "error"
    assert "its network was off when it began" in state["error"]["message"]
