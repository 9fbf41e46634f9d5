"""What can go wrong with an agent, for each kind of agent that runs here: one end, with its reason, and nothing left.

Always: `loop` on the host, `acp` in the container. With their programs (`make test-slow` installs and tries them): the real codex
and the real claude.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.agents import conftest, model_server
from tests.agents.test_codex import processes, until
from tests.docker.conftest import ROOT, Lab
from tests.docker.test_control import supervisor_of, wait_for

pytestmark = pytest.mark.docker

KEY = "sk-faults-2290-QXZJ-6613"
SECONDS = 25
LIMITS = f'timeout = "{SECONDS}s"\nidle = "4s"\nmax_repeats = 4\n'


@dataclass(frozen=True)
class Kind:
    """A kind of agent: its section in the environment, its model, and the word that finds its process."""

    name: str
    options: str
    process: str
    in_container: bool
    section: str = ""
    more: str = ""
    files: tuple[tuple[str, str], ...] = ()


AGENT = (ROOT / "tests/agents/acp_agent.py").read_text()
KINDS = {
    "loop": Kind("loop", 'model = "scripted"\nbase_url = "{url}"\nkey_env = "MODEL_KEY"\nretries = 1\n', "", False),
    "acp": Kind(
        "acp",
        'base_url = "{url}"\nkey_env = "MODEL_KEY"\n',
        "agent.py",
        True,
        'command = ["python3", "agent.py"]\n',
        files=(("agent.py", AGENT),),
    ),
    "codex": Kind("codex", 'model = "gpt-5.5"\nbase_url = "{url}"\nkey_env = "MODEL_KEY"\n', "codex app-server", False),
    "claude": Kind(
        "claude",
        'model = "claude-sonnet-4-5"\nbase_url = "{url}"\nkey_env = "MODEL_KEY"\n',
        "/run/fumehood/claude/claude",
        True,
        more='[variables]\nCLAUDE_CODE_MAX_RETRIES = "1"\n',
    ),
}
# The real programs are slow to get; the others are always there.
MATRIX = [
    *("loop", "acp"),
    *(pytest.param(name, marks=[pytest.mark.slow, pytest.mark.timeout(240)]) for name in ("codex", "claude")),
]


@pytest.fixture(scope="module", params=MATRIX)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture(scope="module")
def place(kind: Kind, lab: Lab) -> tuple[Kind, Lab, Path]:
    """A laboratory whose user has the agent's program and key, with a project for it."""
    lab.variables["MODEL_KEY"] = KEY
    folder = conftest.SHARED / "fumehood/agents" / kind.name
    if kind.name in ("codex", "claude"):
        if not (folder / "current").exists():
            pytest.skip(f"{kind.name} is not installed for tests: make agents does that")
        data = lab.home / "data/fumehood/agents"
        data.mkdir(parents=True, exist_ok=True)
        (data / kind.name).symlink_to(folder)
    return kind, lab, lab.project(kind.name, f'name = "{kind.name}"\n', dict(kind.files))


def serve(kind: Kind, *steps: model_server.Step) -> AbstractContextManager[Any]:
    """A scripted model that this kind of agent understands."""
    return model_server.serving(*(replace(step, shell=(), calls=[*called(kind, step)]) for step in steps))


def called(kind: Kind, step: model_server.Step) -> Iterator[tuple[str, str]]:
    """The calls of the tool that runs commands, as this kind of agent names it."""
    for line in step.shell:
        if kind.name == "codex":
            yield "exec_command", json.dumps({"cmd": line, "yield_time_ms": 30000})
        elif kind.name == "claude":
            yield "Bash", json.dumps({"command": line, "description": "do it"})
        else:
            yield "bash", json.dumps({"command": line})


def begin(place: tuple[Kind, Lab, Path], model: Any) -> str:
    """Start a task with this model; returns its id."""
    kind, lab, project = place
    url = model.url.removesuffix("/v1") if kind.name == "claude" else model.url
    text = f'name = "{kind.name}"\n{kind.more}[agent]\nuse = "{kind.name}"\n{LIMITS}{kind.section}'
    (project / "fumehood.toml").write_text(f"{text}[agent.options]\n{kind.options.replace('{url}', url)}")
    return str(lab.json("exec", "--env", str(project), "work on it")["id"])


def ended(place: tuple[Kind, Lab, Path], task: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The one end of the run and all events, when the task has ended; nothing of it is left then."""
    _, lab, _ = place
    followed = lab.run("logs", "-f", task, timeout=SECONDS + 60)
    assert followed.returncode == 0, followed.stderr
    events = lab.events(task)
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    (finished,) = (e for e in events if e["type"] == "run.finished")
    assert finished["seconds"] < SECONDS + 8
    begun = {e["id"] for e in events if e["type"] == "command.started"}
    assert begun == {e["id"] for e in events if e["type"] == "command.finished"}
    assert events[-1]["type"] == "task.status"
    until(lambda: not lab.containers(task))
    running = ["docker", "ps", "-q", "--filter", f"name=^/fumehood-{task}-"]
    until(lambda: not subprocess.run(running, check=True, capture_output=True).stdout)
    assert not processes(lab)
    return finished, events


def said(events: list[dict[str, Any]], kind: str) -> str:
    return "\n".join(e["text"] for e in events if e["type"] == kind)


Step = model_server.Step
REFUSED = {
    "error": {"message": "Incorrect API key provided", "type": "authentication_error", "code": "invalid_api_key"}
}


def test_a_refused_key(place: tuple[Kind, Lab, Path]) -> None:
    with serve(place[0], Step(status=401, error=REFUSED)) as model:
        finished, events = ended(place, begin(place, model))
    assert finished["status"] == "failed", finished
    told = said(events, "error") + finished["reason"]
    assert "401" in told or "API key" in told


def test_a_busy_model_is_waited_for(place: tuple[Kind, Lab, Path]) -> None:
    busy = Step(status=429, headers=[("retry-after", "1")])
    with serve(place[0], busy, Step(shell=["echo made > made"]), Step(say="It is done.")) as model:
        finished, events = ended(place, begin(place, model))
    assert (finished["status"], finished["answer"]) == ("completed", "It is done."), (finished, said(events, "error"))
    assert finished["commands"] == 1


@pytest.mark.parametrize(
    "step", [Step(status=500), Step(say="half of an answer, and no more", cut=True)], ids=["500", "cut"]
)
def test_a_model_that_fails_for_good(place: tuple[Kind, Lab, Path], step: model_server.Step) -> None:
    with serve(place[0], Step(shell=["echo kept > kept"]), step) as model:
        finished, events = ended(place, begin(place, model))
    # Who asks again for longer than the time it has is stopped by us.
    assert finished["status"] in ("failed", "limit"), finished
    assert finished["reason"]
    assert any(e["type"] == "diff" and e["lines_added"] for e in events)


def test_a_model_that_never_answers(place: tuple[Kind, Lab, Path]) -> None:
    with serve(place[0], Step(hangs=True)) as model:
        finished, _ = ended(place, begin(place, model))
    assert (finished["status"], "nothing happened for 4s" in finished["reason"]) == ("limit", True), finished


def test_an_endless_loop(place: tuple[Kind, Lab, Path]) -> None:
    with serve(place[0], *[Step(shell=["echo again"])] * 40) as model:
        finished, events = ended(place, begin(place, model))
    assert (finished["status"], "the same 4 times in a row" in finished["reason"]) == ("limit", True), finished
    assert sum(e["type"] == "command.started" for e in events) <= 6


def test_an_agent_that_is_killed(place: tuple[Kind, Lab, Path]) -> None:
    kind, lab, _ = place
    with serve(kind, Step(shell=["echo up; sleep 1000"]), Step(say="never")) as model:
        task = begin(place, model)
        wait_for_command(kind, lab, task)
        kill_agent(kind, lab, task)
        finished, _ = ended(place, task)
    assert finished["status"] == "failed", finished
    assert finished["reason"]


def test_a_container_that_is_removed(place: tuple[Kind, Lab, Path]) -> None:
    kind, lab, _ = place
    with serve(kind, Step(shell=["echo up; sleep 1000"]), Step(say="never")) as model:
        task = begin(place, model)
        wait_for_command(kind, lab, task)
        (container,) = containers(task)
        # While it writes, an engine may need to be told twice.
        until(
            lambda: not subprocess.run(["docker", "rm", "-f", container], capture_output=True).stderr or gone(container)
        )
        finished, _ = ended(place, task)
    assert finished["status"] == "failed", finished
    assert finished["reason"]


def wait_for_command(kind: Kind, lab: Lab, task: str) -> None:
    """Until the agent's command runs; one in the container tells of it only, or not even that."""
    wait_for(lab, task, "command.started", phase="agent")
    (container,) = containers(task)
    until(lambda: "sleep 1000" in top(container))


def containers(task: str) -> list[str]:
    argv = ["docker", "ps", "-q", "--filter", f"name=^/fumehood-{task}-task-"]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()


def gone(container: str) -> bool:
    return subprocess.run(["docker", "inspect", container], capture_output=True).returncode != 0


def top(container: str) -> str:
    return subprocess.run(["docker", "top", container, "-o", "pid,args"], capture_output=True, text=True).stdout


def kill_agent(kind: Kind, lab: Lab, task: str) -> None:
    """SIGKILL for the agent's own process; that of `loop` is the supervisor."""
    if kind.name == "loop":
        return os.kill(supervisor_of(lab, task), signal.SIGKILL)
    if kind.in_container:
        lines = top(containers(task)[0]).splitlines()[1:]
        # The shell that starts it is not meant.
        found = [int(line.split()[0]) for line in lines if kind.process in line and "bash" not in line.split()[1]]
    else:
        found = [pid for pid, command in host_processes(lab) if kind.process in command]
    assert found
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    return None


def host_processes(lab: Lab) -> list[tuple[int, str]]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if f"CODEX_HOME={lab.home}".encode() in (folder / "environ").read_bytes():
                found.append((int(folder.name), command))
        except OSError:
            continue
    return found
