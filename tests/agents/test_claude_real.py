"""The real claude in a container whose network is off, with a model that follows a script (SPEC A1, N5)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.agents.model_server import Step, stream
from tests.docker.https_lab import HttpsLab
from tests.docker.traces import in_folder

pytestmark = [pytest.mark.docker, pytest.mark.slow]

KEY = "sk-claude-7730-KVWM-1188"


def script(lab: HttpsLab, *steps: Step) -> None:
    lab.script_model(*(stream("/v1/messages", number, step) for number, step in enumerate(steps)))


def call(name: str, arguments: str) -> Step:
    return Step(say="I go on.", calls=[(name, arguments)])


def test_a_task_of_the_real_claude_with_a_follow_up(https_lab: HttpsLab, claude_program: Path) -> None:
    lab = https_lab
    data = lab.home / "data/fumehood/agents"
    data.mkdir(parents=True)
    (data / "claude").symlink_to(claude_program)
    options = f'base_url = "https://{lab.allowed}"\nmodel = "claude-sonnet-4-5"'
    text = f'name = "real"\n[agent]\nuse = "claude"\n[agent.options]\n{options}\n'
    look = "cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n' | grep -a 'sk-claude'\n"
    project = lab.project("real", text, {"AGENTS.md": "Speak plainly, says the project.\n", "look.sh": look})
    lab.variables["ANTHROPIC_API_KEY"] = KEY
    script(
        lab,
        call("Bash", '{"command": "echo found; exit 3", "description": "look"}'),
        call("Bash", '{"command": "bash look.sh"}'),
        call("Write", '{"file_path": "/workspace/real/made", "content": "made by claude\\n"}'),
        Step(say="I made it."),
        Step(say="Once more."),
    )
    state = lab.task(project, "make it")
    assert state["status"] == "ready", (state["error"], lab.events(state["id"])[-20:])
    task = state["id"]
    assert state["attempts"][0]["answer"] == "I made it."
    assert "+made by claude" in lab.run("diff", task).stdout
    events = lab.events(task)
    finished = [e["exit_code"] for e in events if e["type"] == "command.finished" and e["status"] != "lost"]
    assert finished == [3, 1]
    assert lab.output(task, "agent").split() == ["found"]
    assert [e["path"] for e in events if e["type"] == "file.changed"] == ["made"]
    (begun,) = (e for e in events if e["type"] == "run.started")
    assert begun["version"].startswith("2.")
    assert begun["session"]
    asked = [r for r in lab.seen(lab.allowed) if r["path"].startswith("/v1/messages")]
    keys = [value for r in asked for name, value in r["headers"] if name.lower() == "x-api-key"]
    assert keys == [KEY] * len(asked) != []
    denied = {(e["host"], e["path"]) for e in events if e["type"] == "network.request" and e["decision"] == "denied"}
    assert all(host != lab.other for host, _ in denied)
    assert in_folder(KEY, lab.home) == []

    again = lab.run("follow-up", task, "--wait", "again")
    assert again.returncode == 0, again.stderr
    assert lab.json("status", task)["attempts"][0]["answer"] == "Once more."
    sessions = {e["session"] for e in lab.events(task) if e["type"] == "run.finished"}
    assert len(sessions) == 1

    # In another container it remembers nothing, and is told.
    subprocess.run(["docker", "rm", "-f", *lab.kept(task)], check=True, capture_output=True)
    script(lab, Step(say="Told again."))
    assert lab.run("follow-up", task, "--wait", "and now?").returncode == 0
    events = lab.events(task)
    assert any("with a summary of the earlier turns" in e["text"] for e in events if e["type"] == "notice")
    assert len({e["session"] for e in events if e["type"] == "run.finished"}) == 2
