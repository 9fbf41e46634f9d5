"""The lab of `tests.network_lab` with servers that speak TLS under an authority of their own, and a gateway that
looks into it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from engine.network.certificates import Authority, load_authority
from engine.network.credentials import Credential
from engine.network.gateway import Limits
from tests.network_lab import Lab, running_lab

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
SERVED = ("allowed.test", "www.wild.test", "evil.test", "mixed.wild.test")


class TlsLab:
    """A lab and its TLS servers, all on one port.

    Attributes:
        lab: names, plain servers, gateway and records.
        port: where the TLS servers listen.
        answers: raw answers by path; other paths say who was reached and what was received.
        closing: whether the servers close after each answer, whatever it says.
        seen: heads and bodies of the requests that arrived, in order.
        trust: what a client in the container trusts: the gateway's authority alone.
        server_trust: what trusts the servers.
    """

    lab: Lab

    def __init__(self, gateway: Authority, servers: Authority) -> None:
        self.port = 0
        self.answers: dict[str, bytes] = {}
        self.closing = False
        self.seen: list[bytes] = []
        self.trust = ssl.create_default_context(cadata=gateway.certificate.decode())
        self.server_trust = ssl.create_default_context(cadata=servers.certificate.decode())

    async def open(self, host: str, server_name: str | None = None) -> Streams:
        """A tunnel to `host` and TLS inside it.

        Raises:
            ConnectionError: the tunnel was refused.
            ssl.SSLError: the handshake was.
        """
        target = f"{host}:{self.port}"
        return await self.open_by(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode(), server_name or host)

    async def open_by(self, connect: bytes, server_name: str) -> Streams:
        """As `open`, with a CONNECT request as it is given."""
        reader, writer = await self.lab.connect()
        writer.write(connect)
        head = await asyncio.wait_for(reader.read(65536), 20)
        if not head.startswith(b"HTTP/1.1 200"):
            await closed(writer)
            raise ConnectionError(head)
        await writer.start_tls(self.trust, server_hostname=server_name)
        return reader, writer

    async def ask(self, host: str, request: bytes) -> bytes:
        """What comes back to `request` in a tunnel to `host`, until the connection ends."""
        reader, writer = await self.open(host)
        writer.write(request)
        try:
            return await asyncio.wait_for(reader.read(), 20)
        finally:
            await closed(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ")[1].decode()
                if b"expect: 100-continue" in head.lower():
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                received = head + await _body(reader, head)
                self.seen.append(received)
                text = f"REACHED {writer.get_extra_info('sockname')[0]}\n".encode() + received
                length = b"Content-Length: %d\r\n\r\n" % len(text)
                answer = self.answers.get(path, b"HTTP/1.1 200 OK\r\n" + length + text)
                writer.write(answer)
                await writer.drain()
                if self.closing or b"connection: close" in answer.lower() or b"CUT" in answer:
                    break
        writer.close()


@asynccontextmanager
async def running_tls_lab(
    folder: Path,
    limits: Limits | None = None,
    credentials: Callable[[int], list[Credential]] = lambda port: [],
    **options: Any,
) -> AsyncIterator[TlsLab]:
    """A lab whose gateway has an authority and trusts that of the servers; its policy is off at first.

    `credentials` makes the network secrets, from the port of the servers.
    """
    servers, gateway = load_authority(folder / "servers"), load_authority(folder / "gateway")

    def choose(connection: ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        if name in SERVED:
            connection.context = servers.server_context(name)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = choose
    tls = TlsLab(gateway, servers)
    options = {"trust": tls.server_trust, **options}
    server = await asyncio.start_server(tls._serve, "0.0.0.0", 0, ssl=context)
    tls.port = server.sockets[0].getsockname()[1]
    try:
        async with running_lab(
            folder, limits=limits, authority=gateway, credentials=credentials(tls.port), **options
        ) as tls.lab:
            yield tls
    finally:
        server.close()
        await server.wait_closed()


async def closed(writer: asyncio.StreamWriter) -> None:
    """Close a connection, whatever is left of it."""
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


async def answer_of(reader: asyncio.StreamReader) -> bytes:
    """One answer with a length, from a connection that goes on."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    return head + await _body(reader, head)


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    if b"transfer-encoding: chunked" in head.lower():
        body = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readuntil(b"\r\n")
        return body
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return await reader.readexactly(int(length)) if length else b""
