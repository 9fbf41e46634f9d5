"""What a first environment of a project would be, told before anything is written (SPEC E3)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from engine.environment.importers.formats import imported, sources
from engine.environment.init import initial
from engine.environment.model import FILE_NAME
from engine.errors import EngineError
from engine.setup.plan import plan
from engine.setup.tree import FolderTree

# Agents that do what a prompt says, the one to prefer first; `command` only runs it as a shell line.
_PREFERRED = ("codex", "claude", "loop")


class FirstLook(Struct, frozen=True):
    """A project without an environment file.

    Attributes:
        folder: where the file would lie; `data` is what it would say, `origin` the file it is taken from, if any.
        managers: the package managers found, each with its folder and the files that show it.
        asked: versions of languages that files of the project ask for.
        setup: the lines that setup runs.
        notices: what automatic setup leaves out or decides.
        agent: the agent that can start here; `lacking` is what those before it need.
    """

    folder: Path
    data: Mapping[str, Any]
    origin: str
    managers: tuple[tuple[str, str, str], ...]
    asked: tuple[str, ...]
    setup: tuple[str, ...]
    notices: tuple[str, ...]
    agent: str
    lacking: tuple[tuple[str, str], ...]


def look(folder: Path) -> FirstLook:
    """Look at the project in `folder`; nothing is written.

    Raises:
        EngineError: the folder cannot be read.
    """
    found = plan(FolderTree(folder))
    agent, lacking = _agent(folder)
    data, origin = _data({**initial(folder), "agent": {"use": agent}}, folder)
    setup = data.get("setup", {})
    script = [line for line in setup.get("script", "").splitlines() if line.strip()]
    return FirstLook(
        folder,
        data,
        origin,
        tuple((step.manager, step.folder, ", ".join(step.files)) for step in found.steps),
        tuple(f"{one.tool} {one.version} ({one.file})" for one in found.asked),
        (*(found.lines() if setup.get("auto") else ()), *script),
        found.notices if setup.get("auto") else (),
        data.get("agent", {}).get("use", agent),
        lacking,
    )


def _data(own: dict[str, Any], folder: Path) -> tuple[Mapping[str, Any], str]:
    """What the file would say, and the file of another tool that it was taken from, if there is one."""
    for source in sources(folder):
        try:
            return imported(source, own, folder / FILE_NAME).data, str(source)
        except EngineError:
            # What is wrong with it is told by `env import`; the project's own files are there in any case.
            continue
    return own, ""


def _agent(folder: Path) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The first agent that can start, and what those before it lack."""
    from engine.agents import agent

    lacking: list[tuple[str, str]] = []
    for name in _PREFERRED:
        missing = agent(name).check({}, folder)
        if not missing:
            return name, tuple(lacking)
        lacking.append((name, "; ".join(missing)))
    return "command", tuple(lacking)
