"""Which agents there are, where their programs come from and what each still needs (`fumehood agent list`)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from engine.agents import NAMES, agent
from engine.agents.codex import program
from engine.agents.packages import PACKAGES, installed
from engine.errors import UsageError


class AgentEntry(NamedTuple):
    """An agent: its program, if it has one, and where that was found; what is missing before it can start.

    `usable`: this version has an adapter for it. `tested`: the program is of a release that was tried.
    """

    name: str
    usable: bool
    version: str
    path: Path | None
    origin: str
    tested: bool
    missing: tuple[str, ...]


def listing() -> list[AgentEntry]:
    """The agents by name: those built in, then those with a program."""
    names = [*(name for name in NAMES if name not in PACKAGES), *PACKAGES]
    return [_entry(name) for name in names]


def _entry(name: str) -> AgentEntry:
    if name not in PACKAGES:
        return AgentEntry(name, True, "", None, "built in", True, ())
    usable = name in NAMES
    version, path, origin = _program(name)
    low, high = PACKAGES[name].tested
    missing = agent(name).check({}, Path()) if usable else []
    if not usable and path is None:
        missing = [f"not installed (fumehood agent install {name})"]
    tested = bool(version) and low <= program.numbers(version) < high
    return AgentEntry(name, usable, version, path, origin, tested, tuple(missing))


def _program(name: str) -> tuple[str, Path | None, str]:
    if name == "codex":
        try:
            found = program.find()
        except UsageError:
            return "", None, ""
        return found.version, found.path, found.origin
    here = installed(name)
    return (here.version, here.program, "installed") if here else ("", None, "")
