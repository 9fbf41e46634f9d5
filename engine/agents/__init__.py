"""The agents by name; each module is imported when its agent is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.agents.base import Agent
from engine.errors import UsageError

if TYPE_CHECKING:
    from engine.containers.container import Mount
    from engine.environment.model import Environment

NAMES = ("replay", "command", "codex", "loop", "claude", "acp")


def agent_settings(environment: Environment) -> Mapping[str, Any]:
    """The `[agent]` section as adapters get it."""
    section = environment.agent
    own = {"command": section.command, "plan": section.plan, "max_requests": section.max_requests}
    return {**section.options, **own}


def agent(name: str) -> Agent:
    """The agent of this name.

    Raises:
        UsageError: there is none.
    """
    if name == "replay":
        from engine.agents.replay import ReplayAgent

        return ReplayAgent()
    if name == "codex":
        from engine.agents.codex import CodexAgent

        return CodexAgent()
    if name == "command":
        from engine.agents.command import CommandAgent

        return CommandAgent()
    if name == "loop":
        from engine.agents.loop.agent import LoopAgent

        return LoopAgent()
    if name == "claude":
        from engine.agents.claude import ClaudeAgent

        return ClaudeAgent()
    if name == "acp":
        from engine.agents.acp import AcpAgent

        return AcpAgent()
    raise UsageError(f"unknown agent {name!r}", f"known agents: {', '.join(NAMES)}")


def mounts(environment: Environment, name: str = "") -> Sequence[Mount]:
    """What the containers of an environment show its agent, or the one of this name, of the host."""
    name = name or environment.agent.use
    return agent(name).mounts(agent_settings(environment)) if name in NAMES else ()
