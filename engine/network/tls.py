"""TLS on a connected socket, read and written as it comes: for ends of a tunnel that the gateway looks into."""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import cast

from engine.network.endpoint import ConnectionEnded, Endpoint

_PIECE = 65536


class TlsStream:
    """One end of a TLS connection on an `Endpoint`, which must not be poured.

    Args:
        endpoint: the connected socket; what it has gathered belongs to the handshake.
        context: what to speak TLS with.
        server_name: the server to verify; None to be the server.

    Attributes:
        received: bytes that have arrived, decrypted.
        sent: bytes written, before encryption.
    """

    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext, server_name: str | None = None) -> None:
        self.received = 0
        self.sent = 0
        self._endpoint = endpoint
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_name is None, server_hostname=server_name
        )
        self._space = memoryview(bytearray(_PIECE))
        self._closed = False

    async def handshake(self) -> None:
        """Agree on keys.

        Raises:
            ssl.SSLError: the other party does not want ours, or we do not want its certificate.
            ConnectionEnded: it went away.
        """
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                await self._arrive()
                continue
            finally:
                self._flush()
            return

    async def read(self) -> bytes:
        """The bytes that have arrived, as soon as there are some; empty when the other party said it was the end.

        Raises:
            ConnectionEnded: the connection broke, or ended without that word.
        """
        while not (data := self._decrypted()) and not self._closed:
            await self._arrive()
        self.received += len(data)
        return data

    async def write(self, data: bytes) -> None:
        """Send `data`; waits while the other party takes nothing.

        Raises:
            ConnectionEnded: it is gone.
        """
        view = memoryview(data)
        try:
            while view:
                view = view[self._tls.write(view) :]
        except ssl.SSLError:
            raise ConnectionEnded from None
        self.sent += len(data)
        self._flush()
        await self._endpoint.drain()

    def finish(self) -> None:
        """Say that nothing more will be sent."""
        # The other party has not said so yet, which is no error; nobody waits for it.
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()

    def _decrypted(self) -> bytes:
        size = 0
        try:
            while size < _PIECE:
                got = self._tls.read(_PIECE - size, cast(bytearray, self._space[size:]))
                if not got:
                    self._closed = True
                    break
                size += cast(int, got)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            raise ConnectionEnded from None
        self._flush()
        return bytes(self._space[:size])

    async def _arrive(self) -> None:
        await self._endpoint.receive(lambda data: data or None)
        self._incoming.write(self._endpoint.take(len(self._endpoint.gathered)))

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._endpoint.write(self._outgoing.read())
