"""Lines of a file that may be of any size and may still grow: found by number, read when they are looked at.

One count for each 64 KiB of the file is all that is kept of it, so memory stays flat (8 bytes for 64 KiB).
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path

BLOCK = 1 << 16
SHOWN = 4000


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it stands in the file, without its newline; `cut` bytes of its end were not read."""

    data: bytes
    cut: int = 0


class LineIndex:
    """Where the lines of a file are; `extend` takes in what was appended since."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._newlines = 0
        # _before[i]: newlines in the file before block i.
        self._before = array("Q", [0])
        self._ends_with_newline = True

    @property
    def count(self) -> int:
        """Lines known so far; a last one without a newline counts."""
        return self._newlines + (0 if self._ends_with_newline else 1)

    def extend(self, limit: int = 1 << 62) -> bool:
        """Index up to about `limit` further bytes; True when there were any."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            end = os.fstat(descriptor).st_size
            started = self.size
            while self.size < end and self.size - started < limit:
                to_boundary = BLOCK - self.size % BLOCK
                data = os.pread(descriptor, to_boundary if to_boundary < BLOCK else 16 * BLOCK, self.size)
                if not data:
                    break
                self._take(data)
            return self.size > started
        except IsADirectoryError:
            # Nobody of ours made it; what is no file has no lines.
            return False
        finally:
            os.close(descriptor)

    def _take(self, data: bytes) -> None:
        view = 0
        while view < len(data):
            part = data[view : view + BLOCK - self.size % BLOCK]
            self._newlines += part.count(b"\n")
            self.size += len(part)
            view += len(part)
            if self.size % BLOCK == 0:
                self._before.append(self._newlines)
        self._ends_with_newline = data.endswith(b"\n")

    def lines(self, first: int, last: int) -> list[Line]:
        """The lines from number `first` up to, not including, `last`; numbers count from 0."""
        last = min(last, self.count)
        if first >= last:
            return []
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return []
        try:
            return self._read(descriptor, first, last)
        finally:
            os.close(descriptor)

    def _read(self, descriptor: int, first: int, last: int) -> list[Line]:
        found: list[Line] = []
        position = self._offset(descriptor, first)
        data, at = b"", 0
        while len(found) < last - first:
            newline = data.find(b"\n", at)
            if newline < 0 and (at or not data):
                position += at
                data, at = os.pread(descriptor, min(BLOCK, self.size - position), position), 0
                if not data:
                    break
                continue
            if newline >= 0:
                found.append(Line(data[at : min(newline, at + SHOWN)], max(0, newline - at - SHOWN)))
                at = newline + 1
                continue
            # The line is longer than what was read: its end is where the next one begins.
            number = first + len(found) + 1
            after = self._offset(descriptor, number) if number < self.count else self.size
            kept = data[at : at + SHOWN]
            found.append(Line(kept, max(0, after - (number <= self._newlines) - position - at - len(kept))))
            position, data, at = after, b"", 0
        return found

    def _offset(self, descriptor: int, number: int) -> int:
        """Where line `number` begins: behind the newline with this number, counted from 1."""
        if number == 0:
            return 0
        block = bisect_left(self._before, number) - 1
        data = os.pread(descriptor, BLOCK, block * BLOCK)
        position = -1
        for _ in range(number - self._before[block]):
            position = data.find(b"\n", position + 1)
        return block * BLOCK + position + 1


class Matches:
    """The numbers of the lines of a file that contain a text, capital or small; grows with the file."""

    def __init__(self, path: Path, needle: str) -> None:
        self.path = path
        self.lines = array("Q")
        self._needle = needle.lower().encode()
        self._scanned = 0
        self._line = 0

    def extend(self, limit: int = 1 << 62) -> bool:
        """Search up to about `limit` further bytes; True while there is more to search."""
        try:
            with self.path.open("rb") as file:
                end = os.fstat(file.fileno()).st_size
                started = self._scanned
                while self._scanned < end and self._scanned - started < limit:
                    file.seek(self._scanned)
                    data = file.read(1 << 20)
                    whole = data[: data.rfind(b"\n") + 1] or data
                    if not whole.endswith(b"\n") and len(whole) < 1 << 20:
                        self._search(whole)
                        return False
                    self._line = self._search(whole)
                    self._scanned += len(whole)
                return self._scanned < end
        except FileNotFoundError:
            return False

    def _search(self, data: bytes) -> int:
        """Note the lines of `data` that match; returns the number of the line after it."""
        text = data.lower()
        line, counted = self._line, 0
        at = text.find(self._needle)
        while at >= 0:
            line += text.count(b"\n", counted, at)
            counted = at
            if not self.lines or self.lines[-1] < line:
                self.lines.append(line)
            newline = text.find(b"\n", at)
            at = text.find(self._needle, newline) if newline >= 0 else -1
        return line + text.count(b"\n", counted)
