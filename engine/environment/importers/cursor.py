"""`.cursor/environment.json`: the environment of Cursor's background agents."""

from __future__ import annotations

import re
import shlex
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from engine.environment.importers import read
from engine.environment.importers.collected import Collected

if TYPE_CHECKING:
    from engine.environment.importers.formats import Source

_REASONS = {
    "snapshot": "an image in Cursor's own store; name one with image.name, or let setup install what it holds",
    "ports": "containers have no network that could be forwarded; what listens is reached inside",
    "repositoryDependencies": "a task has one repository; let setup clone the others",
    "agentCanUpdateSnapshot": "a snapshot is never made of a container in which an agent ran",
    "user": "scripts run as the user of the image",
}


def take(source: Source, into: Collected) -> None:
    """Read the file into `into`."""
    data = read.json_table(source.paths[0])
    for key, value in data.items():
        if key == "name":
            into.name(key, value)
        elif key == "install":
            into.command(key, into.text(key, value), "setup", "maintenance", note="runs again on every resume")
        elif key == "start":
            into.command(key, into.text(key, value), "start")
        elif key == "build":
            _build(source, into.table(key, value), into)
        elif key == "env":
            for name, written in into.table(key, value).items():
                into.variable(f"env.{name}", name, written)
        elif key in _REASONS:
            if value:
                into.left(key, _REASONS[key])
        elif key not in ("terminals", "$schema"):
            into.left(key, "unknown key")
    # After `start`, whatever stands first: what it starts is there for the terminals.
    for number, terminal in enumerate(into.items("terminals", data.get("terminals"))):
        _terminal(f"terminals[{number}]", into.table(f"terminals[{number}]", terminal), into)


def _build(source: Source, build: Any, into: Collected) -> None:
    for key, value in build.items():
        if key == "dockerfile":
            written = into.text("build.dockerfile", value).strip()
            beside = PurePosixPath(".cursor", written)
            # The path starts from `.cursor`; many files are written as if it started from the project.
            here = not read.is_file(source.folder / beside) and read.is_file(source.folder / written)
            if written:
                into.dockerfile("build.dockerfile", written if here else str(beside))
        elif key == "context":
            into.left("build.context", "the image is built in the folder of its Dockerfile")
        else:
            into.left(f"build.{key}", "unknown key")


def _terminal(key: str, terminal: Any, into: Collected) -> None:
    command = into.text(f"{key}.command", terminal.get("command")).strip()
    name = re.sub(r"[^\w-]+", "-", into.text(f"{key}.name", terminal.get("name"))).strip("-")[:40] or "terminal"
    if command:
        log = f"/tmp/{name}.log"
        line = f"nohup bash -c {shlex.quote(command)} >{log} 2>&1 &"
        into.command(key, line, "start", note=f"in the background, its output in {log}")
