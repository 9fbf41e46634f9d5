"""Which rows of an arrangement are seen: of folded files only the heading, and rows of ours under some of them."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Collection, Mapping
from itertools import accumulate

from tui.present.arrange import Arrangement


class Visible:
    """The rows of an arrangement without what is folded, with extra rows under some of them.

    Making one costs something for each file and each extra row, nothing for each line.

    Args:
        folded: numbers of the files of which only the heading is seen.
        extras: how many rows to put under a row of the arrangement.
    """

    def __init__(self, arranged: Arrangement, folded: Collection[int], extras: Mapping[int, int]) -> None:
        self.arranged = arranged
        self.folded = folded
        self._extras: dict[int, list[tuple[int, int]]] = {}
        for row, count in sorted(extras.items()):
            self._extras.setdefault(arranged.file_at(row), []).append((row, count))
        heights = (self._height(number) for number in range(len(arranged.files)))
        self._first = array("L", accumulate(heights, initial=0))

    def _height(self, file: int) -> int:
        if file in self.folded:
            return 1
        rows = self.arranged.file_end(file) - self.arranged.files[file]
        return rows + sum(count for _, count in self._extras.get(file, ()))

    @property
    def count(self) -> int:
        """How many rows are seen."""
        return self._first[-1]

    def at(self, row: int) -> tuple[int, int]:
        """The row of the arrangement at a visible row, and 0, or the number from 1 of the extra row under it."""
        file = max(0, bisect_right(self._first, row) - 1)
        start, place = self.arranged.files[file], row - self._first[file]
        if file in self.folded:
            return start, 0
        for extra, count in self._extras.get(file, ()):
            if place <= extra - start:
                break
            if place <= extra - start + count:
                return extra, place - (extra - start)
            place -= count
        return start + place, 0

    def of(self, arranged_row: int, extra: int = 0) -> int:
        """Where a row of the arrangement is seen; in a folded file, where its heading is."""
        file = self.arranged.file_at(arranged_row)
        if file in self.folded:
            return self._first[file]
        before = sum(count for row, count in self._extras.get(file, ()) if row < arranged_row)
        return self._first[file] + arranged_row - self.arranged.files[file] + before + extra
