"""An agent whose container engine goes away: one end with its reason, and nothing left once an engine is back (SPEC T8)."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.model_server import Step, serving
from tests.docker.conftest import ROOT, Lab
from tests.docker.engine_lab import Engine, engine
from tests.docker.test_control import wait_for

pytestmark = [pytest.mark.docker, pytest.mark.timeout(240)]

COMMAND = "echo up; sleep 1000"


@pytest.fixture(scope="module")
def own_engine() -> Iterator[Engine]:
    with engine() as made:
        yield made


@pytest.fixture(scope="module")
def engine_lab(own_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A laboratory at an engine of its own; its containers and images go with that."""
    made = Lab(tmp_path_factory.mktemp("lab"))
    made.variables["DOCKER_HOST"] = own_engine.address
    made.variables["MODEL_KEY"] = "sk-engine-8831"
    return made


AGENTS = {
    "loop": 'use = "loop"\n[agent.options]\nmodel = "scripted"\nretries = 1\n',
    "acp": 'use = "acp"\ncommand = ["python3", "agent.py"]\n[agent.options]\n',
}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
@pytest.mark.parametrize("kind", AGENTS)
def test_the_engine_goes_away(own_engine: Engine, engine_lab: Lab, kind: str, how: signal.Signals) -> None:
    lab, name = engine_lab, f"{kind}-{how.name.lower()}"
    with serving(Step(calls=[("bash", json.dumps({"command": COMMAND}))]), Step(say="never")) as model:
        text = f'name = "{name}"\n[agent]\ntimeout = "60s"\n{AGENTS[kind]}base_url = "{model.url}"\nkey_env = "MODEL_KEY"\n'
        agent = (ROOT / "tests/agents/acp_agent.py").read_text()
        project = lab.project(name, text, {"agent.py": agent})
        task = str(lab.json("exec", "--env", str(project), "work on it")["id"])
        wait_for(lab, task, "command.started", phase="agent")
        own_engine.end(how)
        try:
            wait_for(lab, task, "task.status", status="interrupted")
        finally:
            own_engine.start()
    events = lab.events(task)
    (finished,) = (e for e in events if e["type"] == "run.finished")
    assert (finished["status"], bool(finished["reason"])) == ("failed", True), finished
    begun = {e["id"] for e in events if e["type"] == "command.started"}
    assert begun == {e["id"] for e in events if e["type"] == "command.finished"}
    assert lab.json("status", task)["error"]["message"]
    # With the engine back, nothing of the task runs, whoever comes next.
    assert lab.run("cache", "gc").returncode == 0
    assert own_engine.docker("ps", "-q", "--filter", f"name=^/fumehood-{task}-") == ""
    assert not supervisors(lab, task)


def supervisors(lab: Lab, task: str) -> list[int]:
    """Who holds the task's lock."""
    lock = (lab.home / "state/fumehood/tasks" / task / "lock").stat().st_ino
    lines = Path("/proc/locks").read_text().splitlines()
    holders = [int(line.split()[4]) for line in lines if line.split()[5].endswith(f":{lock}")]
    return [pid for pid in holders if pid > 0 and Path(f"/proc/{pid}").exists()]
