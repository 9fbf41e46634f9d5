"""The `codex` agent: OpenAI's Codex CLI on the host, with every command and every edit in the container.

Its app server runs here, with the key of the model; the container has no route to the model and never sees the key.
What it runs there goes through the exec server of the same binary, which the container is shown read-only.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.agents.base import Agent, Capabilities, Job, Yielded
from engine.errors import UsageError

if TYPE_CHECKING:
    from engine.containers.container import Mount
    from engine.secrets.secret import Secret


class CodexAgent(Agent):
    """Works on the prompt as one turn of a codex thread, whose id is the session.

    What `[agent.options]` may say: `engine.agents.codex.settings.Settings`.
    """

    name = "codex"
    capabilities = Capabilities(where="host", live_output=True, resume=True)

    def check(self, settings: Mapping[str, Any], environment_dir: Path) -> list[str]:
        """Codex has to be there, and a key or a login for its model."""
        from engine.agents.codex import program
        from engine.agents.codex import settings as options

        found: list[str] = []
        try:
            read = options.read(settings)
        except UsageError as error:
            return [_told(error)]
        for need in (lambda: program.find(read.program), lambda: options.login(read, os.environ)):
            try:
                need()
            except UsageError as error:
                found.append(_told(error))
        return found

    def mounts(self, settings: Mapping[str, Any]) -> Sequence[Mount]:
        """The program, read-only; nothing while it is not installed."""
        from engine.agents.codex import program
        from engine.agents.codex import settings as options

        try:
            return (program.find(options.read(settings).program).mount,)
        except UsageError:
            return ()

    def secrets(self, settings: Mapping[str, Any]) -> Mapping[str, Secret]:
        """The key of the model."""
        from engine.agents.codex import settings as options
        from engine.secrets.secret import Secret

        key = options.login(options.read(settings), os.environ).key
        return {"key of the model": Secret(key.encode())} if key else {}

    async def start(self, job: Job) -> AsyncIterator[Yielded]:
        """Work on the job; see `engine.agents.codex.run`."""
        from engine.agents.codex import program, run
        from engine.agents.codex import settings as options

        read = options.read(job.settings)
        found, login = program.find(read.program), options.login(read, os.environ)
        async for event in run.work(job, read, found, login):
            yield event


def _told(error: UsageError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message
