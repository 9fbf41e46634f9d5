"""Codex works in a container it is not in: whole tasks with the real program and a scripted model (SPEC A1, A2, A4)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.agents.codex_model import scripted, step
from tests.agents.model_server import ModelServer
from tests.docker import traces
from tests.docker.conftest import Lab
from tests.docker.test_control import supervisor_of, wait_for
from tests.docker.test_keeper import watching

pytestmark = [pytest.mark.docker, pytest.mark.slow]

KEY = "sk-Zq7fumehood-test-key-0c1d9e"
PATCH = """*** Begin Patch
*** Add File: made.txt
+made
*** Update File: README
@@
-a project
+a better project
*** End Patch
"""


def project(lab: Lab, name: str, model: ModelServer, more: str = "", files: dict[str, str] | None = None) -> Path:
    """A repository whose agent is codex with this model."""
    text = f"""name = "{name}"
[agent]
use = "codex"
timeout = "100s"
{more}
[agent.options]
model = "gpt-5.5"
base_url = "{model.url}"
key_env = "OPENAI_API_KEY"
"""
    return lab.project(name, text, files)


def run(lab: Lab, folder: Path, key: str = KEY) -> dict[str, Any]:
    return lab.task(folder, "make it better", env={"OPENAI_API_KEY": key})


def start(lab: Lab, folder: Path) -> str:
    return str(lab.json("exec", "--env", str(folder), "go", env={"OPENAI_API_KEY": KEY})["id"])


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def processes(lab: Lab) -> list[str]:
    """The processes of this host that work in the laboratory's home: codex and what it started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            where = (folder / "environ").read_bytes()
        except OSError:
            continue
        if f"CODEX_HOME={lab.home}".encode() in where or ("codex/link.py" in command and str(lab.home) in command):
            found.append(command)
    return found


def of(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == kind]


def test_a_whole_task(codex_lab: Lab) -> None:
    steps = (
        step(think="What is there?", say="First I look.", plan=[("look", "in_progress"), ("improve", "pending")]),
        step(say="Now I run it.", shell=["echo out; echo err >&2; exit 3"]),
        step(shell=["echo one > one.txt; echo first", "echo second"], tokens=(1000, 7)),
        step(patch=PATCH),
        step(say="It is better now."),
    )
    with scripted(*steps, key=KEY) as model:
        state = run(codex_lab, project(codex_lab, "whole", model, files={"AGENTS.md": "Always hum.\n"}))
    assert (state["status"], state["attempts"][0]["answer"]) == ("ready", "It is better now.")
    assert state["attempts"][0]["commands"] == 3
    assert (state["network"]["mode"], state["network"]["proven"]) == ("off", True)

    events = codex_lab.events(state["id"])
    (began,) = of(events, "run.started")
    assert (began["agent"], began["model"], began["where"]) == ("codex", "gpt-5.5", "host")
    assert began["version"].startswith("0.")
    assert of(events, "run.finished")[0]["session"] == began["session"] != ""
    assert of(events, "reasoning")[0]["text"] == "What is there?"
    assert of(events, "plan")[0]["items"] == [["look", "in_progress"], ["improve", "pending"]]
    assert [e["text"] for e in of(events, "message")] == ["First I look.", "Now I run it.", "It is better now."]
    assert [(e["path"], e["kind"]) for e in of(events, "file.changed")] == [("README", "update"), ("made.txt", "add")]
    used = of(events, "usage")[-1]
    assert (used["input"], used["output"], used["scope"]) == (1400, 47, "run")
    assert not of(events, "error") + of(events, "notice")

    # Messages and commands are in the order in which they were.
    told = [(e["type"], e.get("text") or e.get("command")) for e in events]
    assert told.index(("message", "Now I run it.")) < told.index(("command.started", "echo out; echo err >&2; exit 3"))
    first = of(events, "command.started")[0]
    assert first["cwd"] == "/workspace/whole"
    output = [(e["stream"], e["text"]) for e in of(events, "command.output") if e["id"] == first["id"]]
    assert sorted(output) == [("err", "err\n"), ("out", "out\n")]
    ends = {e["id"]: (e["exit_code"], e["status"]) for e in of(events, "command.finished")}
    assert [ends[e["id"]] for e in of(events, "command.started")] == [
        (3, "failed"),
        (0, "completed"),
        (0, "completed"),
    ]

    patch = codex_lab.run("diff", state["id"]).stdout
    assert sorted(line for line in patch.splitlines() if line.startswith("+") and not line.startswith("+++")) == [
        "+a better project",
        "+made",
        "+one",
    ]
    # The instructions of the repository were read, from the container, by codex itself.
    assert "Always hum." in json.dumps(model.requests[0]["input"])
    assert processes(codex_lab) == []


def test_a_follow_up_goes_on_with_the_thread_in_the_container_that_was_left(codex_lab: Lab) -> None:
    steps = (step(shell=["echo one > one.txt"]), step(say="first"), step(shell=["cat one.txt"]), step(say="second"))
    with scripted(*steps, key=KEY) as model:
        state = run(codex_lab, project(codex_lab, "thread", model))
        more = codex_lab.json("follow-up", state["id"], "and now?", "--wait", env={"OPENAI_API_KEY": KEY})
    assert (more["status"], more["attempts"][0]["answer"]) == ("ready", "second")
    events = codex_lab.events(state["id"])
    assert len({e["session"] for e in of(events, "run.started")}) == 1
    assert not of(events, "notice")
    asked = json.dumps(model.requests[-1]["input"])
    assert "make it better" in asked
    assert "and now?" in asked
    assert codex_lab.output(state["id"], "agent") == "one\n"


def test_a_cancelled_turn_can_be_followed_up(codex_lab: Lab) -> None:
    hanging = (step(shell=["echo up"]), step(hangs=True))
    with scripted(*hanging, key=KEY) as model:
        folder = project(codex_lab, "resumed", model)
        task = start(codex_lab, folder)
        wait_for(codex_lab, task, "command.finished")
        codex_lab.run("cancel", task)
        wait_for(codex_lab, task, "task.status", status="cancelled")
        model.steps = (hanging[0], step(say="back again"))
        more = codex_lab.json("follow-up", task, "go on", "--wait", env={"OPENAI_API_KEY": KEY})
    assert (more["status"], more["attempts"][0]["answer"]) == ("ready", "back again")
    began = of(codex_lab.events(task), "run.started")
    assert began[0]["session"] == began[1]["session"] != ""


def test_a_container_that_stands_by_has_codex(codex_lab: Lab) -> None:
    with scripted(step(shell=["echo here"]), step(say="done"), key=KEY) as model:
        folder = project(codex_lab, "standby", model)
        assert run(codex_lab, folder)["status"] == "ready"
        with watching(codex_lab, folder) as watch:
            watch.ready()
            state = run(codex_lab, folder)
    assert (state["status"], state["cache"]["result"]) == ("ready", "standby")
    assert codex_lab.output(state["id"], "agent") == "here\n"


def test_output_is_shown_while_the_command_runs(codex_lab: Lab) -> None:
    line = "echo up; until [ -e /tmp/go ]; do sleep 0.05; done; echo down"
    with scripted(step(shell=[line]), step(say="done"), key=KEY) as model:
        task = start(codex_lab, project(codex_lab, "live", model))
        wait_for(codex_lab, task, "command.output", text="up\n")
        assert not of(codex_lab.events(task), "command.finished")
        (container,) = codex_lab.containers(task)
        subprocess.run(["docker", "exec", container, "touch", "/tmp/go"], check=True)
        wait_for(codex_lab, task, "task.status", status="ready")
    assert codex_lab.output(task, "agent") == "up\ndown\n"


def test_the_key_is_nowhere_in_the_container(codex_lab: Lab) -> None:
    with scripted(step(shell=[traces.container_search(KEY)]), step(say="searched"), key=KEY) as model:
        folder = project(codex_lab, "search", model)
        state = run(codex_lab, folder)
        assert state["status"] == "ready"
    searched, *found = codex_lab.output(state["id"], "agent").splitlines()
    assert int(searched.split()[1]) >= 3
    assert found == []
    # Nor does the host write it down, in the task's folder or elsewhere in the state.
    assert traces.in_folder(KEY, codex_lab.home / "state") == []
    assert model.keys
    assert set(model.keys) == {KEY}


def test_commands_of_a_limited_agent_are_led_to_its_way_out(codex_lab: Lab) -> None:
    more = '[network]\nagent = "limited"\nallow = ["allowed.example"]'
    line = "curl -s -o /dev/null -w '%{http_code}' http://refused.example/; echo; echo $HTTPS_PROXY"
    with scripted(step(shell=[line]), step(say="tried"), key=KEY) as model:
        state = run(codex_lab, project(codex_lab, "limited", model, more))
    status, proxy = codex_lab.output(state["id"], "agent").split()
    assert (status, proxy[:7]) == ("403", "http://")
    denied = of(codex_lab.events(state["id"]), "network.request")
    # The endpoint of the model is not among the hosts: codex speaks to it from outside.
    assert [e["host"] for e in denied] == ["refused.example"]


@pytest.mark.parametrize(("status", "kind"), [(401, "auth"), (400, "model"), (500, "model")])
def test_a_model_that_refuses_ends_the_task(codex_lab: Lab, status: int, kind: str) -> None:
    with scripted(step(shell=["echo kept > kept.txt"]), step(status=status), key=KEY) as model:
        state = run(codex_lab, project(codex_lab, f"refusal-{status}", model))
    assert (state["status"], state["attempts"][0]["status"]) == ("error", "failed")
    events = codex_lab.events(state["id"])
    assert [e["kind"] for e in of(events, "error")] == [kind]
    assert len(of(events, "run.finished")) == 1
    assert "+kept" in codex_lab.run("diff", state["id"]).stdout
    assert processes(codex_lab) == []


def test_the_repository_configures_nothing_of_codex(codex_lab: Lab) -> None:
    # In a folder that is here and in the container.
    marks = {name: f"/tmp/fumehood-{os.urandom(6).hex()}-{name}" for name in ("server", "notify", "hook", "home")}
    settings = f"""notify = ["touch", "{marks["notify"]}"]
[mcp_servers.evil]
command = "touch"
args = ["{marks["server"]}"]
"""
    hook = {"hooks": [{"type": "command", "command": f"touch {marks['hook']}"}]}
    hooks = json.dumps({"hooks": {name: [hook] for name in ("SessionStart", "UserPromptSubmit", "PreToolUse", "Stop")}})
    files = {".codex/config.toml": settings, ".codex/hooks.json": hooks}
    # What an agent could leave for a later one, in the home it has in the container.
    server = f'[mcp_servers.worse]\ncommand = "touch"\nargs = ["{marks["home"]}"]\n'
    more = f'[setup]\nscript = """\nmkdir -p ~/.codex && cat > ~/.codex/config.toml <<\'END\'\n{server}END\n"""'
    look = "ls ~/.codex/config.toml " + " ".join(marks.values())
    with scripted(step(shell=["true"]), step(shell=[look]), step(say="done"), key=KEY) as model:
        state = run(codex_lab, project(codex_lab, "evil", model, more, files))
    assert state["status"] == "ready"
    # Neither on the host nor in the container.
    assert not [mark for mark in marks.values() if Path(mark).exists()]
    found = codex_lab.output(state["id"], "agent")
    assert found.count("No such file") == len(marks)
    assert "/root/.codex/config.toml\n" in found


def test_a_wrong_key_is_said_to_be_wrong(codex_lab: Lab) -> None:
    with scripted(step(say="never"), key=KEY) as model:
        state = run(codex_lab, project(codex_lab, "wrong-key", model), key="sk-wrong-fumehood-key-1234")
    assert "Incorrect API key" in state["error"]["message"]
    text = json.dumps(codex_lab.events(state["id"]))
    assert "[agent] options" in text
    assert "sk-wrong" not in text


def test_cancel_while_the_model_hangs_leaves_nothing(codex_lab: Lab) -> None:
    with scripted(step(hangs=True), key=KEY) as model:
        task = start(codex_lab, project(codex_lab, "hanging", model))
        assert model.asked.wait(60)
        assert processes(codex_lab)
        assert codex_lab.run("cancel", task).returncode == 0
        wait_for(codex_lab, task, "task.status", status="cancelled")
        assert [e["status"] for e in of(codex_lab.events(task), "run.finished")] == ["stopped"]
        until(lambda: not processes(codex_lab) and not codex_lab.containers(task))


def test_cancel_while_a_command_runs_leaves_nothing(codex_lab: Lab) -> None:
    with scripted(step(shell=["trap '' TERM INT; echo up; sleep 1000"]), step(say="never"), key=KEY) as model:
        task = start(codex_lab, project(codex_lab, "busy", model))
        wait_for(codex_lab, task, "command.output", text="up\n")
        assert codex_lab.run("cancel", task).returncode == 0
        wait_for(codex_lab, task, "task.status", status="cancelled")
    assert [e["status"] for e in of(codex_lab.events(task), "command.finished")] == ["killed"]
    until(lambda: not processes(codex_lab) and not codex_lab.containers(task))
    assert len(model.requests) == 1


def test_the_time_limit_ends_codex_and_keeps_what_it_did(codex_lab: Lab) -> None:
    line = "echo kept > kept.txt; echo up; sleep 1000"
    with scripted(step(shell=[line]), step(say="never"), key=KEY) as model:
        folder = project(codex_lab, "late", model)
        text = (folder / "fumehood.toml").read_text().replace('"100s"', '"8s"')
        (folder / "fumehood.toml").write_text(text)
        state = run(codex_lab, folder)
    events = codex_lab.events(state["id"])
    assert [e["status"] for e in of(events, "run.finished")] == ["limit"]
    assert [e["status"] for e in of(events, "command.finished")] == ["timeout"]
    assert "+kept" in codex_lab.run("diff", state["id"]).stdout
    assert processes(codex_lab) == []


def test_a_killed_supervisor_takes_codex_along(codex_lab: Lab) -> None:
    with scripted(step(hangs=True), key=KEY) as model:
        task = start(codex_lab, project(codex_lab, "orphan", model))
        assert model.asked.wait(60)
        os.kill(supervisor_of(codex_lab, task), signal.SIGKILL)
        until(lambda: not processes(codex_lab))
        assert codex_lab.json("status", task)["status"] == "interrupted"
        assert codex_lab.containers(task) == []


def test_an_agent_that_ends_its_own_exec_server_has_failed(codex_lab: Lab) -> None:
    with scripted(step(shell=["pkill -9 -x codex; sleep 1000"]), step(say="all is well"), key=KEY) as model:
        state = run(codex_lab, project(codex_lab, "sawn-off", model))
    assert state["status"] == "error"
    assert [e["kind"] for e in of(codex_lab.events(state["id"]), "error")] == ["container"]
    assert "exit code 137" in state["error"]["message"] or "no way to the container" in state["error"]["message"]
    assert processes(codex_lab) == []


def test_attempts_side_by_side_have_threads_of_their_own(codex_lab: Lab) -> None:
    with scripted(step(shell=["echo mine > mine.txt"]), step(say="done"), key=KEY) as model:
        folder = project(codex_lab, "attempts", model)
        state = codex_lab.task(folder, "go", "--attempts", "2", env={"OPENAI_API_KEY": KEY})
    assert [attempt["status"] for attempt in state["attempts"]] == ["completed", "completed"]
    sessions = {e["session"] for e in of(codex_lab.events(state["id"]), "run.finished")}
    assert len(sessions) == 2


def test_without_a_key_the_user_is_told_what_to_do(codex_lab: Lab) -> None:
    with scripted(step(say="never")) as model:
        folder = project(codex_lab, "no-key", model)
    done = codex_lab.run("exec", "--env", str(folder), "go")
    assert done.returncode == 2
    assert "export OPENAI_API_KEY=" in done.stderr


def test_without_codex_the_user_is_told_what_to_do(codex_lab: Lab, tmp_path: Path) -> None:
    with scripted(step(say="never")) as model:
        folder = project(codex_lab, "no-codex", model)
    done = codex_lab.run(
        "exec", "--env", str(folder), "go", env={"XDG_DATA_HOME": str(tmp_path), "OPENAI_API_KEY": KEY}
    )
    assert done.returncode == 2
    assert "fumehood agent install codex" in done.stderr
