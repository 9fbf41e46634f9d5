"""The agents by name; each module is imported when its agent is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.agents.base import Agent
from engine.errors import UsageError

if TYPE_CHECKING:
    from engine.environment.model import Environment

NAMES = ("replay", "command")


def agent_settings(environment: Environment) -> Mapping[str, Any]:
    """The `[agent]` section as adapters get it."""
    section = environment.agent
    return {"command": section.command, "plan": section.plan, **section.options}


def agent(name: str) -> Agent:
    """The agent of this name.

    Raises:
        UsageError: there is none.
    """
    if name == "replay":
        from engine.agents.replay import ReplayAgent

        return ReplayAgent()
    if name == "command":
        from engine.agents.command import CommandAgent

        return CommandAgent()
    raise UsageError(f"unknown agent {name!r}", f"known agents: {', '.join(NAMES)}")
