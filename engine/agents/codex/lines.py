"""JSON objects, a line each, out of bytes that come cut anywhere; what is none is passed over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Message = dict[str, Any]
LONGEST = 32 << 20
_BITS = 53


class Lines:
    """Takes a stream apart into messages; a line longer than `longest` bytes is skipped, not kept in memory."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._rest = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are complete with `data`."""
        *whole, rest = data.split(b"\n")
        for piece in whole:
            self._rest += piece
            line, skip = bytes(self._rest), self._skipping or len(self._rest) > self._longest
            self._rest.clear()
            self._skipping = False
            message = None if skip else _message(line)
            if message is not None:
                yield message
        if not self._skipping:
            self._rest += rest
        if len(self._rest) > self._longest:
            self._rest.clear()
            self._skipping = True


def _message(line: bytes) -> Message | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def text(message: object, *path: str) -> str:
    """The text at a place in a message; empty when there is none."""
    found = at(message, *path)
    # JSON may hold halves of characters, which nothing that is written down may.
    return found.encode("utf-8", "replace").decode() if isinstance(found, str) else ""


def number(message: object, *path: str) -> int | None:
    """The whole number at a place in a message; None when there is none."""
    found = at(message, *path)
    whole = isinstance(found, int) and not isinstance(found, bool) and found.bit_length() <= _BITS
    return found if isinstance(found, int) and whole else None


def items(message: object, *path: str) -> list[Any]:
    """The list at a place in a message; empty when there is none."""
    found = at(message, *path)
    return found if isinstance(found, list) else []


def at(message: object, *path: str) -> object:
    """What is at a place in a message; None when there is nothing."""
    for key in path:
        if not isinstance(message, dict):
            return None
        message = message.get(key)
    return message
