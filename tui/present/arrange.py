"""A patch arranged for looking at: one column or two, with changes of white space alone or without them.

An arrangement says for each of its rows what it is, and which rows of the patch it shows at the left and at the right.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from difflib import SequenceMatcher

from msgspec import Struct, field

from tui.present.patch import ADDED, CONTEXT, FILE, NO_NEWLINE, REMOVED, PatchIndex

CHANGED, SPACE_ONLY = 9, 10
"""Kinds that only an arrangement has: a removed line beside an added one; a hunk in which only white space changed."""

NONE = (1 << 32) - 1
"""Where a side has nothing."""

_RUN = re.compile(b"%c+%c?(?:%c+%c?)?|%c+%c?" % (REMOVED, NO_NEWLINE, ADDED, NO_NEWLINE, ADDED, NO_NEWLINE))
# Longer runs are compared line by line from both ends only.
_LONGEST_RUN = 400


class Arrangement(Struct, frozen=True):
    """The rows of a patch in the order and number in which they are shown.

    Attributes:
        kinds: what each row is.
        left: the row of the patch with the old text, or `NONE`.
        right: the row of the patch with the new text, or `NONE`; the same as `left` where both sides are the same.
        files: the first row of each file.
        hunks: the row of the header of each hunk.
        split: the rows are meant for two columns.
    """

    patch: PatchIndex
    kinds: bytes | bytearray
    left: array[int] | range
    right: array[int] | range
    files: Sequence[int]
    hunks: Sequence[int]
    split: bool = False

    def key(self, row: int) -> int:
        """The row of the patch that stands at this row: on the left when there is one."""
        return min(self.left[row], self.right[row])

    def row_of(self, patch_row: int) -> int:
        """The row at which a row of the patch is shown, or the heading of its hunk when it is hidden."""
        patch = self.patch
        number = bisect_right(patch.hunks, patch_row)
        following = self.hunks[number] if number < len(patch.hunks) else len(self.kinds)
        if number == 0 or patch_row >= patch.hunk_range(patch_row)[1]:
            # Between hunks both count alike.
            return following - ((patch.hunks[number] if number < len(patch.hunks) else len(patch.kinds)) - patch_row)
        header = self.hunks[number - 1]
        side = self.right if patch.kinds[patch_row] == ADDED else self.left
        if isinstance(side, range):
            return patch_row
        try:
            return side.index(patch_row, header, following)
        except ValueError:
            return header

    def file_at(self, row: int) -> int:
        """The number of the file that a row belongs to."""
        return max(0, bisect_right(self.files, row) - 1)

    def file_end(self, number: int) -> int:
        """The row after the last one of a file."""
        return self.files[number + 1] if number + 1 < len(self.files) else len(self.kinds)


def arrange(patch: PatchIndex, *, split: bool = False, hide_space: bool = False) -> Arrangement:
    """Arrange a patch; meant for a thread unless it is one column with everything, which costs nothing."""
    rows = range(len(patch.kinds))
    files = array("L", (file.row for file in patch.files))
    if not split and not hide_space:
        return Arrangement(patch, patch.kinds, rows, rows, files, patch.hunks)
    made = _Rows(patch, split, patch.whole_text() if hide_space else None)
    position = 0
    for header in patch.hunks:
        end = patch.hunk_range(header)[1]
        made.same(position, header)
        made.hunk(header, end)
        position = end
    made.same(position, len(patch.kinds))
    starts = array("L", (row for row, kind in enumerate(made.kinds) if kind == FILE))
    return Arrangement(patch, made.kinds, made.left, made.right, starts, made.hunks, split)


class _Rows(Struct):
    """An arrangement in the making; `data` is the text of the patch when white space is to be looked at."""

    patch: PatchIndex
    split: bool
    data: bytes | None
    kinds: bytearray = field(default_factory=bytearray)
    left: array[int] = field(default_factory=lambda: array("L"))
    right: array[int] = field(default_factory=lambda: array("L"))
    hunks: array[int] = field(default_factory=lambda: array("L"))

    def same(self, first: int, last: int) -> None:
        """Rows that both sides share."""
        self.kinds += self.patch.kinds[first:last]
        self.left.extend(range(first, last))
        self.right.extend(range(first, last))

    def hunk(self, header: int, end: int) -> None:
        """A hunk; of one in which only white space changed, a single row stays."""
        self.hunks.append(len(self.kinds))
        self.same(header, header + 1)
        begin, position = len(self.kinds), header + 1
        for run in _RUN.finditer(self.patch.kinds, header + 1, end):
            self.same(position, run.start())
            self._run(run.start(), run.end())
            position = run.end()
        self.same(position, end)
        if self.data is None or position == header + 1:
            return
        kinds = self.kinds[begin:]
        if not any(kind in kinds for kind in (ADDED, REMOVED, CHANGED)):
            del self.kinds[begin:], self.left[begin:], self.right[begin:]
            self._row(SPACE_ONLY, header + 1, header + 1)

    def _row(self, kind: int, left: int, right: int) -> None:
        self.kinds.append(kind)
        self.left.append(left)
        self.right.append(right)

    def _run(self, start: int, end: int) -> None:
        kinds = self.patch.kinds
        removed = kinds.count(REMOVED, start, end)
        added = kinds.count(ADDED, start, end)
        noted = removed and start + removed < end and kinds[start + removed] == NO_NEWLINE
        note = start + removed if noted else NONE
        first = start + removed + (note != NONE)
        last_note = first + added if added and first + added < end else NONE
        old, new = range(start, start + removed), range(first, first + added)
        position_old = position_new = 0
        for at_old, at_new in self._equal_but_for_space(old, new):
            self._changes(old[position_old:at_old], new[position_new:at_new])
            self._row(CONTEXT, old[at_old], new[at_new])
            position_old, position_new = at_old + 1, at_new + 1
        self._changes(old[position_old:], new[position_new:])
        if self.split and (note, last_note) != (NONE, NONE):
            self._row(NO_NEWLINE, note, last_note)
        elif not self.split:
            for row in (note, last_note):
                if row != NONE:
                    self._row(NO_NEWLINE, row, row)

    def _changes(self, old: range, new: range) -> None:
        if not self.split:
            self.kinds += bytes([REMOVED]) * len(old) + bytes([ADDED]) * len(new)
            self.left.extend(old)
            self.right.extend([NONE] * len(old))
            self.left.extend([NONE] * len(new))
            self.right.extend(new)
            return
        pairs = min(len(old), len(new))
        self.kinds += bytes([CHANGED]) * pairs
        self.kinds += bytes([REMOVED]) * (len(old) - pairs) + bytes([ADDED]) * (len(new) - pairs)
        self.left.extend(old)
        self.left.extend([NONE] * (len(new) - pairs))
        self.right.extend(new)
        self.right.extend([NONE] * (len(old) - pairs))

    def _equal_but_for_space(self, old: range, new: range) -> list[tuple[int, int]]:
        """The positions, in order, of lines of both sides that differ in white space alone."""
        if self.data is None or not old or not new:
            return []
        a, b = [self._bare(row) for row in old], [self._bare(row) for row in new]
        if len(a) == len(b) or len(a) + len(b) > _LONGEST_RUN:
            return [(n, n) for n, (x, y) in enumerate(zip(a, b, strict=False)) if x == y]
        blocks = SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks()
        return [(block.a + n, block.b + n) for block in blocks for n in range(block.size)]

    def _bare(self, row: int) -> bytes:
        assert self.data is not None
        start = self.patch.starts[row] + 1
        return b"".join(self.data[start : start + self.patch.lengths[row] - 1].split())
