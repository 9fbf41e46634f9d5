"""A patch as one long list of lines, coloured where it is looked at; and the list of its files."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType
from textual.cache import LRUCache

from tui.present import actions, patch
from tui.present.diff import file_row, line_row
from tui.present.highlight import highlight
from tui.present.patch import PatchIndex
from tui.present.row import EMPTY, Row, Span
from tui.widgets.line_view import LineView

# Rows that are coloured together: enough for a string of several lines, few enough for a few milliseconds.
_PIECE = 60


class DiffView(LineView):
    """All files of a patch, one under another."""

    BINDINGS: ClassVar[list[BindingType]] = actions.bindings("diff")
    TAB: ClassVar[int] = 4

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(widget_id=widget_id)
        self.patch: PatchIndex | None = None
        self._pieces: LRUCache[tuple[int, int], list[list[Span]]] = LRUCache(64)

    def show(self, found: PatchIndex | None) -> None:
        """Show another patch from its beginning, or a newer state of the same from where the cursor is."""
        same = found is not None and self.patch is not None and found.path == self.patch.path
        self.patch = found
        self._pieces.clear()
        self._painted.clear()
        if not same:
            self.shift = 0
            self.cursor = 0
            self.go(0)
        self.rows_changed()

    def row_count(self) -> int:
        """Rows of all files."""
        return len(self.patch.kinds) if self.patch else 0

    def rows(self, first: int, last: int) -> list[Row]:
        """The rows in sight."""
        found = self.patch
        if found is None:
            return []
        made = []
        for number, raw in enumerate(found.read(first, last), first):
            kind = found.kinds[number]
            if kind == patch.FILE:
                made.append(file_row(found.files[found.file_at(number)], heading=True))
            elif kind == patch.GAP:
                made.append(EMPTY)
            else:
                text = found.notes.get(number) or raw.decode("utf-8", "replace")
                made.append(line_row(found, number, text, self._coloured(found, number)))
        return made

    def _coloured(self, found: PatchIndex, row: int) -> list[Span]:
        """The spans of one line of the file, without the sign before it."""
        if found.kinds[row] not in (patch.CONTEXT, patch.ADDED, patch.REMOVED):
            return []
        first, last = found.hunk_range(row)
        start = first + 1 + (row - first - 1) // _PIECE * _PIECE
        end = min(start + _PIECE, last)
        spans = self._pieces.get((start, end))
        if spans is None:
            spans = _highlighted(found, start, end)
            self._pieces[(start, end)] = spans
        return spans[row - start]

    # Jumps

    def action_next_hunk(self) -> None:
        """To the next hunk."""
        if self.patch:
            self.move_to(self.patch.next_hunk(self.cursor, 1), center=True)

    def action_previous_hunk(self) -> None:
        """To the hunk before."""
        if self.patch:
            self.move_to(self.patch.next_hunk(self.cursor, -1), center=True)

    def action_next_file(self) -> None:
        """To the next file."""
        if self.patch:
            self.to_file(self.patch.file_at(self.cursor) + 1)

    def action_previous_file(self) -> None:
        """To the beginning of this file, or to the file before."""
        if self.patch:
            at = self.patch.file_at(self.cursor)
            self.to_file(at if self.patch.files[at].row < self.cursor else at - 1)

    def to_file(self, number: int) -> None:
        """Put the header of a file at the top."""
        if self.patch and self.patch.files:
            number = min(max(0, number), len(self.patch.files) - 1)
            self.move_to(self.patch.files[number].row)
            self.go(self.patch.files[number].row)


def _highlighted(found: PatchIndex, start: int, end: int) -> list[list[Span]]:
    """The rows of a piece of a hunk in colours: the old and the new text are read each for itself."""
    raw = [line[1:].decode("utf-8", "replace").rstrip("\r") for line in found.read(start, end)]
    kinds = found.kinds[start:end]
    name = found.files[found.file_at(start)].path
    spans: list[list[Span]] = [[(line, "")] for line in raw]
    for side in (patch.REMOVED, patch.ADDED):
        rows = [n for n, kind in enumerate(kinds) if kind in (side, patch.CONTEXT)]
        for row, line in zip(rows, highlight([raw[n] for n in rows], name), strict=True):
            spans[row] = line
    return spans


class FileList(LineView):
    """The files of a patch with how much changed in each."""

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(widget_id=widget_id)
        self.patch: PatchIndex | None = None

    def show(self, found: PatchIndex | None) -> None:
        """List the files of another patch."""
        self.patch = found
        self.set_reactive(FileList.cursor, 0)
        self.rows_changed()

    def row_count(self) -> int:
        """One row for each file."""
        return len(self.patch.files) if self.patch else 0

    def rows(self, first: int, last: int) -> list[Row]:
        """The rows in sight."""
        return [file_row(file) for file in self.patch.files[first:last]] if self.patch else []
