"""agent list, agent install."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from engine.bench import Bench
from tui.commands.output import print_json, progress, say, table

if TYPE_CHECKING:
    from engine.agents.listing import AgentEntry


def list_(options: argparse.Namespace) -> int:
    """The agents, where they are and what they need."""
    agents = Bench().agents.list()
    if options.json:
        print_json({"v": 1, "agents": [_json(entry) for entry in agents]})
        return 0
    table(
        ("AGENT", "VERSION", "FROM", "STATE"), [(a.name, a.version or "–", a.origin or "–", _state(a)) for a in agents]
    )
    for entry in agents:
        for line in (*((str(entry.path),) if entry.path else ()), *entry.missing):
            say(f"  {entry.name}: {line}")
    return 0


def _json(entry: AgentEntry) -> dict[str, object]:
    path = str(entry.path) if entry.path else None
    return {**entry._asdict(), "path": path, "missing": list(entry.missing)}


def _state(entry: AgentEntry) -> str:
    if entry.missing:
        return "not ready"
    if not entry.usable:
        return "installed; this version of fumehood has no adapter for it"
    return "ready" if entry.tested else "ready; not a version that fumehood was tried with"


def install(options: argparse.Namespace) -> int:
    """Install the command line of an agent."""
    program = Bench().agents.install(options.agent, progress, version=options.version)
    if options.json:
        print_json({"v": 1, "agent": options.agent, "path": str(program)})
    else:
        say(str(program))
    return 0
