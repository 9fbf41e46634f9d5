"""What stands on the terminal: a frame is written as the difference to it, scrolled where that is less (SPEC W8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rich.color import ColorSystem
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

from tui.output.encode import UNKNOWN, Cell, Encoder, Look, cells, changed_spans, is_plain

# Stands where it is not known what the terminal shows.
_UNKNOWN: Cell = (UNKNOWN, Look())
# Fewer changed rows than this are not worth looking for a way to scroll.
_FEW = 4


class Screenful:
    """The cells a terminal shows, as far as they are known."""

    def __init__(self) -> None:
        self._rows: list[list[Cell]] = []
        self._size = (0, 0)

    def forget(self) -> None:
        """Nothing is known any more: the next frame is written whole."""
        self._size = (0, 0)

    @property
    def known(self) -> bool:
        """Whether a frame was written since the last `forget`."""
        return self._size != (0, 0)

    def paint(self, update: CompositorUpdate, width: int, height: int, system: ColorSystem | None) -> str:
        """What to write so that the terminal shows the update; empty when it does already."""
        if (width, height) != self._size:
            self._size = (width, height)
            self._rows = self._unknown(height)
        return self._write(self._changes(update, system))

    def _changes(self, update: CompositorUpdate, system: ColorSystem | None) -> dict[int, list[Cell]]:
        """The rows that the update speaks of, as they are to be."""
        width, height = self._size
        found: dict[int, list[Cell]] = {}
        if isinstance(update, LayoutUpdate):
            for y, strips in enumerate(update.strips, update.region.y):
                row = cells((segment for strip in strips for segment in strip), system)
                if y < height:
                    found[y] = _fitted(row, width)
        elif isinstance(update, ChopsUpdate):
            for y, left, right in update.spans:
                if y >= height:
                    continue
                row = found.setdefault(y, list(self._rows[y]))
                for x, strip in _pieces(update.chops[y], update.chop_ends[y], left, right):
                    piece = cells(strip, system)
                    row[x : x + len(piece)] = piece
                del row[width:]
        return found

    def _write(self, wanted: dict[int, list[Cell]]) -> str:
        encoder = Encoder()
        changed = [y for y, row in wanted.items() if row != self._rows[y]]
        if len(changed) >= _FEW:
            self._scroll(wanted, changed, encoder)
        for y in sorted(wanted):
            new, old = wanted[y], self._rows[y]
            if is_plain(old) and is_plain(new):
                spans = changed_spans(old, new)
            else:
                spans = [(0, len(new))] if new != old else []
            for first, last in spans:
                encoder.span(y, first, new, last)
            self._rows[y] = new
        return encoder.finish()

    def _scroll(self, wanted: dict[int, list[Cell]], changed: list[int], encoder: Encoder) -> None:
        """Scroll the part of the screen whose rows are only to be somewhere else."""
        found = self._moved(wanted, changed)
        if found is None:
            return
        top, bottom, by = found
        encoder.plain()
        encoder.raw(f"\x1b[{top + 1};{bottom}r")
        encoder.move(top, 0)
        # Lines deleted or inserted at the top of the region: all terminals know that, not all to scroll by a number.
        encoder.raw(f"\x1b[{abs(by)}{'M' if by > 0 else 'L'}")
        if by > 0:
            self._rows[top:bottom] = [*self._rows[top + by : bottom], *self._unknown(by)]
        else:
            self._rows[top:bottom] = [*self._unknown(-by), *self._rows[top : bottom + by]]
        encoder.raw("\x1b[r")

    def _unknown(self, rows: int) -> list[list[Cell]]:
        return [[_UNKNOWN] * self._size[0] for _ in range(rows)]

    def _moved(self, wanted: dict[int, list[Cell]], changed: list[int]) -> tuple[int, int, int] | None:
        """Rows from, up to, and how far they move up; None when writing them takes no more."""
        old_at: dict[tuple[Cell, ...], int] = {}
        twice = set()
        for y in changed:
            key = tuple(self._rows[y])
            twice.update([key] if key in old_at else [])
            old_at[key] = y
        votes: Counter[int] = Counter()
        for y in changed:
            key = tuple(wanted[y])
            if key in old_at and key not in twice and _UNKNOWN not in key:
                votes[old_at[key] - y] += 1
        if not votes:
            return None
        by = votes.most_common(1)[0][0]
        first, last = self._longest(wanted, by)
        top, bottom = (first, last + by) if by > 0 else (first + by, last)
        saved = sum(1 for y in changed if first <= y < last)
        lost = sum(1 for y in range(top, bottom) if not first <= y < last and y not in changed)
        if saved < _FEW - 1 or saved <= lost or any(y not in wanted for y in range(top, bottom)):
            return None
        return top, bottom, by

    def _longest(self, wanted: dict[int, list[Cell]], by: int) -> tuple[int, int]:
        best = (0, 0)
        first = None
        for y in range(len(self._rows) + 1):
            same = y in wanted and 0 <= y + by < len(self._rows) and wanted[y] == self._rows[y + by]
            if same and first is None:
                first = y
            elif not same and first is not None:
                best = max(best, (first, y), key=lambda span: span[1] - span[0])
                first = None
        return best


def _fitted(row: list[Cell], width: int) -> list[Cell]:
    """A row of exactly so many cells."""
    blank = cells(Strip.blank(max(0, width - len(row))), None)
    return [*row[:width], *blank]


def _pieces(chops: Mapping[int, Strip | None], ends: list[int], left: int, right: int) -> list[tuple[int, Strip]]:
    """The parts of a row that lie between two columns, each with where it begins."""
    found = []
    for end, (x, strip) in zip(ends, chops.items(), strict=False):
        if strip is None or x >= right or end <= left:
            continue
        first, last = max(x, left), min(end, right)
        found.append((first, strip if (first, last) == (x, end) else strip.crop(first - x, last - x)))
    return found
