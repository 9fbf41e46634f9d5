"""`resources.disk`: what a container writes is held to it in every phase (SPEC C9)."""

from __future__ import annotations

import re

import pytest

from tests.docker.conftest import Lab, environment

pytestmark = pytest.mark.docker

LIMIT = '[resources]\ndisk = "64m"\n'
# Written as one file, then left: who looks finds it there.
TOLD = r"wrote \d+(\.\d)? MB; \[resources\] disk allows 67\.1 MB"
FILL = "head -c 80000000 /dev/zero > /opt/full"


def test_a_setup_that_fills_the_disk_is_ended(lab: Lab) -> None:
    state = lab.task(lab.project("setup", environment(f"{FILL}; sleep 300", name="setup", more=LIMIT)))
    assert (state["status"], state["error"]["phase"]) == ("error", "setup")
    assert re.fullmatch(f"the setup script {TOLD}", state["error"]["message"])
    assert lab.containers(state["id"]) == []


def test_a_snapshot_that_is_too_large_is_not_stored(lab: Lab) -> None:
    folder = lab.project("quick", environment(FILL, name="quick", more=LIMIT))
    state = lab.task(folder)
    assert (state["status"], state["error"]["phase"] in ("setup", "snapshot")) == ("error", True)
    assert re.search(TOLD, state["error"]["message"])
    assert "quick" not in [s["environment"] for s in lab.json("cache", "show")["snapshots"]]


def test_an_agent_that_fills_the_disk_is_ended_and_its_result_kept(lab: Lab) -> None:
    text = environment(name="agent", command=f"echo done > result; {FILL}; sleep 300", more=LIMIT)
    state = lab.task(lab.project("agent", text))
    assert state["status"] == "error"
    assert re.search(f"stopped: it {TOLD}", state["error"]["message"])
    assert next(e["status"] for e in lab.events(state["id"]) if e["type"] == "run.finished") == "limit"
    assert "+done" in lab.run("diff", state["id"]).stdout


def test_within_the_limit_nothing_is_said(lab: Lab) -> None:
    text = environment("head -c 40000000 /dev/zero > /opt/half", name="half", command="sleep 3; touch new", more=LIMIT)
    state = lab.task(lab.project("half", text))
    assert state["status"] == "ready", state["error"]
    # What counts is what a container writes itself, not what its snapshot holds.
    text = text.replace("sleep 3", "head -c 40000000 /dev/zero > /opt/other; sleep 3")
    (lab.home / "half" / "fumehood.toml").write_text(text)
    assert lab.task(lab.home / "half")["status"] == "ready"
