"""A fumehood with folders of its own, and what is run beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
IMAGE = "fumehood/base:bookworm"
FUMEHOOD = [sys.executable, "-m", "tui.cli"]
ENVIRONMENT = """name = "bench"
[setup]
script = "echo ready > /opt/ready"
[agent]
"""
TRUE = 'use = "command"\ncommand = ["true"]\n'


def run(argv: list[str], **more: Any) -> str:
    """Standard output of a command that must succeed."""
    return str(subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, **more).stdout)


@dataclass(frozen=True)
class Lab:
    """A scratch folder, and the variables by which fumehood keeps everything in it."""

    folder: Path
    variables: dict[str, str]

    def run(self, *arguments: str) -> str:
        """Standard output of `fumehood` with these arguments."""
        return run([*FUMEHOOD, *arguments], env=self.variables, cwd=ROOT)

    def task(self, project: Path) -> dict[str, Any]:
        """The state of a task of this project, when it has ended."""
        state: dict[str, Any] = json.loads(self.run("exec", "--env", str(project), "--wait", "--json", "go"))
        return state

    def events(self, task: str) -> list[dict[str, Any]]:
        """The events of a task."""
        return [json.loads(line) for line in self.run("logs", "--json", task).splitlines()]

    @contextmanager
    def project(self, agent: str = TRUE, files: dict[str, str] | None = None) -> Iterator[Path]:
        """A repository with its environment, whose `[agent]` section is given, and `files`; its snapshots go with it."""
        folder = self.folder / "project"
        folder.mkdir()
        for name, content in {"fumehood.toml": ENVIRONMENT + agent, **(files or {})}.items():
            (folder / name).write_text(content)
        run(["git", "init", "-q", "-b", "main", str(folder)])
        run(["git", "-C", str(folder), "add", "-A"])
        author = ["-c", "user.name=bench", "-c", "user.email=bench@fumehood.invalid"]
        run(["git", "-C", str(folder), *author, "commit", "-qm", "start"])
        yield folder
        self.run("cache", "reset", "--env", str(folder))


@contextmanager
def laboratory() -> Iterator[Lab]:
    """A laboratory, for the length of the block."""
    with tempfile.TemporaryDirectory() as scratch:
        names = ("CONFIG", "STATE", "CACHE", "DATA")
        own = {f"XDG_{name}_HOME": f"{scratch}/{name.lower()}" for name in names}
        yield Lab(Path(scratch), {**os.environ, **own})


@contextmanager
def container() -> Iterator[str]:
    """A container of the base image that does nothing, for the length of the block; its id."""
    made = run(["docker", "run", "-d", "--init", "--network", "none", IMAGE, "sleep", "infinity"]).strip()
    try:
        yield made
    finally:
        run(["docker", "rm", "-f", made])
