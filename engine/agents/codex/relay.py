"""The near end of the link: each connection of codex gets an exec server in the container."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from engine.agents.base import Chunk, Exit, Terminal
from engine.agents.codex import tap
from engine.agents.codex.home import SOCKET
from engine.errors import EngineError

_BLOCK = 1 << 16
_WAITING = 64
_END_SECONDS = 2.0
_LAST_WORDS = 2000


class Relay:
    """Listens in `folder` while its block runs; afterwards no exec server of it runs.

    Args:
        program: the codex binary in the container.
        inbox: gets what the taps tell, in order and before codex can know of it; `taken` is to be called for each.

    Attributes:
        ready: an exec server answers.
        calls: the tool calls whose commands were seen.
        trouble: what the last exec server that failed had to say.
    """

    def __init__(self, terminal: Terminal, program: str, folder: Path, inbox: asyncio.Queue[object]) -> None:
        self.ready = False
        self.trouble = ""
        self.calls: dict[str, str] = {}
        self._terminal, self._program, self._folder, self._inbox = terminal, program, folder, inbox
        self._room = asyncio.Semaphore(_WAITING)
        self._links: set[asyncio.Task[None]] = set()
        self._taps: list[tap.Tap] = []

    async def __aenter__(self) -> Relay:
        path = self._folder / SOCKET
        path.unlink(missing_ok=True)
        # As link.py says: the address has to be short.
        near = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._server = await asyncio.start_unix_server(self._connected, f"/proc/self/fd/{near}/{SOCKET}")
        finally:
            os.close(near)
        path.chmod(0o600)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Codex has ended, so its links end by themselves; those that do not are cut."""
        self._server.close()
        if self._links:
            _, late = await asyncio.wait(self._links, timeout=_END_SECONDS)
            for link in late:
                link.cancel()
            if late:
                await asyncio.wait(late)
        (self._folder / SOCKET).unlink(missing_ok=True)

    def taken(self) -> None:
        """Something that a tap told was taken out of the inbox."""
        self._room.release()

    def done(self, call: str) -> Iterator[tap.Told]:
        """See `Tap.done`."""
        for one in self._taps:
            yield from one.done(call)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        assert link is not None
        self._links.add(link)
        try:
            await self._link(reader, writer)
        except (OSError, EngineError) as error:
            self.trouble = str(error)
        finally:
            self.ready = False
            self._links.discard(link)
            writer.close()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Run an exec server until codex hangs up or it ends."""
        seen = tap.Tap(self.calls)
        self._taps.append(seen)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            upwards = asyncio.ensure_future(self._upwards(reader, ours, seen))
            try:
                await self._downwards(writer, theirs, seen)
            finally:
                upwards.cancel()
                await asyncio.wait({upwards})

    async def _upwards(self, reader: asyncio.StreamReader, ours: socket.socket, seen: tap.Tap) -> None:
        loop = asyncio.get_running_loop()
        while data := await reader.read(_BLOCK):
            for told in seen.asked(data):
                await self._tell(told)
            await loop.sock_sendall(ours, data)
        ours.shutdown(socket.SHUT_WR)

    async def _downwards(self, writer: asyncio.StreamWriter, theirs: socket.socket, seen: tap.Tap) -> None:
        said = b""
        argv = (self._program, "exec-server", "--listen", "stdio")
        async for item in self._terminal.run(argv, stdin=theirs.fileno()):
            match item:
                case Chunk(stream="err", data=data):
                    said = (said + data)[-_LAST_WORDS:]
                case Chunk(data=data):
                    for told in seen.answered(data):
                        await self._tell(told)
                    self.ready = self.ready or seen.ready
                    writer.write(data)
                    await writer.drain()
                case Exit(code=code) if code:
                    words = said.decode("utf-8", "replace").strip().rpartition("\n")[2]
                    self.trouble = f"the exec server ended with exit code {code}: {words or 'it gave no reason'}"

    async def _tell(self, told: tap.Told) -> None:
        await self._room.acquire()
        self._inbox.put_nowait(told)
