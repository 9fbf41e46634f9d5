"""The cache, for real: a second start sets nothing up, and every miss says what changed (SPEC C1–C4)."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.docker.conftest import Lab, environment

pytestmark = pytest.mark.docker

SETUP = "date +%N > /opt/when\n"
MAINTENANCE = "true\n"
SHOW = "cat /opt/when"


def text(**changes: str) -> str:
    return environment(
        **{"setup": SETUP, "maintenance": MAINTENANCE, "command": SHOW, "variables": 'X = "1"', **changes}
    )


@pytest.fixture(scope="module")
def project(lab: Lab) -> Path:
    folder = lab.project("web", text())
    state = lab.task(folder)
    assert (state["status"], state["cache"]["result"], state["cache"]["reason"]) == ("ready", "miss", "no snapshot yet")
    return folder


@pytest.fixture(autouse=True)
def unchanged(project: Path):  # type: ignore[no-untyped-def]
    yield
    (project / "fumehood.toml").write_text(text())


def test_the_second_start_hits_and_runs_no_setup(lab: Lab, project: Path) -> None:
    first, second = lab.task(project), lab.task(project)
    assert (first["cache"]["result"], second["cache"]["result"]) == ("hit", "hit")
    assert lab.output(first["id"], "agent") == lab.output(second["id"], "agent") != ""
    assert not any(p["name"] == "setup" and p["status"] == "done" for p in second["phases"])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"setup": SETUP + " "}, "setup script changed"),
        ({"maintenance": "true \n"}, "maintenance script changed"),
        ({"variables": 'X = "2"'}, "variable X changed"),
        ({"variables": ""}, "variable X removed"),
    ],
)
def test_a_changed_byte_is_a_miss_that_names_it(lab: Lab, project: Path, change: dict[str, str], named: str) -> None:
    (project / "fumehood.toml").write_text(text(**change))
    told = lab.json("cache", "explain", "--env", str(project))
    assert told["result"] == "miss"
    assert any(named in changed for changed in told["changed"])
    assert named in told["reason"]


def test_a_miss_by_change_is_built_again_and_the_old_snapshot_goes(lab: Lab, project: Path) -> None:
    changed = text(setup=SETUP + "# one more line\n")
    (project / "fumehood.toml").write_text(changed)
    state = lab.task(project)
    assert state["cache"]["result"] == "miss"
    assert state["cache"]["changed"] == ["setup script changed (1 line)"]
    assert "age" in state["cache"]["reason"]
    assert len(lab.json("cache", "show")["snapshots"]) == 1
    (project / "fumehood.toml").write_text(text())
    assert lab.task(project)["cache"]["changed"] == ["setup script changed (1 line)"]


def test_what_is_not_part_of_the_key_does_not_miss(lab: Lab, project: Path) -> None:
    (project / "README").write_text("changed\n")
    lab.git(project, "commit", "-qam", "more")
    changed = text(
        command="cat /opt/when README",
        more='[network]\nagent = "off"\ndeny = ["evil.test"]\n[resources]\nmemory = "1g"\n',
    )
    (project / "fumehood.toml").write_text(changed)
    state = lab.task(project)
    assert state["cache"]["result"] == "hit"
    assert "changed" in lab.output(state["id"], "agent")


def test_a_reset_is_a_miss_that_says_so(lab: Lab, project: Path) -> None:
    assert "1 snapshot removed" in lab.run("cache", "reset", "--env", str(project)).stdout
    told = lab.json("cache", "explain", "--env", str(project))
    assert (told["result"], told["reason"].split(" ago")[0][:11]) == ("miss", "cache reset")
    assert lab.task(project)["cache"]["reason"].startswith("cache reset")


def test_expiry_counts_from_creation(lab: Lab, project: Path) -> None:
    (project / "fumehood.toml").write_text(text(more='[cache]\nttl = "1s"\n'))
    told = lab.json("cache", "explain", "--env", str(project))
    assert told["result"] == "miss"
    assert told["reason"].startswith("expired")


def test_many_starts_at_once_set_up_once(lab: Lab) -> None:
    folder = lab.project("many", environment("sleep 1; date +%N > /opt/when", command="cat /opt/when", name="many"))
    argv = [sys.executable, "-m", "tui.cli", "exec", "--env", str(folder), "--wait", "--json", "go"]
    running = [subprocess.Popen(argv, env=lab.variables, stdout=subprocess.PIPE, text=True) for _ in range(5)]
    states = [json.loads(process.communicate(timeout=240)[0]) for process in running]
    assert [state["status"] for state in states] == ["ready"] * 5
    assert sorted(state["cache"]["result"] for state in states) == ["hit"] * 4 + ["miss"]
    assert len({lab.output(state["id"], "agent") for state in states}) == 1


def test_an_environment_without_cache_keeps_nothing(lab: Lab) -> None:
    folder = lab.project("off", environment("true", more="[cache]\nenabled = false\n", name="off"))
    assert lab.task(folder)["cache"]["result"] == "off"
    assert lab.task(folder)["cache"]["result"] == "off"
    shown = lab.json("cache", "show")["snapshots"]
    assert [entry for entry in shown if entry["environment"] == "off"] == []
    found = subprocess.run(
        ["docker", "images", "-q", "--filter", "reference=fumehood/off-*"], check=True, capture_output=True, text=True
    )
    assert found.stdout == ""


@pytest.mark.parametrize("resets", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_resets_while_tasks_start_break_none_of_them(lab: Lab, resets: int) -> None:
    folder = lab.project(f"storm{resets}", environment("true", command="echo fine", name=f"storm{resets}"))
    lab.task(folder)

    def reset() -> None:
        for _ in range(resets):
            lab.run("cache", "reset", "--env", str(folder))

    thread = threading.Thread(target=reset)
    thread.start()
    states = []
    while thread.is_alive() or len(states) < 4:
        states.append(lab.task(folder))
    thread.join()
    assert {state["status"] for state in states} == {"ready"}, [state["error"] for state in states]
