"""A terminal for adapters under test: programs run on this machine, in a folder of the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.agents.base import Agent, Chunk, Exit, Job, Yielded


class HereTerminal:
    """Runs programs where the test runs; `workdir` and its like are paths of this machine."""

    def __init__(self) -> None:
        self.ran: list[Sequence[str]] = []

    async def run(
        self, argv: Sequence[str], *, cwd: str = "", env: Mapping[str, str] | None = None, stdin: bytes | int = b""
    ) -> AsyncIterator[Chunk | Exit]:
        self.ran.append(argv)
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=cwd or None,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        assert process.stdout is not None
        try:
            while data := await process.stdout.read(1 << 16):
                yield Chunk("out", data)
            yield Exit(await process.wait())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def turn(agent: Agent, folder: Path, prompt: str = "go", session: str = "", **options: Any) -> list[Yielded]:
    """Everything an adapter yields for one prompt."""
    (folder / "work").mkdir(exist_ok=True)
    job = Job(
        prompt=prompt,
        workdir=str(folder / "work"),
        terminal=HereTerminal(),
        home=folder / "home",
        environment_dir=folder,
        session=session,
        settings=options,
    )
    return [item async for item in agent.start(job)]
