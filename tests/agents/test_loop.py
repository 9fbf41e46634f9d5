"""Whole tasks with the `loop` agent: the model on the host, its commands in a container without a network (SPEC A1-A4)."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.agents.model_server import ModelServer, Step, serving
from tests.docker.conftest import Lab
from tests.docker.test_control import start, wait_for
from tests.docker.traces import container_search, in_folder

pytestmark = pytest.mark.docker

KEY = "sk-loop-8830-KVWM-2241"


def environment(model: ModelServer, *, api: str = "chat", section: str = "", options: str = "") -> str:
    return f"""name = "looped"
[agent]
use = "loop"
{section}
[agent.options]
model = "scripted-1"
api = "{api}"
base_url = "{model.url}"
{options}
"""


@pytest.fixture(scope="module")
def repository(lab: Lab) -> Path:
    """One project for all tests: its environment file is outside the snapshot's key, so setup runs once."""
    files = {"AGENTS.md": "Run ./check before you finish.\n", "check": "grep -q fixed broken\n", "broken": "bug\n"}
    return lab.project("looped", 'name = "looped"\n', files)


def run(lab: Lab, project: Path, text: str, prompt: str = "fix it", **more: Any) -> dict[str, Any]:
    (project / "fumehood.toml").write_text(text)
    return lab.task(project, prompt, **more)


def finished(lab: Lab, task: str) -> dict[str, Any]:
    (found,) = (event for event in lab.events(task) if event["type"] == "run.finished")
    return found


@pytest.mark.parametrize("api", ["chat", "responses", "messages"])
def test_a_task_is_done_and_neither_key_nor_address_is_in_the_container(lab: Lab, repository: Path, api: str) -> None:
    search = container_search(KEY)
    steps = (
        Step(think="look first", say="I look.", shell=["cat broken; sh check || echo not yet"]),
        Step(shell=["echo fixed > broken", "sh check && echo checked"]),
        Step(shell=[f"{search}\nenv | grep -c -e 127.0.0.1 -e sk-"]),
        Step(say="It is **fixed**."),
    )
    with serving(*steps) as model:
        text = environment(model, api=api, options='key_env = "LOOP_KEY"')
        state = run(lab, repository, text, env={"LOOP_KEY": KEY})
    assert state["status"] == "ready", state["error"]
    attempt = state["attempts"][0]
    assert (attempt["answer"], attempt["commands"]) == ("It is **fixed**.", 4)
    assert "+fixed" in lab.run("diff", state["id"]).stdout
    task = state["id"]
    events = lab.events(task)
    (begun,) = (e for e in events if e["type"] == "run.started")
    assert (begun["agent"], begun["model"], begun["where"]) == ("loop", "scripted-1", "host")
    assert begun["session"] == finished(lab, task)["session"]
    assert [e["text"] for e in events if e["type"] == "reasoning"] == ["look first"]
    assert [e["text"] for e in events if e["type"] == "message"] == ["I look.", "It is **fixed**."]
    last = [e for e in events if e["type"] == "usage"][-1]
    assert (last["input"], last["output"], last["scope"]) == (400, 40, "run")
    codes = [e["exit_code"] for e in events if e["type"] == "command.finished" and e["status"] != "lost"]
    assert codes == [0, 0, 0, 1]
    assert "bug\nnot yet\n" in lab.output(task, "agent")
    assert "checked\n" in lab.output(task, "agent")

    sent = "x-api-key" if api == "messages" else "authorization"
    assert [h[sent] for h in model.headers] == [KEY if api == "messages" else f"Bearer {KEY}"] * 4
    told = json.dumps(model.requests[0])
    assert "Run ./check before you finish." in told
    assert "fix it" in told
    assert "not yet" in json.dumps(model.requests[1])
    *_, found, count = lab.output(task, "agent").splitlines()
    assert found.startswith("searched ")
    assert count == "0"
    assert in_folder(KEY, lab.home) == []
    session = lab.home / "state/fumehood/tasks" / task / "agent/1/loop" / f"{begun['session']}.json"
    assert session.stat().st_mode & 0o777 == 0o600


def test_a_lost_session_is_made_up_for_by_a_summary(lab: Lab, repository: Path) -> None:
    """Neither its file nor its container is there any more (SPEC T5)."""
    with serving(Step(shell=["echo colour: blue > made"]), Step(say="I chose blue."), Step(say="Still blue.")) as model:
        (repository / "AGENTS.md").write_text("Run `sh check` before you finish.\n")
        lab.git(repository, "commit", "-qam", "say it in code")
        task = run(lab, repository, environment(model), "choose a colour")["id"]
        for session in (lab.home / "state/fumehood/tasks" / task / "agent/1/loop").iterdir():
            session.unlink()
        subprocess.run(["docker", "rm", "-f", *lab.kept(task)], check=True, capture_output=True)
        state = lab.json("follow-up", task, "--wait", "which one?")
        asked = json.dumps(model.requests[-1])
    assert (state["status"], state["attempts"][0]["answer"]) == ("ready", "Still blue.")
    for part in ("choose a colour", "I chose blue.", "+colour: blue", "which one?", "1 files changed, 1 lines added"):
        assert part in asked, part
    events = lab.events(task)
    assert any("with a summary of the earlier turns" in e["text"] for e in events if e["type"] == "notice")
    told = [e for e in events if e["type"] == "instructions"]
    assert [(e["files"], e["commands"]) for e in told] == [([["AGENTS.md", False]], [["lint", "sh check"]])] * 2


@pytest.mark.parametrize(
    ("section", "steps", "reason"),
    [
        ("max_commands = 3", [Step(shell=["date +%N"])], "it ran 3 commands"),
        ("max_repeats = 3", [Step(shell=["echo same"])], "the same command printed the same 3 times in a row"),
        ("max_requests = 4", [Step(shell=["date +%N"])], "its requests are used up"),
        ("max_tokens = 500", [Step(shell=["date +%N"], tokens=(150, 50))], "it used 510 tokens of 500"),
        ('idle = "2s"', [Step(shell=["sleep 1000 & setsid sleep 1000; true"])], "nothing happened for 2s"),
        ('idle = "2s"', [Step(hangs=True)], "nothing happened for 2s"),
        ('timeout = "3s"', [Step(shell=["while sleep 0.2; do echo on; done"])], "its time limit of 3s"),
    ],
    ids=["commands", "repeats", "requests", "tokens", "idle", "model hangs", "time"],
)
def test_each_limit_ends_the_agent_and_keeps_what_it_did(
    lab: Lab, repository: Path, section: str, steps: list[Step], reason: str
) -> None:
    with serving(Step(shell=["echo new > made"]), *steps) as model:
        state = run(lab, repository, environment(model, section=section))
        asked = len(model.requests)
        time.sleep(0.3)
        assert len(model.requests) == asked
    assert state["status"] == "error"
    ended = finished(lab, state["id"])
    assert (ended["status"], reason in ended["reason"]) == ("limit", True), ended
    assert reason in state["error"]["message"]
    assert ended["session"]
    assert "+new" in lab.run("diff", state["id"]).stdout


def test_nothing_of_a_stopped_agent_runs_on(lab: Lab, repository: Path) -> None:
    """What it left in the background, in sessions of its own and without its variables, is gone before the result is."""
    left = "env -i setsid sleep 1001 & setsid nohup sleep 1002 >/dev/null 2>&1 & (sleep 1003 &) ; echo left"
    with serving(Step(shell=[left]), Step(hangs=True)) as model:
        (repository / "fumehood.toml").write_text(environment(model, section='idle = "4s"'))
        task = start(lab, repository)
        wait_for(lab, task, "command.finished")
        (container,) = lab.containers(task)
        assert {f"sleep {n}" for n in (1001, 1002, 1003)} <= programs(container)
        wait_for(lab, task, "run.finished")
        events = lab.events(task)
        wait_for(lab, task, "task.status", status="error")
    steps = [e["text"] for e in events if e["type"] == "notice"]
    assert steps == ["the agent is stopped: nothing happened for 4s, see [agent] idle"]


def test_processes_that_cannot_be_killed_one_by_one_end_with_a_restart(lab: Lab, repository: Path) -> None:
    """Without its capability, not even root may kill what runs as another user."""
    command = "perl -e '$> = 65534; $< = 65534; exec qw(sleep 1004)' & echo left > made; sleep 1"
    with serving(Step(shell=[command]), Step(hangs=True)) as model:
        state = run(lab, repository, environment(model, section='idle = "3s"'))
    steps = [e["text"] for e in lab.events(state["id"]) if e["type"] == "notice"]
    assert steps[-1] == "processes of the agent go on running: its container is restarted"
    assert "+left" in lab.run("diff", state["id"]).stdout


def programs(container: str) -> set[str]:
    """The command lines of the processes in a container."""
    argv = ["docker", "top", container, "-o", "pid,args"]
    lines = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()[1:]
    return {line.split(maxsplit=1)[1] for line in lines}


def test_a_refused_key_is_told_with_what_to_do(lab: Lab, repository: Path) -> None:
    refusal = {"error": {"message": f"Incorrect API key provided: {KEY}", "code": "invalid_api_key"}}
    with serving(Step(status=401, error=refusal)) as model:
        text = environment(model, options='key_env = "LOOP_KEY"')
        state = run(lab, repository, text, env={"LOOP_KEY": KEY})
    (error,) = (e for e in lab.events(state["id"]) if e["type"] == "error")
    assert error["kind"] == "auth"
    assert "key_env" in error["hint"]
    assert "HTTP 401: Incorrect API key provided: ***" in error["text"]
    assert (state["status"], state["attempts"][0]["status"]) == ("error", "failed")
    assert in_folder(KEY, lab.home) == []


def test_a_model_that_fails_is_asked_again_and_then_given_up(lab: Lab, repository: Path) -> None:
    with serving(Step(status=500), Step(cut=True, say="half of it"), Step(say="There.")) as model:
        state = run(lab, repository, environment(model, options="retries = 2"))
        assert len(model.requests) == 3
    assert (state["status"], state["attempts"][0]["answer"]) == ("ready", "There.")
    notices = [e["text"] for e in lab.events(state["id"]) if e["type"] == "notice"]
    assert [("HTTP 500" in n, "cut off" in n) for n in notices] == [(True, False), (False, True)]
    with serving(Step(status=503)) as model:
        state = run(lab, repository, environment(model, options="retries = 1"))
        assert len(model.requests) == 2
    assert "HTTP 503" in state["error"]["message"]
    (error,) = (e for e in lab.events(state["id"]) if e["type"] == "error")
    assert error["kind"] == "model"


def test_cancel_ends_a_task_whose_model_hangs(lab: Lab, repository: Path) -> None:
    with serving(Step(hangs=True)) as model:
        (repository / "fumehood.toml").write_text(environment(model))
        task = start(lab, repository)
        assert model.asked.wait(60)
        began = time.monotonic()
        assert lab.run("cancel", task).returncode == 0
        wait_for(lab, task, "task.status", status="cancelled")
        # SPEC T7: the grace time and two seconds, and two calls of the command line.
        assert time.monotonic() - began < 6 + 2
    assert lab.containers(task) == []


def test_a_hostile_model_reaches_nothing_but_its_container(lab: Lab, repository: Path) -> None:
    calls = [
        ("bash", "{"),
        ("bash", '{"command": 5}'),
        ("bash", '["ls"]'),
        ("bash", '{"command": "a\\u0000b"}'),
        ("bash", '{"command": "echo \\ud800 \\u001b]0;title\\u0007"}'),
        ("read_file", '{"path": "/etc/passwd"}'),
        ("", "\x1b[31m"),
    ]
    steps = (Step(say="\x1b]52;c;cHduZWQ=\x07[@click=app.quit]x[/]", calls=calls), Step(say="done \x1b[2J"))
    with serving(*steps) as model:
        state = run(lab, repository, environment(model))
        results = [m["content"] for m in model.requests[1]["messages"] if m["role"] == "tool"]
    assert (state["status"], state["attempts"][0]["commands"]) == ("ready", 1)
    assert [r.startswith("error: ") for r in results] == [True, True, True, True, False, True, True]
    shown = lab.run("logs", state["id"]).stdout
    assert "\x1b]52" not in shown
    assert "\x1b[2J" not in shown


def test_what_is_missing_is_said_before_anything_starts(lab: Lab, repository: Path) -> None:
    text = 'name = "looped"\n[agent]\nuse = "loop"\n[agent.options]\nmodle = "x"\n'
    (repository / "fumehood.toml").write_text(text)
    done = lab.run("exec", "--env", str(repository), "go", env={"OPENAI_API_KEY": ""})
    assert done.returncode == 2
    for said in ("option modle is unknown", "no model is named", "export OPENAI_API_KEY=…"):
        assert said in done.stderr
