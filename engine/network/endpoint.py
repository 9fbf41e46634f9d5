"""One side of a proxied connection: read from while heads arrive, then poured into the other side at full speed."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

_T = TypeVar("_T")
Bytes = bytes | bytearray | memoryview
_WRITE_AHEAD = 64 * 1024
_READ_AHEAD = 128 * 1024
# Read at once while bytes pour: takes a third less processor time a byte than the pieces asyncio reads by itself.
_SPACE = 512 * 1024


class _Space(threading.local):
    """What all endpoints of one event loop read into; it is free again before the loop does anything else."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(_SPACE))


_space = _Space()


class ConnectionEnded(Exception):
    """The other party closed before it had sent what was expected."""


class Endpoint(asyncio.BufferedProtocol):
    """A connected socket under asyncio.

    At first bytes gather here and are read with `receive` and `take`, and reading stops while many wait; after `pour`
    each piece goes straight to a sink, and reading stops while the side it is poured into is full.

    Attributes:
        received: bytes that have arrived.
        sent: bytes written.
        gathered: bytes that arrived and were neither taken nor poured on.
        ended: resolved when the other party has sent its last byte, or is gone.
        lost: resolved when the connection is gone.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.received = 0
        self.sent = 0
        self.gathered = bytearray()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._descriptor = -1
        self._space = _space.view
        self._arrived = asyncio.Event()
        self._sink: Callable[[Bytes], None] | None = None
        self._source: Endpoint | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    async def receive(self, parse: Callable[[bytearray], _T | None]) -> _T:
        """Wait until `parse` makes something of the bytes gathered so far; it sees them all and takes none.

        Raises:
            ConnectionEnded: no more bytes will come.
        """
        while True:
            parsed = parse(self.gathered)
            if parsed is not None:
                return parsed
            if self.ended.done():
                raise ConnectionEnded
            self._arrived.clear()
            await self._arrived.wait()

    def take(self, size: int) -> bytes:
        """Remove and return the first `size` bytes gathered."""
        with memoryview(self.gathered) as view:
            taken = bytes(view[:size])
        del self.gathered[:size]
        if len(self.gathered) <= _READ_AHEAD and self._transport is not None:
            self._transport.resume_reading()
        return taken

    def pour(self, sink: Callable[[Bytes], None], *, into: Endpoint | None = None) -> None:
        """Give what was gathered and all that follows to `sink`; reading stops while the side `into` is full."""
        if into is not None:
            into._source = self
        self._sink = sink
        if self.gathered:
            sink(self.take(len(self.gathered)))
        if self._transport is not None:
            self._transport.resume_reading()

    def write(self, data: Bytes) -> None:
        """Send `data`, of which nothing is kept; what does not fit the socket is copied, and stops the other side."""
        if self._transport is None or self._transport.is_closing():
            return
        self.sent += len(data)
        taken = 0
        if not self._transport.get_write_buffer_size():
            # A fault of the connection is asyncio's to meet, in its own write.
            with suppress(OSError):
                taken = os.write(self._descriptor, data)
        if taken < len(data):
            self._transport.write(bytes(memoryview(data)[taken:]))

    async def drain(self) -> None:
        """Wait while what was written does not fit the socket.

        Raises:
            ConnectionEnded: the connection is gone.
        """
        await self._writable.wait()
        if self._transport is None or self._transport.is_closing():
            raise ConnectionEnded

    def finish(self) -> None:
        """Say that nothing more will be sent; receiving goes on."""
        if self._transport is not None and not self._transport.is_closing():
            # The other party may be gone already; asyncio tells by connection_lost.
            with suppress(OSError):
                self._transport.write_eof()

    def close(self) -> None:
        """Close once everything written is sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close now, dropping what was not sent."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = cast(asyncio.Transport, transport)
        self._descriptor = transport.get_extra_info("socket").fileno()
        self._transport.set_write_buffer_limits(high=_WRITE_AHEAD)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Called by asyncio before it reads."""
        return self._space if self._sink is not None else self._space[:_READ_AHEAD]

    def buffer_updated(self, nbytes: int) -> None:
        """Called by asyncio when it has read."""
        self.received += nbytes
        if self._sink is not None:
            self._sink(self._space[:nbytes])
            return
        self.gathered += self._space[:nbytes]
        if len(self.gathered) > _READ_AHEAD and self._transport is not None:
            self._transport.pause_reading()
        self._arrived.set()

    def eof_received(self) -> bool:
        """Called by asyncio; true keeps the other direction open."""
        self._end()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self._transport = None
        self._writable.set()
        self._end()
        if not self.lost.done():
            self.lost.set_result(None)

    def pause_writing(self) -> None:
        """Called by asyncio when more than `_WRITE_AHEAD` bytes wait to be sent."""
        self._writable.clear()
        if self._source is not None and self._source._transport is not None:
            self._source._transport.pause_reading()

    def resume_writing(self) -> None:
        """Called by asyncio when they were sent."""
        self._writable.set()
        if self._source is not None and self._source._transport is not None:
            self._source._transport.resume_reading()

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
        self._arrived.set()


async def splice(client: Endpoint, server: Endpoint, idle: float) -> None:
    """Pass everything both ways until both sides have ended, one is gone, or neither moved for `idle` seconds."""
    client.ended.add_done_callback(lambda _: server.finish())
    server.ended.add_done_callback(lambda _: client.finish())
    client.pour(server.write, into=server)
    server.pour(client.write, into=client)
    both = asyncio.gather(client.ended, server.ended)
    await moving((client, server), {both, client.lost, server.lost}, idle)


async def linger(side: Endpoint, seconds: float = 2.0) -> None:
    """Say that nothing more will be sent, and drop what still comes for a while: who is still sending a body would
    lose the answer if we closed at once."""
    side.finish()
    side.pour(lambda _: None)
    await asyncio.wait({side.ended}, timeout=seconds)


async def moving(sides: tuple[Endpoint, ...], until: set[asyncio.Future[Any]], idle: float) -> None:
    """Wait until one of `until` is done, or the sides received nothing for `idle` seconds (at most twice that)."""
    before = -1
    while before != (now := sum(side.received for side in sides)):
        before = now
        done, _ = await asyncio.wait(until, timeout=idle, return_when=asyncio.FIRST_COMPLETED)
        if done:
            return
