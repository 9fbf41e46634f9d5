"""Automatic setup and versions for real: several managers in one repository, lock files, versions (SPEC E1, E4).

The samples, one for each manager, are set up by tests/docker/test_projects.py.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docker.conftest import BASE_IMAGE, ROOT, Lab

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]

AUTO = """name = "{name}"
[setup]
auto = true
{more}
[agent]
use = "command"
command = ["bash", "-c", '''{command}''']
"""


def sample(name: str, *paths: str) -> dict[str, str]:
    """Files of a sample, without its environment."""
    folder = ROOT / "sample-envs" / name
    return {path: (folder / path).read_text() for path in paths}


def notices(lab: Lab, state: dict[str, Any]) -> list[str]:
    return [event["text"] for event in lab.events(state["id"]) if event["type"] == "notice"]


def said(lab: Lab, state: dict[str, Any]) -> str:
    """What the agent's command printed."""
    return lab.output(state["id"], "agent")


def phase(state: dict[str, Any], name: str) -> dict[str, Any]:
    return next(phase for phase in state["phases"] if phase["name"] == name)


@pytest.fixture(scope="module")
def monorepo(lab: Lab) -> Path:
    """pnpm at the top, pip in one folder, another release of yarn in another one."""
    environment = AUTO.format(
        name="mono",
        more="script = 'echo manual: $- \"$(type -P pnpm)\" > /opt/manual'",
        command="pnpm --version; node -e \"import('dequal').then(() => console.log('dequal is there'))\"; "
        "cd api; python -c 'import tabulate; print(tabulate.__version__)'; cd ../old; "
        "node -e \"import('escape-string-regexp').then(() => console.log('escape is there'))\"; cat /opt/manual; "
        "git status --short; ls -d /opt/tools/*",
    )
    files = sample("node-pnpm", "package.json", "pnpm-lock.yaml")
    files |= {f"old/{path}": text for path, text in sample("node-yarn", "package.json", "yarn.lock").items()}
    files |= {"api/requirements.txt": "tabulate>=0.9\n", ".gitignore": "node_modules/\n"}
    return lab.project("mono", environment, files)


def test_several_managers_in_one_repository(lab: Lab, monorepo: Path) -> None:
    plan = lab.json("env", "check", "--plan", str(monorepo))["plan"]
    assert [(step["folder"], step["manager"]) for step in plan["steps"]] == [
        (".", "pnpm"),
        ("api", "pip"),
        ("old", "yarn"),
    ]
    state = lab.task(monorepo)
    assert state["status"] == "ready", state["error"]
    answer = said(lab, state).splitlines()
    assert answer[0].startswith("10.")
    assert answer[1] == "dequal is there"
    assert answer[2].startswith("0.")
    assert answer[3] == "escape is there"
    assert "/bin/pnpm" in answer[4], "the manual script finds what automatic setup brought"
    assert "e" not in answer[4].split()[1], "and does not get its shell options"
    assert answer[5:] == ["/opt/tools/pnpm-10", "/opt/tools/yarn-1.22.22"], "nothing of it shows as a change"
    told = [text.removeprefix("automatic setup: ") for text in notices(lab, state)]
    for step in plan["steps"]:
        where = "" if step["folder"] == "." else f"{step['folder']}: "
        assert all(f"{where}{command}" in told for command in step["install"])
    assert phase(state, "maintenance")["status"] == "skipped"


def test_maintenance_follows_the_files_of_the_plan(lab: Lab, monorepo: Path) -> None:
    assert lab.task(monorepo)["cache"]["result"] == "hit"
    (monorepo / "api" / "requirements.txt").write_text("tabulate>=0.9\nsix\n")
    lab.git(monorepo, "commit", "-qam", "one more")
    state = lab.task(monorepo)
    assert state["cache"]["result"] == "hit", "what is installed follows the lock files, the plan is the same"
    assert phase(state, "maintenance")["status"] == "done"
    assert "api/requirements.txt" in phase(state, "maintenance")["reason"]
    assert "Successfully installed six" in lab.output(state["id"], "maintenance")
    (monorepo / "api" / "requirements-dev.txt").write_text("six\n")
    lab.git(monorepo, "add", "-A")
    lab.git(monorepo, "commit", "-qm", "another command")
    explained = lab.json("cache", "explain", "--env", str(monorepo))
    assert explained["changed"] == ["automatic setup changed (1 line)"]


def test_a_lock_file_of_uv_is_taken_as_it_is(lab: Lab) -> None:
    files = sample("python-uv", "pyproject.toml", "src/leaderboard/__init__.py", "tests/test_leaderboard.py")
    command = "cat uv.lock; uv run --offline pytest -q | tail -n 1"
    project = lab.project("uv-lock", AUTO.format(name="uv-lock", more="", command=command), files)
    first = lab.task(project)
    assert first["status"] == "ready", first["error"]
    lock, _, last = said(lab, first).strip().rpartition("\n")
    assert "1 failed, 2 passed" in last
    (project / "uv.lock").write_text(f"{lock}\n")
    lab.git(project, "add", "uv.lock")
    lab.git(project, "commit", "-qm", "lock")
    second = lab.task(project)
    assert second["cache"]["changed"] == ["automatic setup changed (1 line)"]
    assert "+ uv sync --frozen" in lab.output(second["id"], "setup")
    assert "1 failed, 2 passed" in said(lab, second)


def test_versions_installed_and_satisfied(lab: Lab) -> None:
    environment = AUTO.format(
        name="versions",
        more="script = 'node --version > /opt/in-setup'\n[versions]\nnode = '22'\npython = '3'",
        command="node --version; cat /opt/in-setup; echo $CODEX_ENV_NODE_VERSION; ls -A",
    )
    project = lab.project("versions", environment, {".nvmrc": "20\n"})
    state = lab.task(project)
    assert state["status"] == "ready", state["error"]
    agent, setup, variable, *files = said(lab, state).split()
    assert agent.startswith("v22.")
    assert setup == agent
    assert variable == "22"
    assert sorted(files) == [".git", ".nvmrc", "README", "fumehood.toml"]
    told = notices(lab, state)
    assert any(text.startswith("python 3: the image has 3.") for text in told)
    assert any(text.startswith(".nvmrc asks for node 20, [versions] says 22") for text in told)


def test_versions_that_cannot_be_had(lab: Lab) -> None:
    project = lab.project("refused", 'name = "refused"\n[versions]\ngo = "1.24"\n[agent]\nuse = "command"\n')
    state = lab.task(project)
    assert state["status"] == "error"
    assert state["error"]["phase"] == "setup"
    assert "go 1.24 is wanted, the image has none" in state["error"]["message"]
    assert lab.json("cache", "explain", "--env", str(project))["result"] == "miss"


@pytest.fixture
def universal() -> Iterator[str]:
    """An image that has a program to switch versions, which behaves as nvm does: it leaves .nvmrc where it stands."""
    name = f"fumehood-test/universal:{os.getpid()}"
    lines = ("echo asked for $CODEX_ENV_NODE_VERSION", "touch .nvmrc", "ls -A > /opt/where")
    profile = "PATH=/opt/node22:$PATH"
    script = "; ".join((*lines, f"echo {shlex.quote(profile)} > /etc/profile.d/node.sh"))
    run = f"mkdir -p /opt/codex && echo {shlex.quote(script)} > /opt/codex/setup_universal.sh"
    dockerfile = f"FROM {BASE_IMAGE}\nRUN {run}\n"
    argv = ["docker", "build", "-q", "--network", "none", "-t", name, "-"]
    subprocess.run(argv, input=dockerfile, text=True, check=True, capture_output=True)
    yield name
    subprocess.run(["docker", "rmi", "-f", name], check=True, capture_output=True)


def test_an_image_that_switches_versions_itself(lab: Lab, universal: str) -> None:
    command = "cat /opt/where; echo $PATH; test ! -e .nvmrc && echo no nvmrc"
    environment = f"""name = "universal"
[image]
name = "{universal}"
[versions]
node = "22"
[cache]
enabled = false
[agent]
use = "command"
command = ["bash", "-c", '''{command}''']
"""
    state = lab.task(lab.project("universal", environment))
    assert state["status"] == "ready", state["error"]
    assert "asked for 22" in lab.output(state["id"], "setup")
    where, path, clean = said(lab, state).split("\n")[:3]
    assert where == ".nvmrc", "it ran in an empty folder"
    assert path.startswith("/opt/node22:")
    assert clean == "no nvmrc"


def test_hostile_names_of_folders_are_only_names(lab: Lab) -> None:
    odd = "a b; touch $(hit) 'x'"
    environment = AUTO.format(name="odd", more="", command="ls; find / -xdev -name hit 2>/dev/null")
    files = {
        f"{odd}/package.json": json.dumps({"packageManager": "npm@1.0.0;touch hit"}),
        f"{odd}/package-lock.json": "",
    }
    files[f"{odd}/package-lock.json"] = json.dumps({"lockfileVersion": 3, "packages": {"": {}}})
    state = lab.task(lab.project("odd", environment, files))
    assert state["status"] == "ready", state["error"]
    assert "hit" not in said(lab, state).replace(odd, "").split()
    assert "+ npm ci" in lab.output(state["id"], "setup")
