"""A laboratory for tests against a real container engine: a home of its own, the real program, nothing left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.docker.https_lab import HttpsLab

ROOT = Path(__file__).resolve().parents[2]
BASE_IMAGE = "fumehood/base:bookworm"


class Lab:
    """One user's home and the command line in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.program = [sys.executable, "-m", "tui.cli"]
        self.variables = {
            **os.environ,
            "HOME": str(home),
            **{f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "STATE", "CACHE", "DATA")},
            "GIT_AUTHOR_NAME": "Test",
            "GIT_AUTHOR_EMAIL": "test@example.invalid",
            "GIT_COMMITTER_NAME": "Test",
            "GIT_COMMITTER_EMAIL": "test@example.invalid",
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
        }
        self.variables.pop("XDG_RUNTIME_DIR", None)

    def run(self, *arguments: str, timeout: float = 300, **more: Any) -> subprocess.CompletedProcess[str]:
        """`fumehood ARGUMENTS`, with what it printed."""
        argv = [*self.program, *arguments]
        environment = {**self.variables, **more.pop("env", {})}
        return subprocess.run(
            argv,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=more.pop("cwd", self.home),
            **more,
        )

    def json(self, *arguments: str, **more: Any) -> Any:
        """What `fumehood ARGUMENTS --json` printed, as data."""
        done = self.run(*arguments, "--json", **more)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def task(self, project: Path, prompt: str = "go", *options: str, **more: Any) -> dict[str, Any]:
        """Run a task to its end and return its state."""
        state: dict[str, Any] = self.json("exec", "--env", str(project), "--wait", *options, prompt, **more)
        return state

    def events(self, task: str) -> list[dict[str, Any]]:
        """The journal of a task."""
        return [json.loads(line) for line in self.run("logs", task, "--json").stdout.splitlines()]

    def output(self, task: str, phase: str | None = None) -> str:
        """What the commands of a task (of one phase) printed."""
        events = self.events(task)
        wanted = {e["id"] for e in events if e["type"] == "command.started" and phase in (None, e["phase"])}
        return "".join(e["text"] for e in events if e["type"] == "command.output" and e["id"] in wanted)

    def git(self, folder: Path, *arguments: str) -> str:
        """Run git in a project."""
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], env=self.variables, check=True, capture_output=True, text=True
        ).stdout

    def project(self, name: str, environment: str, files: dict[str, str] | None = None) -> Path:
        """A repository with one commit: its environment file and `files`."""
        folder = self.home / name
        folder.mkdir()
        for path, content in {"fumehood.toml": environment, "README": "a project\n", **(files or {})}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content)
        self.git(folder, "init", "-q", "-b", "main")
        self.git(folder, "add", "-A")
        self.git(folder, "commit", "-qm", "start")
        return folder

    def containers(self, task: str) -> list[str]:
        """The containers of a task that docker still has, but for those that are kept for a follow-up."""
        argv = ["docker", "ps", "-aq", "--filter", f"name=^/fumehood-{task}-[^k]"]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()

    def kept(self, task: str) -> list[str]:
        """The containers of a task that are kept for a follow-up."""
        argv = ["docker", "ps", "-aq", "--filter", f"name=^/fumehood-{task}-kept-"]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()

    def clean_up(self) -> None:
        """Remove every container and image of this laboratory."""
        script = (
            "from engine.cache.snapshots import owner; from engine.containers import images\n"
            "from engine.containers.container import Container, labelled\n"
            "from engine.containers.endpoint import connect\n"
            "api = connect(); mine = {'fumehood.owner': owner()}\n"
            "[Container(api, record['Id']).remove() for record in labelled(api, mine)]\n"
            "[images.remove(api, image.id) for image in images.labelled(api, mine)]\n"
        )
        subprocess.run([sys.executable, "-c", script], env=self.variables, check=True, timeout=120)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A laboratory shared by the tests of one module."""
    made = Lab(tmp_path_factory.mktemp("lab"))
    yield made
    made.clean_up()


@pytest.fixture(scope="module")
def https_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpsLab]:
    """A laboratory with a public HTTPS server, shared by the tests of one module."""
    from tests.docker.https_lab import running

    with running(tmp_path_factory.mktemp("https")) as made:
        yield made


def environment(
    setup: str = "",
    maintenance: str = "",
    command: str = "true",
    more: str = "",
    variables: str = "",
    name: str = "web",
) -> str:
    """The text of an environment file whose agent runs one shell line."""
    return f"""name = "{name}"
[setup]
script = '''{setup}'''
[maintenance]
script = '''{maintenance}'''
[variables]
{variables}
[agent]
use = "command"
command = ["bash", "-c", '''{command}''']
{more}
"""
