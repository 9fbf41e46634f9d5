"""What the engine says while it pulls or builds: JSON messages, read as they come."""

from __future__ import annotations

import json
import socket
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

_READ_SIZE = 1 << 16
# How long nobody hears anything at most: the time in which an order to end is seen.
_TICK = 0.2


def messages(connection: socket.socket) -> Generator[dict[str, Any] | None, None, None]:
    """The messages of an answer whose request was sent; None whenever there was none for a moment.

    Closing the iterator hangs up, and the engine then ends what it was doing. An answer that is an error comes as the
    one message `{"error": TEXT, "status": CODE}`.

    Raises:
        OSError: the engine went away in the middle.
    """
    answer = _Answer()
    with closing(connection):
        connection.settimeout(_TICK)
        while not answer.complete:
            try:
                data = connection.recv(_READ_SIZE)
            except TimeoutError:
                yield None
                continue
            if not data:
                answer.end()
            else:
                yield from answer.feed(data)
        yield from answer.rest()


class _Answer:
    """An HTTP answer, fed in pieces cut anywhere."""

    def __init__(self) -> None:
        self.complete = False
        self._raw, self._body = b"", b""
        self._status = 0
        self._left = -1
        self._chunked = False

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        self._raw += data
        if not self._status and not self._head():
            return
        self._take()
        if self._status < 400:
            *lines, self._body = self._body.split(b"\n")
            yield from (json.loads(line) for line in lines if line.strip())

    def end(self) -> None:
        """No more will come."""
        if not self._status or self._chunked or self._left > 0:
            raise ConnectionError("the container engine hung up in the middle of an answer")
        self.complete = True

    def rest(self) -> Iterator[dict[str, Any]]:
        """What is left of a complete answer."""
        if self._status >= 400:
            yield {"error": _reason(self._body), "status": self._status}
        elif self._body.strip():
            yield json.loads(self._body)

    def _head(self) -> bool:
        head, end, rest = self._raw.partition(b"\r\n\r\n")
        if not end:
            return False
        first, *lines = head.decode("latin-1").lower().split("\r\n")
        headers = dict(line.split(":", 1) for line in lines if ":" in line)
        self._chunked = headers.get("transfer-encoding", "").strip() == "chunked"
        self._left = 0 if self._chunked else int(headers.get("content-length", -1))
        self._status, self._raw = int(first.split()[1]), rest
        return True

    def _take(self) -> None:
        """Move what is body from the raw bytes to the body."""
        if not self._chunked:
            self._body, self._raw = self._body + self._raw, b""
            self.complete = 0 <= self._left <= len(self._body)
            return
        while self._raw:
            if self._left == 0:
                line, end, rest = self._raw.partition(b"\r\n")
                if not end:
                    return
                size = int(line.split(b";")[0], 16)
                self.complete = size == 0
                if self.complete:
                    return
                # The chunk, and the line break that ends it.
                self._raw, self._left = rest, size + 2
            taken = self._raw[: self._left]
            self._raw = self._raw[len(taken) :]
            self._body += taken[: max(0, self._left - 2)]
            self._left -= len(taken)


def _reason(body: bytes) -> str:
    text = body.decode("utf-8", "replace").strip()
    try:
        return str(json.loads(text)["message"]).strip()
    except (ValueError, KeyError, TypeError):
        return text[:500] or "the container engine gave no reason"
