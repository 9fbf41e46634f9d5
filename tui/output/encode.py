"""Rows of cells as bytes for a terminal: as few as tell it what is different (SPEC W8)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import repeat
from typing import NamedTuple, TypeAlias

from rich.cells import cell_len
from rich.color import Color, ColorSystem
from rich.segment import Segment
from rich.style import Style

# Attributes of a style, and the numbers that switch them on.
_ATTRIBUTES = (
    ("bold", "1"), ("dim", "2"), ("italic", "3"), ("underline", "4"), ("blink", "5"), ("reverse", "7"),
    ("conceal", "8"), ("strike", "9"), ("underline2", "21"),
)  # fmt: skip
# Cells that stay the same are written again where jumping over them takes as many bytes.
_JUMP = 8
# The character of a cell that must not be written.
UNKNOWN = "\0"
PLAIN = "\x1b[0m"


class Look(NamedTuple):
    """How a cell looks: numbers of SGR; empty is what the terminal has by itself."""

    attributes: str = ""
    foreground: str = ""
    background: str = ""


# A character with what combines with it, and its look; "" is the second half of a wide one.
Cell: TypeAlias = tuple[str, Look]


@lru_cache(4096)
def look(style: Style | None, system: ColorSystem | None) -> Look:
    """The look of a style on a terminal with so many colours; links are left out: they would be control sequences."""
    if style is None:
        return Look()
    attributes = ";".join(number for name, number in _ATTRIBUTES if getattr(style, name))
    return Look(attributes, _colour(style.color, system, True), _colour(style.bgcolor, system, False))


def _colour(colour: Color | None, system: ColorSystem | None, foreground: bool) -> str:
    if colour is None or colour.is_default or system is None:
        return ""
    return ";".join(colour.downgrade(system).get_ansi_codes(foreground))


def cells(segments: Iterable[Segment], system: ColorSystem | None) -> list[Cell]:
    """The cells of segments, one for each column."""
    row: list[Cell] = []
    for text, style, control in segments:
        if control:
            continue
        seen = look(style, system)
        if text.isascii():
            row.extend(zip(text, repeat(seen)))
            continue
        for character in text:
            width = cell_len(character)
            if width:
                row.append((character, seen))
                row.extend([("", seen)] * (width - 1))
            elif row:
                before, its = row[-1]
                row[-1] = (before + character, its)
    return row


def is_plain(row: Sequence[Cell]) -> bool:
    """Whether every cell is one character that all terminals give one column."""
    return all(len(character) == 1 and character < "\u2e80" for character, _ in row)


def changed_spans(old: Sequence[Cell], new: Sequence[Cell]) -> list[tuple[int, int]]:
    """Where two rows of the same length differ."""
    spans: list[tuple[int, int]] = []
    for column, (before, after) in enumerate(zip(old, new, strict=True)):
        if before == after:
            continue
        if spans and column - spans[-1][1] <= _JUMP:
            spans[-1] = (spans[-1][0], column + 1)
        else:
            spans.append((column, column + 1))
    return spans


class Encoder:
    """Puts together what one frame writes; colours are told only where they change."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._look: Look | None = None

    def raw(self, sequence: str) -> None:
        """Add a control sequence."""
        self._parts.append(sequence)

    def plain(self) -> None:
        """Go back to the terminal's own colours."""
        if self._look != Look():
            self._parts.append(PLAIN)
            self._look = Look()

    def move(self, row: int, column: int) -> None:
        """Go to a place; both count from 0."""
        self._parts.append(f"\x1b[{row + 1};{column + 1}H")

    def span(self, row: int, column: int, row_cells: Sequence[Cell], end: int) -> None:
        """Write the cells from `column` up to `end`."""
        self.move(row, column)
        # What is empty up to the right edge can be erased, in the terminal's own background only: not all
        # terminals erase in another.
        filled = end
        if end == len(row_cells):
            while filled > column and row_cells[filled - 1] == (" ", Look()):
                filled -= 1
            if end - filled < 4:
                filled = end
        sure = True
        for position in range(column, filled):
            character, seen = row_cells[position]
            if not character:
                continue
            if character == UNKNOWN:
                sure = False
                continue
            if not sure:
                # Terminals disagree about how wide the one before is.
                self.move(row, position)
            self._become(seen)
            self._parts.append(character)
            sure = len(character) == 1 and character < "\u2e80"
        if filled < end:
            if not sure:
                self.move(row, filled)
            self.plain()
            self._parts.append("\x1b[K")

    def _become(self, seen: Look) -> None:
        before = self._look
        if seen == before:
            return
        if before is None or seen.attributes != before.attributes:
            self._parts.append(f"\x1b[{';'.join(['0', *filter(None, seen)])}m")
        else:
            numbers = []
            if seen.foreground != before.foreground:
                numbers.append(seen.foreground or "39")
            if seen.background != before.background:
                numbers.append(seen.background or "49")
            self._parts.append(f"\x1b[{';'.join(numbers)}m")
        self._look = seen

    def finish(self) -> str:
        """All of it, with the terminal's own colours at the end; empty when there is nothing."""
        if not self._parts:
            return ""
        self.plain()
        return "".join(self._parts)
