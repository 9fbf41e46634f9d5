"""Tasks with an agent that speaks the Agent Client Protocol in the container (SPEC A1, A4)."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.agents.model_server import Step, serving
from tests.docker.conftest import ROOT, Lab
from tests.docker.test_control import wait_for
from tests.docker.traces import in_folder

pytestmark = pytest.mark.docker

KEY = "sk-acp-4471-QXZJ-7120"
TEXT = 'name = "acped"\n[agent]\nuse = "acp"\ncommand = ["python3", "agent.py"]\n'


@pytest.fixture(scope="module")
def project(lab: Lab) -> Path:
    agent = (ROOT / "tests/agents/acp_agent.py").read_text()
    return lab.project("acped", TEXT, {"agent.py": agent, "AGENTS.md": "Speak plainly.\n"})


def run(lab: Lab, project: Path, prompt: str, section: str = "") -> tuple[dict[str, Any], list[dict[str, Any]]]:
    (project / "fumehood.toml").write_text(TEXT + section)
    state = lab.task(project, prompt)
    return state, lab.events(state["id"])


def test_a_turn_is_told_as_that_of_every_agent_and_can_be_followed_up(lab: Lab, project: Path) -> None:
    state, events = run(lab, project, "echo it")
    assert state["status"] == "ready", state["error"]
    attempt = state["attempts"][0]
    assert attempt["answer"].startswith("Done with: echo it")
    assert "Speak plainly." in attempt["answer"]
    assert "+made" in lab.run("diff", state["id"]).stdout
    (begun,) = (e for e in events if e["type"] == "run.started")
    assert (begun["version"], begun["session"], begun["where"]) == ("9", "s-new", "container")
    assert [e["text"] for e in events if e["type"] == "reasoning"] == ["I think."]
    assert next(e["text"] for e in events if e["type"] == "message") == "I begin."
    ended = [(e["exit_code"], e["status"]) for e in events if e["type"] == "command.finished" and e["status"] != "lost"]
    assert ended == [(3, "failed"), (0, "completed")]
    assert [(e["path"], e["kind"]) for e in events if e["type"] == "file.changed"] == [("made", "update")]
    assert [e["ok"] for e in events if e["type"] == "tool.finished"] == [True]
    assert lab.run("follow-up", state["id"], "--wait", "echo more").returncode == 0
    answers = [e["text"] for e in lab.events(state["id"]) if e["type"] == "message"]
    assert answers[-1] == "Done with: echo more"
    assert "an old message" not in answers


def test_one_that_dies_is_told_with_its_last_words(lab: Lab, project: Path) -> None:
    state, events = run(lab, project, "die")
    assert state["status"] == "error"
    (error,) = (e for e in events if e["type"] == "error")
    assert error["text"] == "the agent has ended (exit code 7): no JSON at all"


def test_a_program_that_is_not_there_is_told(lab: Lab, project: Path) -> None:
    (project / "fumehood.toml").write_text(TEXT.replace('["python3", "agent.py"]', '["no-such-agent"]'))
    state = lab.task(project, "go")
    assert "exit code 127" in state["error"]["message"]


def test_one_that_takes_cancel_is_cancelled(lab: Lab, project: Path) -> None:
    _, events = run(lab, project, "sleep", 'idle = "3s"\n')
    assert [e["text"] for e in events if e["type"] == "notice"] == [
        "the agent is stopped: nothing happened for 3s, see [agent] idle"
    ]
    assert [(e["status"], e["session"]) for e in events if e["type"] == "run.finished"] == [("limit", "s-new")]


def test_one_that_does_not_is_ended_with_all_it_started(lab: Lab, project: Path) -> None:
    (project / "fumehood.toml").write_text(TEXT + 'timeout = "3s"\n')
    task = str(lab.json("exec", "--env", str(project), "sleep stubborn")["id"])
    wait_for(lab, task, "run.started")
    (container,) = lab.containers(task)
    wait_for(lab, task, "run.finished")
    listed = subprocess.run(["docker", "top", container], capture_output=True, text=True).stdout
    assert "sleep 1000" not in listed
    assert "agent.py" not in listed
    wait_for(lab, task, "task.status", status="error")


def test_a_model_on_this_machine_is_all_of_it_that_is_reached(lab: Lab, project: Path) -> None:
    """Through the gateway, which answers one request too many with 429, and then the agent is stopped (SPEC N5, A4)."""
    with serving(Step(say="Hello.")) as model:
        port = model.url.rpartition(":")[2].partition("/")[0]
        options = f'[agent.options]\nbase_url = "{model.url}"\nkey_env = "LOCAL_KEY"\n'
        (project / "fumehood.toml").write_text(f"{TEXT}max_requests = 2\n{options}")
        ask = "curl -s -o /dev/null -w '%{http_code} ' -X POST -H \"Authorization: Bearer $LOCAL_KEY\" -d '{}'"
        lines = [
            f'{ask} "$FUMEHOOD_MODEL_URL/chat/completions"',
            f'{ask} "${{FUMEHOOD_MODEL_URL%/v1}}/other"',
            f"{ask} http://127.0.0.1:{port}/v1/chat/completions",
            f'{ask} -x "$HTTP_PROXY" --noproxy "" http://127.0.0.1:{port}/v1/chat/completions',
            f'{ask} "$FUMEHOOD_MODEL_URL/chat/completions"',
            'echo "$LOCAL_KEY $FUMEHOOD_MODEL_URL"',
            f'{ask} "$FUMEHOOD_MODEL_URL/chat/completions"; sleep 20',
        ]
        task = lab.task(project, f"run {'; '.join(lines)}", env={"LOCAL_KEY": KEY})
        assert len(model.requests) == 2
        assert {h["authorization"] for h in model.headers} == {f"Bearer {KEY}"}
        assert {h["host"] for h in model.headers} == {f"127.0.0.1:{port}"}
    events = lab.events(task["id"])
    (ended,) = (e for e in events if e["type"] == "run.finished")
    assert (ended["status"], "requests are used up" in ended["reason"]) == ("limit", True), ended
    asked = [(e["decision"], e["host"]) for e in events if e["type"] == "network.request"]
    assert asked.count(("allowed", "model.fumehood.internal")) == 2
    assert asked.count(("denied", "127.0.0.1")) == 1
    assert "requests to the model are used up" in str([e["reason"] for e in events if e["type"] == "network.request"])
    assert in_folder(KEY, lab.home) == []


def test_what_is_missing_is_said_before_anything_starts(lab: Lab, project: Path) -> None:
    text = TEXT.replace("command", "#") + '[agent.options]\nbase_url = "https://api.example.com/v1"\n'
    (project / "fumehood.toml").write_text(text)
    done = lab.run("exec", "--env", str(project), "go")
    assert done.returncode == 2
    for said in ("[agent] command", "needs a key"):
        assert said in done.stderr
