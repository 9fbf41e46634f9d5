"""Rows: pieces of text with a role or a style, and the one place where they become cells of the screen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace
from rich.cells import cell_len, chop_cells, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.present.text import clean
from tui.present.theme import Palette

Span: TypeAlias = tuple[str, "str | Style"]


class Row(Struct, frozen=True):
    """One line of a pane.

    Args:
        left: what stands at the left; `…` marks where it had to be cut.
        right: what stands at the right end and is never cut.
        role: a role for the whole line, such as a background.
        fixed: the number of cells at the left that sideways scrolling leaves alone.
        beside: what stands in the right half of the line, when it has two.
        wraps: whether it may take several lines of the screen, where that is wanted.
    """

    left: tuple[Span, ...]
    right: tuple[Span, ...] = ()
    role: str = ""
    fixed: int = 0
    beside: Row | None = None
    wraps: bool = False


EMPTY = Row(())


def row(*left: Span | str, right: tuple[Span, ...] = (), role: str = "") -> Row:
    """A row of spans; a bare string is a span without a role."""
    return Row(tuple((part, "") if isinstance(part, str) else part for part in left), right, role)


def marked(spans: Sequence[Span], parts: Sequence[tuple[int, int]], role: str) -> list[Span]:
    """The same text, with a further role on the parts of it that lie from one position up to another.

    Colours that a program chose itself give way to the role.
    """
    if not parts:
        return list(spans)
    made: list[Span] = []
    position = 0
    for text, own in spans:
        after = position + len(text)
        cuts = {at for part in parts for at in part if position < at < after}
        for start, end in pairwise(sorted({position, after, *cuts})):
            inside = any(first <= start < last for first, last in parts)
            looks = f"{own} {role}".strip() if isinstance(own, str) else role
            made.append((text[start - position : end - position], looks if inside else own))
        position = after
    return made


def paint(line: Row, width: int, palette: Palette, base: Style, *, shift: int = 0, tab: int = 8) -> Strip:
    """The cells of a row, exactly `width` wide.

    Every text on the screen that the workbench did not write itself comes through here, so it is cleaned here too,
    whatever was done to it before (SPEC W11).
    """
    if line.beside is not None:
        half = width // 2
        first = paint(replace(line, beside=None), half, palette, base, shift=shift, tab=tab)
        return Strip.join([first, paint(line.beside, width - half, palette, base, shift=shift, tab=tab)])
    if line.role:
        base += palette.style(line.role)
    right = _segments(line.right, palette, base, tab)
    room = max(0, width - sum(cell_len(s.text) for s in right) - (1 if right else 0))
    left = _segments(line.left, palette, base, tab)
    if shift:
        left = _shifted(left, line.fixed, shift)
    left, used = _fit(left, room, base)
    gap = width - used - sum(cell_len(s.text) for s in right)
    strip = Strip([*left, Segment(" " * max(0, gap), base), *right])
    return strip.adjust_cell_length(width, base)


def paint_wrapped(line: Row, width: int, palette: Palette, base: Style, *, tab: int = 8) -> list[Strip]:
    """A row that wraps as the strips it needs; before all but the first, only the rules of what it begins with."""
    if not line.wraps or width - line.fixed < 8:
        return [paint(line, width, palette, base, tab=tab)]
    if line.role:
        base += palette.style(line.role)
    whole = Strip(_segments(line.left, palette, base, tab))
    if whole.cell_length <= width:
        return [whole.adjust_cell_length(width, base)]
    lead = list(whole.crop(0, line.fixed))
    further = [Segment("".join(c if c == "│" else " " for c in text), style) for text, style, _ in lead]
    strips: list[Strip] = []
    for piece in _chopped(list(whole.crop(line.fixed)), width - line.fixed):
        strips.append(Strip([*(further if strips else lead), *piece]).adjust_cell_length(width, base))
    return strips


def _chopped(segments: list[Segment], width: int) -> list[list[Segment]]:
    """The segments in pieces of at most so many cells; no character is cut in two."""
    pieces: list[list[Segment]] = [[]]
    room = width
    for text, style, _ in segments:
        while text:
            fits = text[:room] if text.isascii() else _beginning(text, room)
            if not fits:
                pieces.append([])
                room = width
                continue
            pieces[-1].append(Segment(fits, style))
            room -= cell_len(fits)
            text = text[len(fits) :]
    return pieces


def _beginning(text: str, room: int) -> str:
    """As much of a text as fits; with what has no width of its own after it."""
    used = 0
    for number, character in enumerate(text):
        used += cell_len(character)
        if used > room:
            return text[:number]
    return text


def _segments(parts: tuple[Span, ...], palette: Palette, base: Style, tab: int) -> list[Segment]:
    segments, column = [], 0
    for text, role in parts:
        text = clean(text).replace("\n", " ")
        if "\t" in text:
            text = _tabs_expanded(text, column, tab)
        if not text:
            continue
        column += cell_len(text)
        segments.append(Segment(text, base + (palette.style(role) if isinstance(role, str) else role)))
    return segments


def _tabs_expanded(text: str, column: int, tab: int) -> str:
    parts = text.split("\t")
    out = parts[0]
    for part in parts[1:]:
        out += " " * (tab - (column + cell_len(out)) % tab) + part
    return out


def _fit(segments: list[Segment], room: int, base: Style) -> tuple[list[Segment], int]:
    """As many cells as there is room for; the last one says `…` when something was cut."""
    kept: list[Segment] = []
    used = 0
    for number, (text, style, _) in enumerate(segments):
        cells = cell_len(text)
        rest = any(segment.text for segment in segments[number + 1 :])
        if used + cells > room or (used + cells == room and rest):
            if room - used < 1:
                return kept, used
            kept.append(Segment(set_cell_size(text, room - used - 1) + "…", style))
            return kept, room
        kept.append(Segment(text, style))
        used += cells
    return kept, used


def _shifted(segments: list[Segment], fixed: int, shift: int) -> list[Segment]:
    """The segments without the `shift` cells that follow the `fixed` ones."""
    strip = Strip(segments)
    length = strip.cell_length
    return [*strip.crop(0, min(fixed, length)), *strip.crop(min(fixed + shift, length), length)]


@lru_cache(maxsize=256)
def wrap(text: str, width: int) -> tuple[str, ...]:
    """A cleaned text in lines of at most `width` cells, broken at spaces where it has any; keeps its own lines."""
    lines: list[str] = []
    for paragraph in clean(text).expandtabs(4).split("\n"):
        lines += _wrapped(paragraph.rstrip(), max(8, width))
    return tuple(lines)


def _wrapped(paragraph: str, width: int) -> list[str]:
    if cell_len(paragraph) <= width:
        return [paragraph]
    text = paragraph.lstrip()
    # Never so far that nothing of the text would fit beside it.
    indent = " " * min(len(paragraph) - len(text) + (2 if text[:2] in ("- ", "* ") else 0), 12, width // 2)
    lines, current = [], ""
    for word in paragraph.split(" "):
        if current.strip() and cell_len(current) + 1 + cell_len(word) > width:
            lines.append(current)
            current = indent + word
        else:
            current = f"{current} {word}" if current or lines else word
        if cell_len(current) > width:
            head, *_ = chop_cells(current, width)
            *full, rest = chop_cells(current[len(head) :], width - len(indent))
            lines += [head, *(indent + part for part in full)]
            current = indent + rest
    return [*lines, current] if current.strip() else lines
