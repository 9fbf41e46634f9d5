"""One page and its workbench: a process in a terminal of its own, whose other end is the page."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import struct
import sys
import termios
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence

from aiohttp import WSMsgType, web

_MOST_CELLS = 1000
_PIECE = 1 << 15
# Seconds that a workbench has to end in order.
_LEAVE = 5.0
# What tells of the terminal that serves, and not of the one in the browser.
_NOT_OURS = ("COLUMNS", "LINES", "LC_ALL", "TMUX", "STY", "SSH_TTY", "TERM_PROGRAM", "VTE_VERSION")


async def run(socket: web.WebSocketResponse, options: Sequence[str], columns: int, rows: int) -> None:
    """Start a workbench, and carry keys and frames until one side has ended; no process is left.

    Args:
        socket: the page's end.
        options: of the workbench.
        columns, rows: the size of the page, in cells.
    """
    ours, its = os.openpty()
    _resize(ours, columns, rows)
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tui.serve.inside", *options, env=_variables(os.environ), stdin=its, stdout=its,
            stderr=its,
        )  # fmt: skip
    finally:
        os.close(its)
    terminal = await _Terminal.at(ours)
    ends = [asyncio.create_task(_frames(terminal, socket)), asyncio.create_task(_keys(socket, terminal))]
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for end in ends:
            end.cancel()
        # The workbench is told by the system that its terminal is gone, as it would be if this process were killed.
        terminal.close()
        await asyncio.gather(*ends, return_exceptions=True)
        await socket.close()
        await _ended(process)


class _Terminal:
    """Our end of a terminal, read and written without waiting."""

    def __init__(self, descriptor: int, reader: asyncio.StreamReader, ways: tuple[asyncio.BaseTransport, ...]) -> None:
        self._descriptor = descriptor
        self._reader = reader
        self._ways = ways

    @classmethod
    async def at(cls, descriptor: int) -> _Terminal:
        """The terminal whose other end has been given away; it is closed with it."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_PIECE)
        out, into = os.fdopen(descriptor, "rb", 0), os.fdopen(os.dup(descriptor), "wb", 0)
        reading, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), out)
        writing, _ = await loop.connect_write_pipe(asyncio.Protocol, into)
        return cls(descriptor, reader, (reading, writing))

    async def read(self) -> bytes:
        """What was written next; nothing once nobody has the terminal open any more."""
        try:
            return await self._reader.read(_PIECE)
        except OSError:
            return b""

    def write(self, data: bytes) -> None:
        """Have this typed."""
        writing = self._ways[1]
        assert isinstance(writing, asyncio.WriteTransport)
        writing.write(data)

    def resize(self, columns: int, rows: int) -> None:
        """Make it larger or smaller."""
        _resize(self._descriptor, columns, rows)

    def close(self) -> None:
        """Hang up."""
        for way in self._ways:
            way.abort() if isinstance(way, asyncio.WriteTransport) else way.close()


def _resize(descriptor: int, columns: int, rows: int) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


async def _frames(terminal: _Terminal, socket: web.WebSocketResponse) -> None:
    while data := await terminal.read():
        with contextlib.suppress(ConnectionError):
            # Waits for a slow page; the workbench leaves frames out meanwhile.
            await socket.send_bytes(data)


async def _keys(socket: web.WebSocketResponse, terminal: _Terminal) -> None:
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            match _said(message.data):
                case str(typed):
                    terminal.write(typed.encode("utf-8", "replace"))
                case (columns, rows):
                    terminal.resize(columns, rows)


async def _ended(process: Process) -> None:
    try:
        await asyncio.wait_for(process.wait(), _LEAVE)
    except TimeoutError:
        process.kill()
        await process.wait()


def _variables(own: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in own.items() if name not in _NOT_OURS}
    return kept | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_CTYPE": "C.UTF-8"}


def cells(text: str, default: int) -> int:
    """A number of columns or rows, as the address of a websocket has it."""
    return _within(int(text)) if text.isascii() and text.isdigit() and len(text) < 6 else default


def _within(count: int) -> int:
    return max(1, min(count, _MOST_CELLS))


def _said(message: str) -> str | tuple[int, int] | None:
    """What a message of textual-serve's page is about: keys, a size, or nothing that the workbench has to know."""
    try:
        told = json.loads(message)
    except ValueError:
        return None
    match told:
        case ["stdin", str(typed)]:
            return typed
        case ["resize", {"width": int(width), "height": int(height)}]:
            return _within(width), _within(height)
    return None
