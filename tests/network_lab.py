"""A small internet for gateway tests: servers on loopback addresses that say who was reached, and names for them."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from engine.network.addresses import refused_class
from engine.network.gateway import Gateway, Limits, RequestRecord
from engine.network.policy import Policy
from engine.network.resolver import Resolver

ALLOWED, WILD, EVIL = "127.0.1.10", "127.0.1.11", "127.0.1.66"
PUBLIC = frozenset({ALLOWED, WILD, EVIL})
NAMES: dict[str, list[str]] = {
    "allowed.test": [ALLOWED],
    "evil.test": [EVIL],
    "www.wild.test": [WILD],
    "loop.wild.test": ["127.0.0.1"],
    "meta.wild.test": ["169.254.169.254"],
    "mixed.wild.test": ["127.0.0.1", WILD],
    "second.wild.test": ["127.0.1.99", WILD],
}


class Lab:
    """The servers, the gateway in front of them, and what it recorded."""

    def __init__(self, folder: Path) -> None:
        self.address = ("", 0)
        self.path = folder / "private" / "socket" / "gateway.sock"
        self.port = 0
        self.records: list[RequestRecord] = []
        self.gateway: Gateway
        self._recorded = asyncio.Event()

    def note(self, record: RequestRecord) -> None:
        """What the gateway calls for each request."""
        self.records.append(record)
        self._recorded.set()

    def lookup(self, host: str) -> list[str]:
        """The name service."""
        if host not in NAMES:
            raise OSError("no such name")
        return NAMES[host]

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the gateway."""
        return await asyncio.open_connection(*self.address)

    async def ask(self, request: bytes, inside: bytes | None = None) -> bytes:
        """Send `request`; if that opened a tunnel send `inside` too. All bytes that came back until the end."""
        reader, writer = await self.connect()
        try:
            writer.write(request)
            got = b""
            if inside is not None:
                got = await _until_head_end(reader)
                if got.startswith(b"HTTP/1.1 200"):
                    writer.write(inside)
            return got + await asyncio.wait_for(reader.read(), 20)
        finally:
            writer.close()

    async def settled(self, number: int) -> list[RequestRecord]:
        """The records, once there are `number` of them."""
        while len(self.records) < number:
            self._recorded.clear()
            await asyncio.wait_for(self._recorded.wait(), 20)
        return self.records


@asynccontextmanager
async def running_lab(
    folder: Path, policy: Policy | None = None, limits: Limits | None = None, **options: Any
) -> AsyncIterator[Lab]:
    """A lab whose gateway dials the lab's own loopback addresses, and refuses everything else it should refuse.

    `options` go to the gateway.
    """
    lab = Lab(folder)
    lab.path.parent.parent.mkdir(mode=0o700)
    server = await asyncio.start_server(_serve, sock=_listener(socket.AF_INET, "0.0.0.0", 0))
    lab.port = server.sockets[0].getsockname()[1]
    servers = [server]
    if socket.has_ipv6:
        servers.append(await asyncio.start_server(_serve, sock=_listener(socket.AF_INET6, "::1", lab.port)))
    lab.gateway = Gateway(
        policy or Policy("off"),
        on_request=lab.note,
        refuse=lambda address: None if address in PUBLIC | {"127.0.1.99"} else refused_class(address),
        resolver=Resolver(lab.lookup),
        limits=limits,
        **options,
    )
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    lab.address = listener.getsockname()
    await lab.gateway.start_on(listener)
    await lab.gateway.start(lab.path)
    try:
        yield lab
    finally:
        await lab.gateway.close()
        for each in servers:
            each.close()
            await each.wait_closed()


def client_hello(server_name: str | None) -> bytes:
    """What OpenSSL sends first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.check_hostname = False
    connection = context.wrap_bio(incoming, outgoing, server_hostname=server_name)
    with suppress(ssl.SSLWantReadError):
        connection.do_handshake()
    return outgoing.read()


def records_of(message: bytes, size: int) -> bytes:
    """A handshake message cut into TLS records of `size` bytes."""
    pieces = (message[start : start + size] for start in range(0, len(message), size))
    return b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece for piece in pieces)


def made_hello(*extensions: tuple[int, bytes]) -> bytes:
    """A ClientHello handshake message with exactly these extensions."""
    block = b"".join(
        number.to_bytes(2, "big") + len(content).to_bytes(2, "big") + content for number, content in extensions
    )
    body = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00" + len(block).to_bytes(2, "big") + block
    return b"\x01" + len(body).to_bytes(3, "big") + body


def name_extension(name: bytes) -> tuple[int, bytes]:
    """The extension that names the server."""
    entry = b"\x00" + len(name).to_bytes(2, "big") + name
    return 0, len(entry).to_bytes(2, "big") + entry


def _listener(family: int, address: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    return listener


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with the address that was reached and everything that was received."""
    with suppress(OSError, asyncio.IncompleteReadError):
        seen = await reader.read(1)
        if seen != b"\x16":
            seen += await _until_head_end(reader)
            seen += await _body(reader, seen)
        body = f"REACHED {writer.get_extra_info('sockname')[0]}\n".encode() + seen
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(body), body))
        await writer.drain()
    writer.close()


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    if b"chunked" in head.lower():
        return await reader.readuntil(b"0\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return await reader.readexactly(int(length)) if length else b""


async def _until_head_end(reader: asyncio.StreamReader) -> bytes:
    try:
        return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    except asyncio.IncompleteReadError as cut:
        return cut.partial
