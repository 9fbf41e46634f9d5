"""The lines of a file that contain a text, found in a thread: of any size, and however many they are.

As of lines, one count for each 64 KiB is all that is kept; which lines they are is found again where they are seen.
"""

from __future__ import annotations

import os
import re
from array import array
from bisect import bisect_left, bisect_right
from pathlib import Path

from tui.live.line_index import BLOCK, SHOWN, Line, Place, opened

# Of a longer line, so much is searched.
_LONGEST = 1 << 20
# Blocks searched in a step: more than a line can keep from being final.
_STEP = 32
_CONTROL_SEQUENCE = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")


def _small(data: bytes) -> bytes:
    """Text of any language with its capital letters as small ones; several times slower than `bytes.lower`."""
    return data.decode("utf-8", "surrogateescape").lower().encode("utf-8", "surrogateescape")


class Matches:
    """The matching lines of a file, as far as it was searched; `step` is for a thread."""

    def __init__(self, path: Path, needle: str) -> None:
        self.path = path
        # Bytes searched so far, and those of the file when it was last looked at.
        self.searched = self.size = 0
        self._fold = bytes.lower if needle.isascii() else _small
        self._wanted = self._fold(needle.encode("utf-8", "replace"))
        # Each line that has it once, from there to its end.
        self._lines = re.compile(re.escape(self._wanted) + rb"[^\n]*")
        # _before[i]: matching lines before block i; those of the blocks whose last line has not ended yet are `_open`.
        self._before = array("Q", [0])
        self._open = 0
        self._seen: dict[int, list[int]] = {}

    @property
    def count(self) -> int:
        """Matching lines found so far."""
        return self._before[-1] + self._open

    def grown(self) -> bool:
        """Whether there is anything that was not searched yet."""
        try:
            return self.path.stat().st_size != self.searched
        except FileNotFoundError:
            return False

    def step(self) -> bool:
        """Search about 2 MiB more; True while there is more to search."""
        try:
            descriptor = opened(self.path)
        except FileNotFoundError:
            return False
        try:
            size = os.fstat(descriptor).st_size
            if size < self.size:
                self._before, self._open, self._seen = array("Q", [0]), 0, {}
            self.size = size
            return self._search(descriptor)
        finally:
            os.close(descriptor)

    def _search(self, descriptor: int) -> bool:
        first = block = len(self._before) - 1
        pending = 0
        while block * BLOCK < self.size:
            if block - first == _STEP:
                self.searched = block * BLOCK
                return True
            _, data, ended = _lines_of(descriptor, block)
            text = self._text(data)
            found = len(self._lines.findall(text)) if self._wanted in text else 0
            if ended and block == len(self._before) - 1:
                self._open = 0
                self._before.append(self._before[-1] + found)
            else:
                pending += found
            block += 1
        self._open = pending
        self.searched = self.size
        return False

    def _text(self, data: bytes) -> bytes:
        """Output as it is searched: capital letters as small ones, without its colours."""
        return self._fold(_CONTROL_SEQUENCE.sub(b"", data) if b"\x1b" in data else data)

    def _matching(self, data: bytes) -> list[int]:
        """Which of these lines match."""
        text = self._text(data)
        numbers, line, counted = [], 0, 0
        for match in self._lines.finditer(text):
            line += text.count(b"\n", counted, match.start())
            counted = match.start()
            numbers.append(line)
        return numbers

    # Reading

    def lines(self, first: int, last: int) -> list[tuple[Place, Line]]:
        """The matching lines from the one with the number `first` up to, not including, `last`."""
        found: list[tuple[Place, Line]] = []
        try:
            descriptor = opened(self.path)
        except FileNotFoundError:
            return []
        try:
            block = bisect_right(self._before, first) - 1
            skip = first - self._before[block]
            while len(found) < last - first and block * BLOCK < self.size:
                some = self._read(descriptor, block)
                found += some[skip : skip + last - first - len(found)]
                skip = max(0, skip - len(some))
                # The next block that has any.
                block = max(block + 1, bisect_right(self._before, first + len(found)) - 1)
        finally:
            os.close(descriptor)
        return found

    def _read(self, descriptor: int, block: int) -> list[tuple[Place, Line]]:
        begin, text, _ = _lines_of(descriptor, block)
        numbers = self._matching(text)
        if not numbers:
            return []
        lines = text.split(b"\n")
        starts = [begin]
        for line in lines:
            starts.append(starts[-1] + len(line) + 1)
        first = 0 if block else -1
        return [
            (Place(block, first + n), Line(lines[n][:SHOWN], max(0, len(lines[n]) - SHOWN), starts[n])) for n in numbers
        ]

    def place(self, number: int) -> Place | None:
        """Where the matching line with this number begins; None when there is none."""
        found = self.lines(number, number + 1) if 0 <= number < self.count else []
        return found[0][0] if found else None

    def before(self, place: Place) -> int:
        """How many of the lines found begin before a place."""
        known = len(self._before) - 1
        count = self._before[min(place.block, known)]
        if place.block >= known + _STEP:
            return count
        try:
            descriptor = opened(self.path)
        except FileNotFoundError:
            return count
        try:
            for block in range(min(place.block, known), place.block):
                count += len(self._numbers(descriptor, block))
            first = 0 if place.block else -1
            return count + bisect_left(self._numbers(descriptor, place.block), place.nth - first)
        finally:
            os.close(descriptor)

    def _numbers(self, descriptor: int, block: int) -> list[int]:
        """Which of the lines of a block match; those of the last one asked for are kept."""
        if block in self._seen and block < len(self._before) - 1:
            return self._seen[block]
        numbers = self._matching(_lines_of(descriptor, block)[1])
        self._seen = {block: numbers}
        return numbers


def _lines_of(descriptor: int, block: int) -> tuple[int, bytes, bool]:
    """The lines after each newline of a block, of block 0 the first line of the file too.

    Returns:
        Where they begin, their text, and whether the last of them has ended, or is longer than what is searched.
    """
    start = block * BLOCK
    data = os.pread(descriptor, BLOCK + 4096, start)
    newline = data.find(b"\n", 0, BLOCK) if block else -1
    if block and newline < 0:
        return start, b"", len(data) >= BLOCK
    end = data.find(b"\n", BLOCK)
    while end < 0 and len(data) < BLOCK + _LONGEST and (more := os.pread(descriptor, BLOCK, start + len(data))):
        end = more.find(b"\n")
        end += len(data) if end >= 0 else 0
        data += more
    return (
        start + newline + 1,
        data[newline + 1 : end if end >= 0 else len(data)],
        end >= 0 or len(data) >= BLOCK + _LONGEST,
    )
