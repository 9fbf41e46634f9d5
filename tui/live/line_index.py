"""Lines of a file that may be of any size and may still grow: found by number, read when they are looked at.

One count for each 64 KiB of the file is all that is kept of it, so memory stays flat (8 bytes for 64 KiB). The end of
a large file is there at once; what lies before it is counted by its `Head`, in a thread, and then taken in.
"""

from __future__ import annotations

import os
import stat
from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

BLOCK = 1 << 16
SHOWN = 4000
# A file of at most so many bytes is counted from its beginning at once; of a larger one, first so much of its end.
AT_ONCE, TAIL = 1 << 20, 4 * BLOCK


class Place(NamedTuple):
    """Where a line begins, the same whatever is known of the rest of the file.

    The line after newline number `nth` (from 0) of this block; the first line of the file is `Place(0, -1)`.
    """

    block: int
    nth: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it stands in the file at byte `at`, without its newline; `cut` bytes of its end were not read."""

    data: bytes
    cut: int = 0
    at: int = field(default=0, compare=False)


def opened(path: Path) -> int:
    """A descriptor to read the file with.

    Raises:
        FileNotFoundError: there is none; what is no file has no lines either.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise FileNotFoundError(path)


class Head:
    """The count of the newlines in the first `blocks` blocks of a file: a job for a thread."""

    def __init__(self, path: Path, blocks: int) -> None:
        self.path, self.blocks = path, blocks
        # before[i]: newlines before block i; complete with the one after the last block.
        self.before = array("Q", [0])
        self._buffer = bytearray(16 * BLOCK)

    @property
    def counted(self) -> int:
        """Blocks counted so far."""
        return len(self.before) - 1

    @property
    def done(self) -> bool:
        """Whether all of it was counted."""
        return self.counted >= self.blocks

    def step(self) -> bool:
        """Count 1 MiB more; True while there is more to count. What cannot be read any more has no lines."""
        first = self.counted
        try:
            descriptor = opened(self.path)
        except FileNotFoundError:
            got = 0
        else:
            try:
                got = os.preadv(descriptor, [self._buffer], first * BLOCK)
            finally:
                os.close(descriptor)
        total = self.before[-1]
        for at in range(0, min(got, (self.blocks - first) * BLOCK), BLOCK):
            total += self._buffer.count(b"\n", at, min(at + BLOCK, got))
            self.before.append(total)
        if not got:
            self.before.extend([total] * (self.blocks - self.counted))
        return not self.done


class LineIndex:
    """Where the lines of a file are; `extend` takes in what was appended since."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.head: Head | None = None
        self._begin(0)

    def _begin(self, first: int) -> None:
        # The lines known are those from block `_first` on; number 0 is the one that goes on there.
        self._first = first
        self.size = first * BLOCK
        self._newlines = 0
        # _before[i]: newlines known before block _first + i.
        self._before = array("Q", [0])
        self._ends_with_newline = True
        self.head = Head(self.path, first) if first else None

    @property
    def count(self) -> int:
        """Lines known so far; a last one without a newline counts."""
        return self._newlines + (0 if self._ends_with_newline else 1)

    @property
    def complete(self) -> bool:
        """Whether line 0 is the first one of the file."""
        return not self._first

    @property
    def head_counted(self) -> bool:
        """Whether there is something for `adopt_head` to take in."""
        return self.head is not None and self.head.done

    def extend(self, limit: int = 1 << 62) -> bool:
        """Take in up to about `limit` further bytes; True when anything is different.

        Of a large file that is not known yet, its end is taken in first. One that was cut short is begun anew.
        """
        try:
            descriptor = opened(self.path)
        except FileNotFoundError:
            return False
        try:
            end = os.fstat(descriptor).st_size
            shorter = end < self.size
            if shorter:
                self._begin(0)
            if not self.size and end > AT_ONCE:
                self._begin((end - TAIL) // BLOCK)
            return self._take_up_to(descriptor, min(end, self.size + limit)) or shorter
        finally:
            os.close(descriptor)

    def _take_up_to(self, descriptor: int, end: int) -> bool:
        started = self.size
        while self.size < end:
            to_boundary = BLOCK - self.size % BLOCK
            data = os.pread(descriptor, to_boundary if to_boundary < BLOCK else 16 * BLOCK, self.size)
            if not data:
                break
            self._take(data)
        return self.size > started

    def _take(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            after = min(len(data), at + BLOCK - self.size % BLOCK)
            self._newlines += data.count(b"\n", at, after)
            self.size += after - at
            at = after
            if self.size % BLOCK == 0:
                self._before.append(self._newlines)
        self._ends_with_newline = data.endswith(b"\n")

    def adopt_head(self) -> bool:
        """Take in what was counted before the lines known; their numbers are others then, their places are not."""
        head = self.head
        if head is None or not head.done:
            return False
        above = head.before[head.blocks]
        self._before = head.before[: head.blocks] + array("Q", (above + known for known in self._before))
        self._newlines += above
        self._first, self.head = 0, None
        return True

    # Places

    def place(self, number: int) -> Place:
        """Where the line with this number begins."""
        block = max(0, bisect_left(self._before, number) - 1)
        return Place(self._first + block, number - self._before[block] - 1)

    def number(self, place: Place) -> int:
        """The number of the line at a place; of one before the lines known, 0."""
        block = place.block - self._first
        if block < 0:
            return 0
        return min(self._before[min(block, len(self._before) - 1)] + 1 + place.nth, max(0, self.count - 1))

    # Reading

    def lines(self, first: int, last: int) -> list[Line]:
        """The lines from number `first` up to, not including, `last`; numbers count from 0."""
        last = min(last, self.count)
        if first >= last:
            return []
        try:
            descriptor = opened(self.path)
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
                data, at = os.pread(descriptor, max(0, min(BLOCK, self.size - position)), position), 0
                if not data:
                    break
                continue
            if newline >= 0:
                found.append(Line(data[at : min(newline, at + SHOWN)], max(0, newline - at - SHOWN), position + at))
                at = newline + 1
                continue
            # The line is longer than what was read: its end is where the next one begins.
            number = first + len(found) + 1
            after = self._offset(descriptor, number) if number < self.count else self.size
            kept = data[at : at + SHOWN]
            cut = max(0, after - (number <= self._newlines) - position - at - len(kept))
            found.append(Line(kept, cut, position + at))
            position, data, at = after, b"", 0
        return found

    def _offset(self, descriptor: int, number: int) -> int:
        """Where line `number` begins: behind the newline with this number, counted from 1."""
        if number == 0:
            return self._first * BLOCK
        block = bisect_left(self._before, number) - 1
        data = os.pread(descriptor, BLOCK, (self._first + block) * BLOCK)
        position = -1
        for _ in range(number - self._before[block]):
            position = data.find(b"\n", position + 1)
        return (self._first + block) * BLOCK + position + 1
