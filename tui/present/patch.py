"""A git patch as rows to look at: its files, hunks and lines, with their numbers, found without keeping its text."""

from __future__ import annotations

import hashlib
import os
import re
from array import array
from bisect import bisect_left, bisect_right
from itertools import accumulate, count
from operator import add
from pathlib import Path

from msgspec import Struct, field

from tui.present.patch_header import FileDiff, read_header
from tui.present.text import has_hidden

FILE, NOTE, HUNK, CONTEXT, ADDED, REMOVED, NO_NEWLINE, GAP, _OTHER = range(9)
SHOWN = 4000
# Of a line that leaves the workbench, so many bytes are read.
WHOLE = 1 << 20
"""Bytes of a line that are shown."""

_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
# What a line is, by its first byte; a file begins with a d, a hunk with an @, an empty line is context.
_FIRST = {b" ": CONTEXT, b"\n": CONTEXT, b"+": ADDED, b"-": REMOVED, b"\\": NO_NEWLINE, b"@": HUNK, b"d": FILE}
_KINDS = bytes(_FIRST.get(bytes([n]), _OTHER) for n in range(256))
_BODY = re.compile(b"[%c%c%c%c]*" % (CONTEXT, ADDED, REMOVED, NO_NEWLINE))
# Files are indexed in pieces of about so many bytes: lines of a whole large patch would take several times its size.
_PIECE = 8 << 20
_BLOCK = 512


class PatchIndex(Struct):
    """Where the rows of a patch are in its file; three small numbers are kept for each.

    Attributes:
        indexed, size: bytes of the patch that are looked at, and that it has.
    """

    path: Path
    indexed: int = 0
    size: int = 0
    files: list[FileDiff] = field(default_factory=list)
    kinds: bytearray = field(default_factory=bytearray)
    starts: array[int] = field(default_factory=lambda: array("Q"))
    lengths: array[int] = field(default_factory=lambda: array("L"))
    notes: dict[int, str] = field(default_factory=dict)
    hunks: array[int] = field(default_factory=lambda: array("L"))
    added: int = 0
    removed: int = 0
    digits: int = 2
    _ends: array[int] = field(default_factory=lambda: array("L"))
    _numbers: list[tuple[int, int]] = field(default_factory=list)
    # How many lines of the old and of the new side stand before each block of rows.
    _old: array[int] = field(default_factory=lambda: array("L"))
    _new: array[int] = field(default_factory=lambda: array("L"))

    def numbers(self, row: int) -> tuple[int, int]:
        """The line numbers on the old and on the new side that a row of a hunk has, or would have."""
        hunk = bisect_right(self.hunks, row) - 1
        if hunk < 0:
            return 0, 0
        old, new = self._numbers[hunk]
        old_here, new_here = self._before(row)
        old_first, new_first = self._before(self.hunks[hunk])
        return old + old_here - old_first, new + new_here - new_first

    def _before(self, row: int) -> tuple[int, int]:
        block = row // _BLOCK
        start = block * _BLOCK
        both = self.kinds.count(CONTEXT, start, row)
        old = self._old[block] + both + self.kinds.count(REMOVED, start, row)
        return old, self._new[block] + both + self.kinds.count(ADDED, start, row)

    def file_at(self, row: int) -> int:
        """The number of the file that a row belongs to."""
        return max(0, bisect_right(self.files, row, key=lambda file: file.row) - 1)

    def file_end(self, number: int) -> int:
        """The row after the last one of a file."""
        return self.files[number + 1].row if number + 1 < len(self.files) else len(self.kinds)

    def next_hunk(self, row: int, step: int) -> int:
        """The row of the hunk after (`step` 1) or before (-1) `row`; `row` itself when there is none."""
        at = bisect_right(self.hunks, row) if step > 0 else bisect_left(self.hunks, row) - 1
        return self.hunks[at] if 0 <= at < len(self.hunks) else row

    def hunk_range(self, row: int) -> tuple[int, int]:
        """The rows from the hunk header above `row` to the end of that hunk."""
        at = bisect_right(self.hunks, row) - 1
        return (self.hunks[at], self._ends[at]) if at >= 0 else (row, row + 1)

    def whole_text(self) -> bytes | None:
        """The patch as it is in its file; None once that is gone."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None

    def read(self, first: int, last: int, longest: int = SHOWN) -> list[bytes]:
        """The lines of the rows from `first` up to `last`, as `read_rows`."""
        return self.read_rows(range(first, min(last, len(self.kinds))), longest)

    def read_rows(self, rows: range | list[int], longest: int = SHOWN) -> list[bytes]:
        """The lines of these rows, `longest` bytes of each at most; empty for our own, and once the file is gone."""
        try:
            with self.path.open("rb", buffering=0) as file:
                descriptor = file.fileno()
                return [
                    os.pread(descriptor, min(self.lengths[row], longest), self.starts[row])
                    if self.lengths[row]
                    else b""
                    for row in rows
                ]
        except FileNotFoundError:
            return [b""] * len(rows)

    def row(self, kind: int, start: int, length: int = 0) -> None:
        """Append a row."""
        self.kinds.append(kind)
        self.starts.append(start)
        self.lengths.append(length)

    def note(self, text: str, start: int) -> None:
        """Append a row of our own words."""
        self.notes[len(self.kinds)] = text
        self.row(NOTE, start)

    def hunk(self, old: int, new: int, rows: int) -> None:
        """Say that the next row is the header of a hunk, with which lines it begins, and how many rows it has."""
        self.hunks.append(len(self.kinds))
        self._ends.append(len(self.kinds) + 1 + rows)
        self._numbers.append((old, new))

    def finish(self) -> None:
        """Count what is looked up by block."""
        counts = [
            tuple(self.kinds.count(kind, start, start + _BLOCK) for kind in (CONTEXT, REMOVED, ADDED))
            for start in range(0, len(self.kinds) + 1, _BLOCK)
        ]
        self._old = array("L", accumulate((both + old for both, old, _ in counts), initial=0))
        self._new = array("L", accumulate((both + new for both, _, new in counts), initial=0))
        self.added = sum(file.added for file in self.files)
        self.removed = sum(file.removed for file in self.files)
        self.digits = len(str(max(99, *(max(self.numbers(self.file_end(n) - 1)) for n in range(len(self.files))))))


def index(path: Path, *, limit: int = -1) -> PatchIndex:
    """Index a patch as `git diff --binary` writes it; meant for a thread (about 0.1 s for 100,000 lines).

    Args:
        limit: look only at so many bytes from the beginning, to have something to show at once.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as opened:
        data = opened.read(limit)
        if opened.read(1):
            data = data[: data.rfind(b"\n") + 1]
        size = opened.seek(0, os.SEEK_END)
    patch = PatchIndex(path, len(data), size)
    position = 0 if data.startswith(b"diff --git ") else data.find(b"\ndiff --git ") + 1
    if position == 0 and not data.startswith(b"diff --git "):
        return patch
    suspicious = not data.isascii() and has_hidden(data)
    while position < len(data):
        end = data.find(b"\ndiff --git ", position + _PIECE) + 1 or len(data)
        lines = _Lines.of(data[position:end], position)
        first = 0
        while first < len(lines.text):
            after = lines.next_file(first)
            whole = data[lines.starts[first] : lines.starts[after]]
            _file(patch, lines, first, after, hidden=suspicious and has_hidden(whole), digest=_digest(whole))
            first = after
        position = end
    patch.finish()
    return patch


class _Lines(Struct):
    """Some whole files of a patch, cut into lines; `kinds` is what each would be inside a hunk."""

    text: list[bytes]
    kinds: bytes
    starts: array[int]
    lengths: array[int]

    @classmethod
    def of(cls, data: bytes, start: int) -> _Lines:
        text = data.removesuffix(b"\n").split(b"\n")
        lengths = array("L", map(len, text))
        starts = array("Q", map(add, accumulate(lengths, initial=start), count()))
        return cls(text, b"".join([line[:1] or b"\n" for line in text]).translate(_KINDS), starts, lengths)

    def next_file(self, number: int) -> int:
        """The line that begins the file after the one that line `number` begins."""
        found = self.kinds.find(FILE, number + 1)
        while found >= 0 and not self.text[found].startswith(b"diff --git "):
            found = self.kinds.find(FILE, found + 1)
        return found if found >= 0 else len(self.text)


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def _file(patch: PatchIndex, lines: _Lines, first: int, after: int, *, hidden: bool, digest: str) -> None:
    """Index the file of the lines from `first` up to `after`."""
    body = next((n for n in range(first, after) if lines.kinds[n] == HUNK and _HUNK.match(lines.text[n])), after)
    file = read_header(lines.text[first:body], lines.text[body + 1] if body + 1 < after else b"")
    file.hidden, file.digest, start = hidden, digest, lines.starts[first]
    if patch.files:
        patch.row(GAP, start)
    file.row = len(patch.kinds)
    patch.files.append(file)
    patch.row(FILE, start)
    if hidden:
        patch.note("⚠ invisible or direction-changing characters in this file; they are shown as ⟨CODE⟩", start)
    for note in file.notes:
        patch.note(note, start)
    while body < after and (match := _HUNK.match(lines.text[body])):
        body = _hunk(patch, lines, file, body, int(match[1]), int(match[3]))


def _hunk(patch: PatchIndex, lines: _Lines, file: FileDiff, header: int, old: int, new: int) -> int:
    """Index the hunk with this header; whatever a line of a file says, its first byte shows that it is one."""
    body = _BODY.match(lines.kinds, header + 1)
    end = body.end() if body else header + 1
    patch.hunk(old, new, end - header - 1)
    patch.row(HUNK, lines.starts[header], lines.lengths[header])
    patch.kinds += lines.kinds[header + 1 : end]
    patch.starts += lines.starts[header + 1 : end]
    patch.lengths += lines.lengths[header + 1 : end]
    file.added += lines.kinds.count(ADDED, header + 1, end)
    file.removed += lines.kinds.count(REMOVED, header + 1, end)
    return end
