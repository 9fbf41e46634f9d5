"""The lines of an arranged patch in colours, made where they are looked at."""

from __future__ import annotations

import re
from collections.abc import Sequence

from textual.cache import LRUCache

from tui.present import diff, patch
from tui.present.arrange import CHANGED, NONE, SPACE_ONLY, Arrangement
from tui.present.highlight import highlight
from tui.present.needle import places
from tui.present.row import EMPTY, Row, Span, marked
from tui.present.text import clean
from tui.present.word_diff import Part, align, changed_parts

# Lines that are coloured together: enough for a string of several lines, few enough for a few milliseconds.
_PIECE = 60
# Of longer runs of changes no line is looked for a partner; in two columns they stand beside one another in order.
_LONGEST_RUN = 200
_IN_COLUMNS = bytes([CHANGED, patch.ADDED, patch.REMOVED])
_IN_ONE_COLUMN = bytes([patch.ADDED, patch.REMOVED, patch.NO_NEWLINE])
_TRAILING = re.compile(r"[ \t]+$")


class DiffPage:
    """Makes rows of an arrangement; what was made last is kept."""

    def __init__(self, arranged: Arrangement) -> None:
        self.arranged = arranged
        self.patch = arranged.patch
        self.needle = ""
        self._pieces: LRUCache[tuple[int, int], list[list[Span]]] = LRUCache(64)
        self._words: LRUCache[tuple[int, int], tuple[list[Part], list[Part]]] = LRUCache(512)
        self._runs: LRUCache[int, dict[int, tuple[int, int]]] = LRUCache(256)

    def row(self, number: int) -> Row:
        """A row that is not the heading of a file."""
        kind = self.arranged.kinds[number]
        found = self.patch
        left, right = self.sides(number)
        if kind == patch.NOTE:
            return diff.note_row(found, found.notes[left])
        if kind == patch.HUNK:
            return diff.hunk_row(found, found.read_rows([left])[0].decode("utf-8", "replace"))
        if kind == SPACE_ONLY:
            return diff.said_row(found, "only white space changed here")
        if kind == patch.NO_NEWLINE and not self.arranged.split:
            return diff.said_row(found, "no newline at the end of the file")
        if kind in (patch.FILE, patch.GAP):
            return EMPTY
        if self.arranged.split:
            return diff.split_row(found.digits, self._side(left, 0, number), self._side(right, 1, number))
        old, new = found.numbers(left if left != NONE else right)
        if kind == patch.CONTEXT and left != right:
            # Equal but for white space: the new text, at the numbers of both.
            old, new = found.numbers(left)[0], found.numbers(right)[1]
        shown = left if kind == patch.REMOVED else right
        return diff.unified_row(found.digits, self._line(shown, kind, number), old, new)

    def _side(self, patch_row: int, side: int, number: int) -> diff.Line | None:
        if patch_row == NONE:
            return None
        kind = found if (found := self.patch.kinds[patch_row]) in (patch.ADDED, patch.REMOVED) else patch.CONTEXT
        if self.arranged.kinds[number] == patch.CONTEXT:
            kind = patch.CONTEXT
        if found == patch.NO_NEWLINE:
            number_here = self.patch.numbers(patch_row)[side] - 1
            return diff.Line(kind, number_here, (("no newline at the end of the file", "muted"),))
        line = self._line(patch_row, kind, number)
        return diff.Line(line.kind, self.patch.numbers(patch_row)[side], line.spans, line.missing)

    def _line(self, patch_row: int, kind: int, number: int) -> diff.Line:
        spans = self.spans(patch_row)
        text = "".join(text for text, _ in spans)
        if kind in (patch.ADDED, patch.REMOVED):
            partner = self.partner(patch_row, number)
            if partner != NONE:
                old = kind == patch.REMOVED
                parts = self._changed(patch_row, partner) if old else self._changed(partner, patch_row)
                spans = marked(spans, parts[not old], "removed-word" if old else "added-word")
            if kind == patch.ADDED and (trailing := _TRAILING.search(text)):
                # Blanks at the end of a line are seen by nobody but the next diff.
                blank = trailing.group().replace(" ", "·")
                spans = [*_until(spans, trailing.start()), (blank, "warn")]
        if self.needle:
            spans = marked(spans, places(text, self.needle), "match")
        return diff.Line(kind, 0, tuple(spans), self.patch.lengths[patch_row] - patch.SHOWN)

    def _changed(self, old: int, new: int) -> tuple[list[Part], list[Part]]:
        """What changed from a row of the patch to the one that replaces it; both are asked for one after the other."""
        parts = self._words.get((old, new))
        if parts is None:
            parts = changed_parts(self.text(old), self.text(new))
            self._words[(old, new)] = parts
        return parts

    def text(self, patch_row: int) -> str:
        """The text of a line of a file, cleaned, as far as it is shown."""
        return "".join(text for text, _ in self.spans(patch_row))

    def spans(self, patch_row: int) -> list[Span]:
        """A line of a file in syntax colours, without the sign before it."""
        first, last = self.patch.hunk_range(patch_row)
        start = first + 1 + (patch_row - first - 1) // _PIECE * _PIECE
        end = min(start + _PIECE, last)
        piece = self._pieces.get((start, end))
        if piece is None:
            piece = self._highlighted(start, end)
            self._pieces[(start, end)] = piece
        return piece[patch_row - start]

    def _highlighted(self, start: int, end: int) -> list[list[Span]]:
        """The rows of a piece of a hunk: the old and the new text are read each for itself."""
        found = self.patch
        lines = [clean(line[1:].decode("utf-8", "replace")) for line in found.read(start, end)]
        kinds = found.kinds[start:end]
        name = found.files[found.file_at(start)].path
        spans: list[list[Span]] = [[(line, "")] for line in lines]
        sides = [side for side in (patch.REMOVED, patch.ADDED) if side in kinds]
        for side in sides or [patch.ADDED]:
            rows = [n for n, kind in enumerate(kinds) if kind in (side, patch.CONTEXT)]
            for row, line in zip(rows, highlight([lines[n] for n in rows], name), strict=True):
                spans[row] = line
        return spans

    # Which line stands for which

    def sides(self, number: int) -> tuple[int, int]:
        """The rows of the patch at the left and at the right of a row; in a short run beside what they are like."""
        arranged = self.arranged
        if arranged.split and arranged.kinds[number] in _IN_COLUMNS:
            run = self._run(number)
            if run is not None and number in run:
                return run[number]
        return arranged.left[number], arranged.right[number]

    def row_of(self, patch_row: int) -> int:
        """The row of the arrangement that shows a row of the patch."""
        number = self.arranged.row_of(patch_row)
        if self.arranged.split and self.arranged.kinds[number] in _IN_COLUMNS:
            for place, sides in (self._run(number) or {}).items():
                if patch_row in sides:
                    return place
        return number

    def partner(self, patch_row: int, number: int) -> int:
        """The row of the patch whose line a changed line replaces, or by which it is replaced; `NONE` without one."""
        if self.arranged.split:
            left, right = self.sides(number)
            return right if patch_row == left else left
        run = self._run(number)
        if run is None:
            return NONE
        left, right = next((sides for sides in run.values() if patch_row in sides), (NONE, NONE))
        return right if patch_row == left else left

    def _run(self, number: int) -> dict[int, tuple[int, int]] | None:
        """The changes around a row, each removed line with its added one, by the row at which they stand."""
        changes = _IN_COLUMNS if self.arranged.split else _IN_ONE_COLUMN
        before = self.arranged.kinds[max(0, number - _LONGEST_RUN) : number]
        after = self.arranged.kinds[number : number + _LONGEST_RUN]
        start = number - len(before) + len(before.rstrip(changes))
        end = number + len(after) - len(after.lstrip(changes))
        if end - start >= _LONGEST_RUN:
            return None
        run = self._runs.get(start)
        if run is None:
            run = self._aligned(start, end)
            self._runs[start] = run
        return run

    def _aligned(self, start: int, end: int) -> dict[int, tuple[int, int]]:
        kinds = self.patch.kinds
        old = [row for row in self.arranged.left[start:end] if row != NONE and kinds[row] == patch.REMOVED]
        new = [row for row in self.arranged.right[start:end] if row != NONE and kinds[row] == patch.ADDED]
        pairs = align([self.text(row) for row in old], [self.text(row) for row in new])
        sides = ((NONE if a is None else old[a], NONE if b is None else new[b]) for a, b in pairs)
        return dict(enumerate(sides, start))


def _until(spans: Sequence[Span], length: int) -> list[Span]:
    kept: list[Span] = []
    for text, role in spans:
        if length > 0:
            kept.append((text[:length], role))
        length -= len(text)
    return kept
