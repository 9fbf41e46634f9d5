"""Tasks whose agent is in the container: its model is all it reaches, and the key is put in on the way (SPEC N5, A1)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.docker.https_lab import HttpsLab
from tests.docker.test_control import start, wait_for
from tests.docker.traces import in_folder

pytestmark = pytest.mark.docker

KEY = "sk-claude-5512-QXZJ-9034"
PROGRAM = "@anthropic-ai/claude-code-linux-x64/claude"
# Streams what the real one would; what it asks its model for is in the project's file `asks`.
FAKE = r"""#!/bin/bash
event() { printf '%s\n' "$1"; }
prompt=$(cat)
printf '%s\n' "$@" > /tmp/arguments
event '{"type": "system", "subtype": "init", "session_id": "s-1", "model": "scripted", "claude_code_version": "2.1.197"}'
trap 'echo interrupted > /workspace/*/interrupted; event "{\"type\": \"result\", \"is_error\": true}"; exit 1' INT
post() { curl -sS -o /dev/null -w '%{http_code} ' -X POST -d "$prompt" "$@"; }
told=$(. ./asks 2>&1 | tr -d '"\\' | tr '\n' ' ')
call='{"type": "assistant", "message": {"id": "m", "content": [{"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": "run"}}]}}'
event "$call"
printf '{"type": "user", "message": {"content": [{"type": "tool_result", "tool_use_id": "t", "content": "%s"}]}}\n' "$told"
event '{"type": "result", "is_error": false, "result": "Done.", "session_id": "s-1", "usage": {"input_tokens": 5, "output_tokens": 2}}'
"""


@pytest.fixture
def project(https_lab: HttpsLab) -> Path:
    """A project whose claude is a script; the network of its agent is off."""
    modules = https_lab.home / "data/fumehood/agents/claude/2.1.197/node_modules"
    program = modules / PROGRAM
    if not program.exists():
        program.parent.mkdir(parents=True)
        program.write_text(FAKE)
        program.chmod(0o755)
        (modules.parents[1] / "current").write_text("2.1.197\n")
    folder = https_lab.home / "clauded"
    if not folder.exists():
        https_lab.project("clauded", 'name = "clauded"\n', {"AGENTS.md": "Speak plainly.\n"})
    return folder


def run(lab: HttpsLab, project: Path, asks: str, section: str = "", network: str = "", wait: bool = True) -> Any:
    (project / "asks").write_text(asks)
    lab.git(project, "add", "asks")
    lab.git(project, "commit", "-qm", "asks", "--allow-empty")
    (project / "fumehood.toml").write_text(
        f'name = "clauded"\n{network}\n[agent]\nuse = "claude"\n{section}\n'
        f'[agent.options]\nbase_url = "https://{lab.allowed}"\nmodel = "scripted"\n'
    )
    lab.variables["ANTHROPIC_API_KEY"] = KEY
    return lab.task(project, "say hello") if wait else start(lab, project)


def fields(lab: HttpsLab, path: str, name: str) -> list[str]:
    found = [r for r in lab.seen(lab.allowed) if r["path"] == path]
    return [value for r in found for field, value in r["headers"] if field.lower() == name]


def test_the_model_is_reached_with_the_key_and_nothing_else_is(https_lab: HttpsLab, project: Path) -> None:
    lab = https_lab
    asks = f"""
post -H "x-api-key: $ANTHROPIC_API_KEY" "$ANTHROPIC_BASE_URL/v1/messages?first"
post -H "x-api-key: sk-of-somebody-else" -H "Authorization: Bearer theirs" "$ANTHROPIC_BASE_URL/v1/messages?second"
post "$ANTHROPIC_BASE_URL/v1/messages/count_tokens"
post "$ANTHROPIC_BASE_URL/v1/files" ; curl -s -o /dev/null -w '%{{http_code}} ' "$ANTHROPIC_BASE_URL/v1/messages"
post "http://{lab.allowed}/v1/messages"
post "https://{lab.other}/v1/messages" 2>/dev/null
echo "key $ANTHROPIC_API_KEY" ; cat /tmp/arguments
"""
    state = run(lab, project, asks)
    assert state["status"] == "ready", state["error"]
    assert state["attempts"][0]["answer"] == "Done."
    printed = lab.output(state["id"], "agent")
    assert printed.startswith("200 200 200 403 403 403 000 key fumehood-anthropic-api-key-"), printed
    assert "Speak plainly." in printed
    assert fields(lab, "/v1/messages?first", "x-api-key") == [KEY]
    assert fields(lab, "/v1/messages?second", "x-api-key") == [KEY]
    assert fields(lab, "/v1/messages?second", "authorization") == []
    assert lab.seen(lab.other) == []
    assert in_folder(KEY, lab.home) == []
    events = lab.events(state["id"])
    proven = [(e["mode"], e["ok"]) for e in events if e["type"] == "network.proven"]
    assert proven == [("off", True), ("limited", True)]
    (policy,) = (e for e in events if e["type"] == "network.policy")
    assert [entry for entry, _ in policy["allow"]] == [
        f"POST ={lab.allowed}:443/v1/messages",
        f"POST ={lab.allowed}:443/v1/messages/*",
    ]
    (begun,) = (e for e in events if e["type"] == "run.started")
    assert (begun["version"], begun["model"], begun["session"]) == ("2.1.197", "scripted", "s-1")
    assert begun["where"] == "container"


def test_the_environments_own_policy_holds_beside_the_way_to_the_model(https_lab: HttpsLab, project: Path) -> None:
    lab = https_lab
    asks = f'post "$ANTHROPIC_BASE_URL/v1/messages"; post "$ANTHROPIC_BASE_URL/v1/files"; post -k "https://{lab.other}/beside"'
    network = f'[network]\nagent = "limited"\nallow = ["={lab.other}"]'
    state = run(lab, project, asks, network=network)
    assert lab.output(state["id"], "agent").split() == ["200", "403", "200"]
    beside = [r for r in lab.seen(lab.other) if r["path"] == "/beside"]
    assert [name for r in beside for name, _ in r["headers"] if name.lower() == "x-api-key"] == []


def test_requests_to_the_model_are_limited(https_lab: HttpsLab, project: Path) -> None:
    asks = 'while :; do post "$ANTHROPIC_BASE_URL/v1/messages"; sleep 0.2; done'
    state = run(https_lab, project, asks, section="max_requests = 3")
    (ended,) = (e for e in https_lab.events(state["id"]) if e["type"] == "run.finished")
    assert (ended["status"], "requests are used up" in ended["reason"], ended["session"]) == ("limit", True, "s-1")


def test_a_stopped_one_is_interrupted_first_and_then_ended(https_lab: HttpsLab, project: Path) -> None:
    state = run(https_lab, project, "sleep 1000 & wait", section='timeout = "3s"')
    notices = [e["text"] for e in https_lab.events(state["id"]) if e["type"] == "notice"]
    assert notices[0] == "the agent is stopped: its time limit of 3s, see [agent] timeout"
    assert len(notices) == 1
    task = run(https_lab, project, "trap '' INT; sleep 1000 & wait", section='idle = "3s"', wait=False)
    wait_for(https_lab, task, "run.started")
    (container,) = https_lab.containers(task)[-1:]
    wait_for(https_lab, task, "task.status", status="error")
    listed = subprocess.run(["docker", "top", container], capture_output=True, text=True).stdout
    assert "sleep 1000" not in listed


def test_without_key_or_program_it_does_not_start(https_lab: HttpsLab, project: Path) -> None:
    (project / "fumehood.toml").write_text(
        'name = "clauded"\n[agent]\nuse = "claude"\n[agent.options]\nbase_url = "http://10.0.0.1:8000"\n'
    )
    done = https_lab.run(
        "exec", "--env", str(project), "go", env={"ANTHROPIC_API_KEY": "x", "XDG_DATA_HOME": "/nowhere"}
    )
    assert done.returncode == 2
    for said in ("fumehood agent install claude", "no address that a container is let through to"):
        assert said in done.stderr
    assert json.loads(https_lab.run("list", "--json").stdout)["tasks"] is not None
