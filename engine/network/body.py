"""Request bodies on their way to the server: passed on exactly as long as the head said, and not a byte more."""

from __future__ import annotations

import re

from engine.network.endpoint import Bytes
from engine.network.request import BadRequest, Body

_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")
_CRLF = b"\r\n"


class SizedBody:
    """A body of a known number of bytes; what the client sends after it is dropped."""

    def __init__(self, size: int) -> None:
        self._left = size

    @property
    def finished(self) -> bool:
        """Whether the whole body was seen."""
        return self._left == 0

    def feed(self, data: Bytes) -> Bytes:
        """What to pass on of `data`."""
        taken = data[: self._left]
        self._left -= len(taken)
        return taken


class ChunkedBody:
    """A chunked body, decoded strictly and framed anew, so that the server sees no other framing than we did."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._left = 0
        self._inside = False
        self._last = False
        self.finished = False

    def feed(self, data: Bytes) -> bytes:
        """What to pass on after `data` came in.

        Raises:
            BadRequest: the framing is malformed, or uses extensions or trailers.
        """
        self._buffer += data
        passed = bytearray()
        while not self.finished and (piece := self._next()) is not None:
            passed += piece
        if self.finished:
            self._buffer.clear()
        return bytes(passed)

    def _next(self) -> bytes | None:
        """One step of the framing, as the bytes to pass on; None while bytes are missing."""
        if self._left:
            return self._data()
        if self._inside or self._last:
            return self._line_end()
        return self._size()

    def _size(self) -> bytes | None:
        end = self._buffer.find(_CRLF)
        if end < 0 and len(self._buffer) < 17:
            return None
        if not _SIZE.fullmatch(line := bytes(self._buffer[: max(end, 0)])):
            raise BadRequest("a chunk size is malformed")
        del self._buffer[: end + 2]
        self._left = int(line, 16)
        self._inside, self._last = self._left > 0, self._left == 0
        return b""

    def _data(self) -> bytes | None:
        piece = bytes(self._buffer[: self._left])
        if not piece:
            return None
        del self._buffer[: len(piece)]
        self._left -= len(piece)
        return b"%x\r\n%b\r\n" % (len(piece), piece)

    def _line_end(self) -> bytes | None:
        if len(self._buffer) < 2:
            return None
        if self._buffer[:2] != _CRLF:
            raise BadRequest("a chunk is longer than it says, or a trailer follows the body")
        del self._buffer[:2]
        self._inside = False
        self.finished = self._last
        return b"0\r\n\r\n" if self._last else b""


def body_reader(body: Body) -> SizedBody | ChunkedBody:
    """The reader for what a request head announced."""
    return ChunkedBody() if body == "chunked" else SizedBody(body)
