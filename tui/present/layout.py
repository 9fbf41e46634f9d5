"""How the bench shares the window among its panes: sizes that fit, whatever was chosen in a window of another size."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

Divider = Literal["left", "aside", "lower"]
WIDE, WIDEST = 120, 180
"""From so many cells on there are two columns, and three."""

# Cells that a column needs to be of use, and those the middle one needs beside both.
_LEFT_LEAST, _ASIDE_LEAST, _MIDDLE_LEAST, _ROWS_LEAST = 24, 36, 50, 4
_STEP, _STEP_ROWS = 4, 2


class Sizes(Struct, frozen=True):
    """What was chosen; None is what fits the window.

    Attributes:
        left: cells of the column of tasks, environment and cache.
        aside: cells of the column of time and network, which only wide windows have.
        lower: rows in a hundred that the panes below have.
    """

    left: int | None = None
    aside: int | None = None
    lower: int | None = None

    def left_cells(self, width: int) -> int:
        """The width of the left column in a window of `width` cells."""
        usual, beside = (42, _ASIDE_LEAST) if width >= WIDEST else (38, 0)
        return _within(self.left if self.left is not None else usual, _LEFT_LEAST, width - beside - _MIDDLE_LEAST)

    def aside_cells(self, width: int) -> int:
        """The width of the right column in a window of `width` cells."""
        usual = 54 if width >= 190 else 48
        most = width - self.left_cells(width) - _MIDDLE_LEAST
        return _within(self.aside if self.aside is not None else usual, _ASIDE_LEAST, most)

    def lower_rows(self, height: int) -> int:
        """The height of the lower panes, of `height` rows that upper and lower have together."""
        wanted = round((self.lower if self.lower is not None else 40) * height / 100)
        return _within(wanted, _ROWS_LEAST, height - _ROWS_LEAST)

    def moved(self, divider: Divider, steps: int, width: int, height: int) -> Sizes:
        """With a divider moved to the right (or down) by steps, as far as that goes."""
        if divider == "left":
            return self.placed(divider, self.left_cells(width) + _STEP * steps, width, height)
        if divider == "aside":
            return self.placed(divider, width - self.aside_cells(width) + _STEP * steps, width, height)
        return self.placed(divider, height - self.lower_rows(height) + _STEP_ROWS * steps, width, height)

    def placed(self, divider: Divider, at: int, width: int, height: int) -> Sizes:
        """With a divider at this cell or row, counted from the left or the top, as near as it can be."""
        if divider == "left":
            changed = replace(self, left=at)
            return replace(changed, left=changed.left_cells(width))
        if divider == "aside":
            changed = replace(self, aside=width - at)
            return replace(changed, aside=changed.aside_cells(width))
        changed = replace(self, lower=round(100 * (height - at) / max(1, height)))
        return replace(changed, lower=_within(changed.lower or 0, 10, 90))


def _within(wanted: int, least: int, most: int) -> int:
    return max(least, min(wanted, most))
