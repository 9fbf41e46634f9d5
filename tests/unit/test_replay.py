"""Plans of the replay agent are read strictly; a fault in one is told before anything starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.agents import agent
from engine.agents.replay import load_plan
from engine.errors import UsageError
from tests.docker.conftest import ROOT


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ("{", "is not"),
        ("[]", "is not"),
        ('{"steps": {}}', "must be a list"),
        ('{"steps": [1]}', "step 1: must be an object"),
        ('{"steps": [{"say": "x"}, {"shel": "ls"}]}', "step 2: unknown key 'shel'"),
        ('{"steps": [{"shell": 1}]}', "shell has the wrong type"),
        ('{"steps": [{"edit": {"path": "x"}}]}', "edit needs the texts find, path, replace"),
        ('{"steps": [{"write": {"path": "x", "content": 1}}]}', "write needs the texts"),
        ('{"steps": [{"plan": [["only text"]]}]}', "plan must be a list of"),
    ],
)
def test_a_faulty_plan_is_refused_with_its_step(tmp_path: Path, plan: str, said: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(plan)
    with pytest.raises(UsageError, match=said):
        load_plan(path)
    assert said in agent("replay").check({"plan": "plan.json"}, tmp_path)[0]


def test_a_missing_plan_is_told_with_what_to_do(tmp_path: Path) -> None:
    assert "No such file" in agent("replay").check({"plan": "none.json"}, tmp_path)[0]
    assert "set [agent] plan" in agent("replay").check({}, tmp_path)[0]


@pytest.mark.parametrize("path", sorted((ROOT / "sample-envs").glob("*/replay.json")), ids=lambda p: p.parent.name)
def test_the_samples_plans_are_good(path: Path) -> None:
    steps: list[dict[str, Any]] = load_plan(path)
    assert any("final" in step for step in steps)
    assert json.loads(path.read_text())["steps"] == steps


def test_an_unknown_agent_is_refused_with_those_known() -> None:
    with pytest.raises(UsageError, match="known agents: replay, command"):
        agent("nobody")
