"""The agents: which there are, what each needs, installing their programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.agents.listing import AgentEntry


class Agents:
    """The agents of this version."""

    def names(self) -> tuple[str, ...]:
        """Their names, in the order they are offered."""
        from engine.agents import NAMES

        return NAMES

    def list(self) -> Sequence[AgentEntry]:
        """Every agent, those whose command line can be installed included, with what each needs to start."""
        from engine.agents.listing import listing

        return listing()

    def install(self, name: str, progress: Callable[[str], None], *, version: str = "") -> Path:
        """Install the command line of an agent with npm; returns its program.

        Raises:
            UsageError: it cannot be installed; EngineError: npm or the program failed.
        """
        from engine.agents.install import install as install_program

        return install_program(name, version, progress).program
