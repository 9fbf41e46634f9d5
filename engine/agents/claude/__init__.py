"""The `claude` agent: Claude Code in the container, which reaches its model through the gateway and nothing else by it.

It runs its tools in its own process, so it has to be where they are. The key stays on the host: the gateway puts it in.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.agents.base import Agent, Capabilities, Job, Yielded
from engine.agents.options import read_options
from engine.errors import UsageError

if TYPE_CHECKING:
    from engine.agents.route import Route
    from engine.containers.container import Mount
    from engine.secrets.secret import Secret

INSIDE = "/run/fumehood/claude"
"""Where containers see its program's folder."""

_KEY = "key of the model"
_KEY_ENV = "ANTHROPIC_API_KEY"


@dataclass(frozen=True, slots=True)
class Settings:
    """What `[agent.options]` may say about claude, all of it text.

    Attributes:
        model: the model's name or alias; empty for the one it prefers itself.
        base_url: another endpoint that speaks the Messages API: over HTTPS, or over HTTP on this machine.
        key_env: the variable of the user's environment that holds the key; when empty ANTHROPIC_API_KEY, and none for
            a model on this machine.
    """

    model: str = ""
    base_url: str = "https://api.anthropic.com"
    key_env: str = ""


class ClaudeAgent(Agent):
    """Works on the prompt as one turn of a session of claude, whose id is the session."""

    name = "claude"
    capabilities = Capabilities(where="container", live_output=False, resume=True)

    def check(self, settings: Mapping[str, Any], environment_dir: Path) -> list[str]:
        """Its program has to be there, and a key."""
        found = []
        try:
            self.route(settings)
        except UsageError as error:
            found.append(f"{error.message} ({error.hint})" if error.hint else error.message)
        if not self.mounts(settings):
            found.append("claude is not installed (install it: fumehood agent install claude)")
        return found

    def mounts(self, settings: Mapping[str, Any]) -> Sequence[Mount]:
        """The folder of its program, read-only; nothing while it is not installed."""
        from engine.agents import packages
        from engine.containers.container import Mount

        installed = packages.installed("claude")
        return (Mount(installed.program.parent, INSIDE),) if installed else ()

    def secrets(self, settings: Mapping[str, Any]) -> Mapping[str, Secret]:
        """The key of the model."""
        key = self.route(settings).value
        return {_KEY: key} if key else {}

    def route(self, settings: Mapping[str, Any]) -> Route:
        """To the Messages API, and there to nothing but messages."""
        from engine.agents.route import is_local, route
        from engine.secrets.secret import Secret

        read = read_options(Settings, "claude", settings)
        name = read.key_env or ("" if is_local(read.base_url) else _KEY_ENV)
        key = os.environ.get(name, "").strip() if name else ""
        if name and not key:
            raise UsageError(f"{name} is not set: it has to hold the key of the model", f"export {name}=…")
        return route(
            read.base_url,
            ("/v1/messages", "/v1/messages/*"),
            header="X-Api-Key",
            value=Secret(key.encode()) if key else None,
            drops=("Authorization", "Cookie"),
            variable=_KEY_ENV,
        )

    async def start(self, job: Job) -> AsyncIterator[Yielded]:
        """Work on the job; see `engine.agents.claude.run`."""
        from engine.agents.claude.run import work

        read = read_options(Settings, "claude", job.settings)
        async for event in work(job, read, self.route(job.settings).url):
            yield event
