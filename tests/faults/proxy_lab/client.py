"""One case, sent as it is, from beside the gateway."""

from __future__ import annotations

import re
import socket
import ssl
from contextlib import suppress

from tests.faults.proxy_lab.cases import Case, Cut, Tls
from tests.faults.proxy_lab.places import LOOPBACK
from tests.network_lab import records_of

_SECONDS = 5.0
_PIECE = 65536
_LENGTH = re.compile(rb"\r\ncontent-length: ([0-9]+)\r\n", re.IGNORECASE)
_RECORD_HEAD = 5
_SMALL_RECORD = 64


def ask(case: Case, port: int, trust: ssl.SSLContext) -> bytes:
    """What came back until the connection ended: from inside the tunnel, if one was opened.

    A TLS fault ends it too, and is part of it. Empty: nothing came for five seconds.
    """
    with socket.create_connection((LOOPBACK, port), timeout=_SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(case.request.replace(b"{PORT}", str(port).encode()))
        if case.inside is None:
            return _rest(connection)
        opened = _one_answer(connection, b"")
        if not opened.startswith(b"HTTP/1.1 200"):
            return opened
        with suppress(TimeoutError, ConnectionError):
            if isinstance(case.inside, Tls):
                return _ask_in_tls(connection, case.inside, trust)
            connection.sendall(case.inside)
            return _rest(connection)
        return b""


def _ask_in_tls(connection: socket.socket, inside: Tls, trust: ssl.SSLContext) -> bytes:
    got = b""
    try:
        tls = _Tls(connection, inside, trust)
        for message in inside.messages:
            tls.send(message)
            got += _one_answer(tls, b"")
        return got
    except ssl.SSLError as fault:
        return got + f"TLS {fault.reason}".encode()


class _Tls:
    """TLS on a socket, its ClientHello cut as asked."""

    def __init__(self, connection: socket.socket, inside: Tls, trust: ssl.SSLContext) -> None:
        self._connection = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = trust.wrap_bio(self._incoming, self._outgoing, server_hostname=inside.name)
        cut: Cut = inside.cut
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                for piece in _pieces(self._outgoing.read(), cut):
                    connection.sendall(piece)
                cut = "whole"
                self._arrive()
                continue
            break
        self._flush()

    def send(self, data: bytes) -> None:
        self._tls.write(data)
        self._flush()

    def recv(self, size: int) -> bytes:
        while True:
            try:
                return self._tls.read(size)
            except ssl.SSLWantReadError:
                self._arrive()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    def _arrive(self) -> None:
        data = self._connection.recv(_PIECE)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _flush(self) -> None:
        self._connection.sendall(self._outgoing.read())


def _pieces(hello: bytes, cut: Cut) -> list[bytes]:
    if cut == "bytes":
        return [hello[place : place + 1] for place in range(len(hello))]
    return [records_of(hello[_RECORD_HEAD:], _SMALL_RECORD)] if cut == "records" else [hello]


def _one_answer(connection: socket.socket | _Tls, got: bytes) -> bytes:
    """An HTTP answer as long as it says it is; what there is of it when the connection ends or goes silent."""
    with suppress(TimeoutError, ConnectionError):
        while not _whole(got) and (piece := connection.recv(_PIECE)):
            got += piece
    return got


def _whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = _LENGTH.search(head + end)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


def _rest(connection: socket.socket) -> bytes:
    got = b""
    with suppress(TimeoutError, ConnectionError):
        while piece := connection.recv(_PIECE):
            got += piece
    return got
