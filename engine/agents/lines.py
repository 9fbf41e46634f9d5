"""Streams of JSON, a value a line, from programs in containers."""

from __future__ import annotations

import json
from typing import Any

# No line is kept beyond this.
LONGEST = 32 << 20


class Lines:
    """Bytes in, cut anywhere; whole lines out, those that are too long without their end."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes; empty ones are passed over."""
        *whole, rest = data.split(b"\n")
        found = []
        for part in whole:
            self._add(part)
            found.append(b"".join(self._parts))
            self._parts, self._size = [], 0
        self._add(rest)
        return [line for line in found if line.strip()]

    def _add(self, part: bytes) -> None:
        part = part[: max(0, LONGEST - self._size)]
        self._size += len(part)
        if part:
            self._parts.append(part)


def json_object(line: bytes) -> dict[str, Any] | None:
    """The object that a line holds; None when it holds something else."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
