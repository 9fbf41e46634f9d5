"""The `acp` agent: any program in the container that speaks the Agent Client Protocol on its input and output.

The program has to be in the image, or setup installs it, or it is one that `fumehood agent install` has brought, which
the container is shown then. Tools are its own; we offer neither files nor terminals, which it has where it is. Where
its model is reached through the gateway, the key is put in there.
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

_BEARER = "Authorization"

INSIDE = "/run/fumehood/acp"
"""Where containers see the folder of the program, if it is an installed one."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What `[agent.options]` may say about an ACP agent, all of it text.

    Attributes:
        base_url: where its model is, over HTTPS, or over HTTP on this machine; empty when it needs none, or the
            environment's policy lets it out.
        key_env: the variable of the user's environment that holds the key; in the container it holds a placeholder.
        key_header: the header field for the key; in `Authorization` it is a bearer token.
    """

    base_url: str = ""
    key_env: str = ""
    key_header: str = _BEARER


class AcpAgent(Agent):
    """Runs `[agent] command` and gives it the prompt as one turn of a session, whose id is the session."""

    name = "acp"
    capabilities = Capabilities(where="container", live_output=True, resume=True)

    def check(self, settings: Mapping[str, Any], environment_dir: Path) -> list[str]:
        """A command, and a key where a model is named."""
        found = []
        if not settings.get("command"):
            found.append('agent acp needs a program: set [agent] command = ["opencode", "acp"], or another')
        try:
            self.route(settings)
        except UsageError as error:
            found.append(f"{error.message} ({error.hint})" if error.hint else error.message)
        return found

    def mounts(self, settings: Mapping[str, Any]) -> Sequence[Mount]:
        """The folder of the program, read-only, if it is an installed one that needs nothing else."""
        from engine.agents import packages
        from engine.containers.container import Mount

        name = next(iter(settings.get("command", ())), "")
        found = packages.installed(name) if name in packages.PACKAGES else None
        return (Mount(found.program.parent, INSIDE),) if found and not found.program.suffix else ()

    def secrets(self, settings: Mapping[str, Any]) -> Mapping[str, Secret]:
        """The key of the model, if it is given one."""
        from engine.secrets.secret import Secret

        key = _key(_read(settings))
        return {"key of the model": Secret(key.encode())} if key else {}

    def route(self, settings: Mapping[str, Any]) -> Route | None:
        """To everything below the address of the model."""
        from engine.agents.route import route
        from engine.secrets.secret import Secret

        read = _read(settings)
        key = _key(read)
        if not read.base_url:
            return None
        value = f"Bearer {key}" if read.key_header == _BEARER else key
        others = {_BEARER, "X-Api-Key", "X-Goog-Api-Key", "Api-Key", "Cookie"} - {read.key_header}
        return route(
            read.base_url,
            ("/*",),
            header=read.key_header,
            value=Secret(value.encode()) if key else None,
            drops=tuple(sorted(others)),
            variable=read.key_env,
        )

    async def start(self, job: Job) -> AsyncIterator[Yielded]:
        """Work on the job; see `engine.agents.acp.run`."""
        from engine.agents.acp.run import work

        async for event in work(job):
            yield event


def _read(settings: Mapping[str, Any]) -> Settings:
    read = read_options(Settings, "acp", settings)
    if read.key_env and not read.base_url:
        raise UsageError("option key_env has no use without base_url", "write both, or neither")
    return read


def _key(read: Settings) -> str:
    if not read.key_env:
        return ""
    key = os.environ.get(read.key_env, "").strip()
    if not key:
        raise UsageError(f"{read.key_env} is not set: it has to hold the key of the model", f"export {read.key_env}=…")
    return key
