"""Frames written as differences leave the terminal exactly as frames written whole."""

from __future__ import annotations

import re

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from tui.output.encode import Look, look
from tui.output.screenful import Screenful

WIDTH, HEIGHT = 20, 8
STYLES = [Style(), Style.parse("bold red"), Style.parse("#112233 on #445566"), Style.parse("on #445566"),
          Style.parse("reverse"), Style.parse("dim underline")]  # fmt: skip
TRUE = ColorSystem.TRUECOLOR

runs = st.tuples(st.text("ab c│─✓世é", max_size=9), st.sampled_from(STYLES))
rows = st.lists(runs, max_size=4)
screens = st.lists(rows, min_size=HEIGHT, max_size=HEIGHT)


def strip(row: list[tuple[str, Style]], width: int = WIDTH) -> Strip:
    """A row as a widget would make it."""
    return Strip([Segment(text, style) for text, style in row]).adjust_cell_length(width)


def whole(screen: list[list[tuple[str, Style]]]) -> LayoutUpdate:
    """All of a screen."""
    return LayoutUpdate([[strip(row)] for row in screen], Region(0, 0, WIDTH, HEIGHT))


class Shown:
    """An emulated terminal."""

    def __init__(self) -> None:
        self.screen = pyte.Screen(WIDTH, HEIGHT)
        self._stream = pyte.Stream(self.screen)
        self._stream.feed("\x1b[?7l")

    def feed(self, sequence: str) -> None:
        """Write to it."""
        self._stream.feed(sequence)

    @property
    def cells(self) -> list[list[object]]:
        """What each cell shows; blanks that look the same are the same."""
        found = []
        for y in range(HEIGHT):
            line = self.screen.buffer[y]
            found.append([line[x]._replace(data=line[x].data.rstrip(" ") or " ") for x in range(WIDTH)])
        return found


@settings(max_examples=60, deadline=None)
@given(st.lists(screens, min_size=1, max_size=4))
def test_differences_show_the_same_as_whole_frames(frames: list[list[list[tuple[str, Style]]]]) -> None:
    screenful, shown = Screenful(), Shown()
    for frame in frames:
        shown.feed(screenful.paint(whole(frame), WIDTH, HEIGHT, TRUE))
        fresh = Shown()
        fresh.feed(Screenful().paint(whole(frame), WIDTH, HEIGHT, TRUE))
        assert shown.cells == fresh.cells


@settings(max_examples=60, deadline=None)
@given(screens, st.lists(rows, min_size=1, max_size=HEIGHT), st.integers(-3, 3), st.integers(0, 3))
def test_scrolled_frames_show_the_same_as_whole_frames(
    screen: list[list[tuple[str, Style]]], more: list[list[tuple[str, Style]]], by: int, top: int
) -> None:
    numbered = [[(f"{number:2}", STYLES[0]), *row] for number, row in enumerate(screen)]
    body = numbered[top:]
    moved = [*body[by:], *more][: len(body)] if by >= 0 else [*more[:-by], *body][: len(body)]
    after = [*numbered[:top], *moved, *[[] for _ in range(len(body) - len(moved))]]
    screenful, shown, fresh = Screenful(), Shown(), Shown()
    shown.feed(screenful.paint(whole(numbered), WIDTH, HEIGHT, TRUE))
    shown.feed(screenful.paint(whole(after), WIDTH, HEIGHT, TRUE))
    fresh.feed(Screenful().paint(whole(after), WIDTH, HEIGHT, TRUE))
    assert shown.cells == fresh.cells


def lines(first: int) -> list[list[tuple[str, Style]]]:
    """A head, lines of a log, a footer."""
    log = [[(f"line {number} of the log", STYLES[1])] for number in range(first, first + HEIGHT - 2)]
    return [[("head", STYLES[2])], *log, [("keys", STYLES[2])]]


@pytest.mark.parametrize(("before", "after", "told"), [(0, 1, "\x1b[1M"), (1, 0, "\x1b[1L"), (0, 2, "\x1b[2M")])
def test_rows_that_move_are_moved(before: int, after: int, told: str) -> None:
    screenful = Screenful()
    first = screenful.paint(whole(lines(before)), WIDTH, HEIGHT, TRUE)
    sequence = screenful.paint(whole(lines(after)), WIDTH, HEIGHT, TRUE)
    assert f"\x1b[2;{HEIGHT - 1}r" in sequence
    assert told in sequence
    assert sequence.count("line") == abs(after - before)
    assert len(sequence) < len(first) / 2


def test_nothing_is_written_for_what_is_there_already() -> None:
    screenful = Screenful()
    assert screenful.paint(whole(lines(0)), WIDTH, HEIGHT, TRUE)
    assert screenful.paint(whole(lines(0)), WIDTH, HEIGHT, TRUE) == ""
    screenful.forget()
    assert "head" in screenful.paint(whole(lines(0)), WIDTH, HEIGHT, TRUE)


def test_of_a_row_only_the_cells_that_changed_are_written() -> None:
    screenful = Screenful()
    screenful.paint(whole(lines(0)), WIDTH, HEIGHT, TRUE)
    changed = lines(0)
    changed[0] = [("heat", STYLES[2])]
    assert re.sub(r"\x1b\[[0-9;]*[mH]", "", screenful.paint(whole(changed), WIDTH, HEIGHT, TRUE)) == "t"


def chops(y: int, parts: dict[int, Strip | None], spans: list[tuple[int, int, int]]) -> ChopsUpdate:
    """A part of one row."""
    own: list[dict[int, Strip | None]] = [{} for _ in range(HEIGHT)]
    own[y] = parts
    ends = [*list(parts)[1:], WIDTH]
    return ChopsUpdate(own, spans, [ends] * HEIGHT)


def test_a_part_of_a_row_leaves_the_rest() -> None:
    screenful, shown = Screenful(), Shown()
    shown.feed(screenful.paint(whole(lines(0)), WIDTH, HEIGHT, TRUE))
    part = chops(1, {0: None, 5: strip([("XY", STYLES[0])], 2), 7: None}, [(1, 5, 7)])
    shown.feed(screenful.paint(part, WIDTH, HEIGHT, TRUE))
    assert shown.screen.display[1].rstrip() == "line XYof the log"
    cut = chops(1, {0: strip([("lime 0 of the log", STYLES[1])]), WIDTH: None}, [(1, 2, 4)])
    shown.feed(screenful.paint(cut, WIDTH, HEIGHT, TRUE))
    assert shown.screen.display[1].rstrip() == "lime XYof the log"


def test_a_part_of_a_row_that_is_not_known_writes_no_more_than_that() -> None:
    screenful = Screenful()
    part = chops(1, {0: None, 5: strip([("世Y", STYLES[0])], 3), 8: None}, [(1, 5, 8)])
    sequence = screenful.paint(part, WIDTH, HEIGHT, TRUE)
    assert re.sub(r"\x1b\[[0-9;]*[mH]", "", sequence) == "世Y"


def test_after_a_character_of_unsure_width_the_place_is_told() -> None:
    screenful = Screenful()
    row = [("ae\u0301世b", STYLES[0]), ("│", STYLES[0])]
    sequence = screenful.paint(whole([row, *[[] for _ in range(HEIGHT - 1)]]), WIDTH, HEIGHT, TRUE)
    assert "e\u0301\x1b[1;3H世\x1b[1;5Hb│" in sequence


def test_looks_hold_no_more_than_colours_and_attributes() -> None:
    link = Style.parse("bold red") + Style(link="https://example.com")
    assert look(link, TRUE) == look(Style.parse("bold red"), TRUE) == Look("1", "31", "")
    assert look(Style.parse("#ff0000 on #000000"), ColorSystem.STANDARD) == Look("", "31", "40")
    assert look(Style.parse("bold #ff0000 on #000000"), None) == Look("1", "", "")
