"""The same work for each agent: a bug of a sample project is fixed with the network off, then a follow-up (SPEC A1, A2, T5).

`loop` and an ACP agent of our own always; codex, claude and opencode (as an ACP agent) where their programs are
installed: `make agents` does that.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.agents import conftest
from tests.agents.model_server import Step, serving
from tests.docker.conftest import ROOT, Lab
from tests.docker.traces import container_search, in_folder

pytestmark = [pytest.mark.docker, pytest.mark.timeout(240)]

KEY = "sk-fix-3127-QXZJ-5508"
BOOK = "src/ledger/book.py"
FIX = f"sed -i 's/        if entry.amount > 0:/        if entry.amount:/' {BOOK}"
STEPS = (
    Step(say="I look at the code first.", shell=[f"grep -n 'amount > 0' {BOOK}"]),
    Step(say="The test fails.", shell=["pytest -q; exit 3"]),
    Step(say="I fix it.", shell=[f"{FIX}; pytest -q"]),
    Step(say="I look around.", shell=[container_search(KEY)]),
    Step(say="Refunds count now."),
    Step(say="Follow-up.", shell=["git status --short"]),
    Step(say="One file is changed."),
)
OPENCODE = {
    "model": "own/scripted",
    "small_model": "own/scripted",
    "autoupdate": False,
    "share": "disabled",
    "permission": {"*": "allow"},
    "provider": {
        "own": {
            "npm": "@ai-sdk/openai-compatible",
            "options": {"baseURL": "{env:FUMEHOOD_MODEL_URL}", "apiKey": "{env:MODEL_KEY}"},
            "models": {"scripted": {"name": "scripted", "tool_call": True}},
        }
    },
}


@dataclass(frozen=True)
class Kind:
    """A kind of agent: its `[agent]` section, its tool for commands and what that is given, its program if it has one."""

    name: str
    section: str
    options: str
    tool: str = "bash"
    line: str = "command"
    more: tuple[tuple[str, Any], ...] = ()
    program: str = ""


KINDS = (
    Kind("loop", 'use = "loop"', 'model = "scripted"'),
    Kind("acp", 'use = "acp"\ncommand = ["python3", "/opt/agent.py"]', ""),
    Kind("codex", 'use = "codex"', 'model = "gpt-5.5"', "exec_command", "cmd", program="codex"),
    Kind(
        "claude",
        'use = "claude"',
        'model = "claude-sonnet-4-5"',
        "Bash",
        more=(("description", "do it"),),
        program="claude",
    ),
    Kind(
        "opencode",
        'use = "acp"\ncommand = ["opencode", "acp"]',
        "",
        more=(("description", "do it"),),
        program="opencode",
    ),
)


@pytest.fixture(scope="module")
def project(lab: Lab) -> Path:
    """The sample project in a repository of its own, with what the agents need: one for all, so that setup runs once."""
    folder = lab.home / "ledger"
    shutil.copytree(ROOT / "sample-envs/python-pip", folder)
    shutil.copy(ROOT / "tests/agents/acp_agent.py", folder / "agent.py")
    (folder / "opencode.json").write_text(json.dumps(OPENCODE))
    for step in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "start"]):
        lab.git(folder, *step)
    return folder


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_agent_fixes_a_bug_and_answers_a_follow_up(lab: Lab, project: Path, kind: Kind) -> None:
    if kind.program:
        program = conftest.SHARED / "fumehood/agents" / kind.program
        if not (program / "current").exists():
            pytest.skip(f"{kind.program} is not installed for tests: make agents does that")
        data = lab.home / "data/fumehood/agents"
        data.mkdir(parents=True, exist_ok=True)
        (data / kind.program).symlink_to(program)
    lab.variables["MODEL_KEY"] = KEY
    steps = (
        replace(step, shell=(), calls=[(kind.tool, arguments(kind, line)) for line in step.shell]) for step in STEPS
    )
    with serving(*steps, titles=kind.name in ("opencode", "claude")) as model:
        describe(project, kind, model.url)
        state = lab.task(project, "work on it: refunds are lost")
        assert state["status"] == "ready", (state["error"], lab.events(state["id"])[-12:])
        task = state["id"]
        assert (state["network"]["mode"], state["network"]["proven"]) in (("off", True), ("limited", True))
        follow_up = lab.json("follow-up", task, "--wait", "work on it: what did you change?")
        assert model.headers
        sent = {name: value for headers in model.headers for name, value in headers.items()}
        assert KEY in sent.get("authorization", "") + sent.get("x-api-key", "")
    assert (state["attempts"][0]["answer"], state["attempts"][0]["commands"]) == ("Refunds count now.", 4)
    assert (follow_up["status"], follow_up["attempts"][0]["answer"]) == ("ready", "One file is changed.")
    assert "+        if entry.amount:" in lab.run("diff", task).stdout
    check_journal(lab, task, kind)
    # Neither the container nor what the host keeps has the key; nor has an image, as no agent works in one of those.
    searched = next(line for line in lab.output(task, "agent").splitlines() if line.startswith("searched "))
    assert int(searched.split()[1]) >= 3
    assert KEY not in lab.output(task, "agent")
    assert in_folder(KEY, lab.home / "state") == []


def check_journal(lab: Lab, task: str, kind: Kind) -> None:
    """It is told in the one form of all agents."""
    events = lab.events(task)
    runs = [e for e in events if e["type"] == "run.finished"]
    assert [e["status"] for e in runs] == ["completed", "completed"]
    assert len({e["session"] for e in runs}) == 1
    assert not [e for e in events if e["type"] == "error"]
    commands = [e for e in events if e["type"] == "command.started" and e["phase"] == "agent"]
    assert len(commands) == 5
    assert "amount > 0" in commands[0]["command"]
    codes = {e["id"]: e["exit_code"] for e in events if e["type"] == "command.finished"}
    assert [codes[e["id"]] for e in commands[:3]] == [0, 3, 0]
    printed = lab.output(task, "agent")
    assert "1 failed" in printed
    assert "4 passed" in printed
    said = [e["text"] for e in events if e["type"] == "message"]
    assert "I look at the code first." in said
    used = [e for e in events if e["type"] == "usage"]
    assert used or kind.name in ("acp", "opencode")


def describe(project: Path, kind: Kind, url: str) -> None:
    """The environment: the sample's, with this agent and model."""
    url = url.removesuffix("/v1") if kind.name == "claude" else url
    text = (ROOT / "sample-envs/python-pip/fumehood.toml").read_text().split("[agent]")[0]
    # The program of our own agent is not in the tree that it works on.
    text = text.replace("auto = true", 'auto = true\nscript = "cp agent.py /opt/agent.py"')
    variables = "".join(f'OPENCODE_DISABLE_{name} = "1"\n' for name in ("MODELS_FETCH", "AUTOUPDATE", "LSP_DOWNLOAD"))
    options = f'[agent.options]\n{kind.options}\nbase_url = "{url}"\nkey_env = "MODEL_KEY"\n'
    (project / "fumehood.toml").write_text(f"{text}[variables]\n{variables}[agent]\n{kind.section}\n{options}")


def arguments(kind: Kind, line: str) -> str:
    return json.dumps({kind.line: line, **dict(kind.more)})
