"""The rows of a log: each is found again by what it shows, whatever is folded, filtered or counted."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from engine.tasks import events as ev
from tests.screens import recorded
from tui.live.feed import Feed
from tui.live.line_index import Line
from tui.live.page import LogPage, Scope, Spot
from tui.live.plain_log import lines
from tui.live.preferences import Preferences
from tui.present import blocks, theme
from tui.present.needle import Needle, places
from tui.present.row import Row, paint_wrapped, row
from tui.present.story import Command

PALETTE = theme.Palette({"match": Style(reverse=True)})


def text_of(line: Row) -> str:
    return "".join(text for text, _ in line.left)


def look_for(feed: Feed, needle: Needle | None) -> None:
    feed.look_for(needle)
    feed.backlog.wait()


@pytest.fixture
def feed() -> Feed:
    """A finished task, and one output that is too long to be counted at once."""
    task = recorded.finished()
    task.command("make", 20, 1, b"".join(b"line %d%s\n" % (n, b" join" * (n % 40_000 == 9)) for n in range(120_000)), 2)
    found = Feed(task.folder).read_all()
    found.backlog.wait()
    return found


SCOPES = [Scope(), Scope(raw=True), Scope(raw=True, command="0003"), Scope(raw=True, command="0005")]
NEEDLES = [None, Needle("join"), Needle("join", only=True), Needle("no such text", only=True)]


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("needle", NEEDLES)
def test_rows_are_found_again_by_what_they_show(feed: Feed, scope: Scope, needle: Needle | None) -> None:
    look_for(feed, needle)
    page = LogPage(feed, scope=scope, times=True, width=100)
    feed.backlog.wait()
    feed.adopt_heads()
    page.measure(0)
    rows = page.rows(0, min(page.count, 2000))
    assert len(rows) == min(page.count, 2000)
    for number in {*range(min(300, page.count)), *range(max(0, page.count - 300), page.count)}:
        assert page.row_of(page.spot(number)) == number
        assert page.rows(number, number + 1) == rows[number : number + 1] or number >= 2000


def test_counting_the_head_moves_rows_but_not_what_they_show() -> None:
    task = recorded.Recording("aaaa22")
    task.begin("x")
    task.command("make", 1, 1, b"".join(b"line %d\n" % n for n in range(200_000)), 2)
    feed = Feed(task.folder).read_all()
    page = LogPage(feed, scope=Scope(raw=True, command="0001"))
    before = page.count
    spot, text = page.spot(before - 5), text_of(page.rows(before - 5, before - 4)[0])
    assert "counted" in text_of(page.rows(1, 2)[0])
    feed.backlog.wait()
    assert feed.indexing is not None
    feed.adopt_heads()
    page.measure(feed.story.changed or 0)
    assert page.count == 200_001
    assert page.row_of(spot) == 200_001 - 5
    # Now the numbers are known.
    assert text_of(page.rows(page.count - 5, page.count - 4)[0]).split("│")[1] == text.split("│")[1]
    assert text_of(page.rows(page.count - 1, page.count)[0]) == " 200,000 │ line 199999"


@pytest.mark.parametrize("scope", [Scope(), Scope(raw=True)])
def test_hits_are_gone_through_in_order_and_around(feed: Feed, scope: Scope) -> None:
    look_for(feed, Needle("join"))
    page = LogPage(feed, scope=scope)
    total = page.hits()
    assert total > 10
    spot, seen = Spot(0), []
    for _ in range(total):
        found = page.hit(spot, 1)
        assert found is not None
        spot = found
        seen.append(page.hit_number(spot))
    assert seen == list(range(1, total + 1))
    assert page.hit_number(page.hit(spot, 1) or Spot(0)) == 1
    back = [spot]
    for _ in range(total - 1):
        back.append(page.hit(back[-1], -1) or Spot(0))
    assert [page.hit_number(each) for each in back] == list(range(total, 0, -1))
    assert page.hit(spot, -1, here=True) == spot


def test_what_comes_is_found_too() -> None:
    task = recorded.running()
    feed = Feed(task.folder).read_all()
    look_for(feed, Needle("zebra"))
    page = LogPage(feed)
    assert page.hits() == 0
    task.output("0003", b"zebra\n" * 3, 30)
    feed.poll()
    feed.backlog.wait()
    feed.poll()
    page.measure(0)
    assert page.hits() == 3
    assert not feed.backlog.busy


def test_a_story_reads_only_what_runs_and_what_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    task = recorded.Recording("aaaa22")
    task.begin("x")
    for number in range(50):
        task.command(f"step {number}", number, 0.1, b"output\n")
    feed = Feed(task.folder).read_all()
    opened: list[object] = []
    original = Path.stat
    monkeypatch.setattr(Path, "stat", lambda path, **kwargs: opened.append(path) or original(path, **kwargs))  # type: ignore[func-returns-value]
    for _ in range(10):
        assert not feed.poll()
    assert opened == []
    assert feed._indexes == {}


def test_times_of_an_output_are_those_of_its_parts() -> None:
    task = recorded.running()
    task.output("0003", b"later\n", 95)
    feed = Feed(task.folder).read_all()
    command = feed.story.blocks[feed.story.number_of("0003")]
    assert isinstance(command, Command)
    size = feed.path(command).stat().st_size
    assert [feed.time_of(command, at) - task.start for at in (0, size - 6, size + 100)] == [21, 95, 95]
    assert feed.time_of(Command("x", "x", "agent", 5.0), 0) == 5.0


def test_plain_text_is_all_of_it_or_what_a_filter_lets_through(feed: Feed) -> None:
    whole = list(lines(LogPage(feed)))
    assert "$ pytest -x tests/test_urls.py" in whole
    assert "line 119999" in whole
    assert "(exit 2 in 1.0s)" in whole
    assert list(lines(LogPage(feed, scope=Scope(raw=True, command="0002")))) == [
        "src/urls.py:41:def join(*parts: str) -> str:"
    ]
    look_for(feed, Needle("line 11999", only=True))
    assert list(lines(LogPage(feed))) == [f"line {n}" for n in (11999, *range(119990, 120000))]


STYLES = st.sampled_from([Style.null(), Style(bold=True), "", "match"])
SPANS = st.lists(st.tuples(st.text(max_size=60), STYLES), max_size=6)


@given(SPANS, st.integers(9, 60))
def test_wrapping_loses_nothing_and_keeps_to_the_width(spans: list[tuple[str, str | Style]], width: int) -> None:
    line = Row(((" │ ", ""), *spans), fixed=3, wraps=True)
    strips = paint_wrapped(line, width, PALETTE, Style.null())
    cut = paint_wrapped(Row(line.left, fixed=3, wraps=True), 100_000, PALETTE, Style.null())
    assert all(strip.cell_length == width for strip in strips)
    if width - 3 < 8:
        return
    assert all(strip.text.startswith(" │ ") for strip in strips)
    pieces = [strip.text[3:] for strip in strips]
    joined = "".join(piece if cell_len(piece) == width - 3 else piece.rstrip() for piece in pieces)
    assert joined.replace(" ", "") == cut[0].text[3:].replace(" ", "")


def test_rows_that_do_not_wrap_stay_one() -> None:
    assert len(paint_wrapped(row("x" * 500), 20, PALETTE, Style.null())) == 1
    numbered = blocks.output_row(Line(b"y" * 100), "    12")
    strips = paint_wrapped(numbered, 40, PALETTE, Style.null())
    assert [strip.text[:9] for strip in strips] == ["    12 │ ", *["       │ "] * (len(strips) - 1)]


@given(st.text(max_size=40), st.text(min_size=1, max_size=3))
def test_what_is_looked_for_is_marked_and_nothing_else_changes(text: str, needle: str) -> None:
    plain = blocks.output_row(Line(text.encode("utf-8", "replace")))
    marked = blocks.with_needle(plain, needle)
    assert text_of(marked) == text_of(plain)
    assert (marked != plain) == any(last > plain.fixed for _, last in places(text_of(plain), needle))


def test_colours_of_a_program_give_way_to_the_mark() -> None:
    line = blocks.with_needle(blocks.output_row(Line(b"\x1b[31mred er\x1b[0mror")), "error")
    assert [(text, role) for text, role in line.left if role == "match"] == [("er", "match"), ("ror", "match")]


def test_choices_of_several_panes_are_all_kept() -> None:
    one, other = Preferences.read(), Preferences.read()
    one.keep(log_wrap=True)
    other.keep(diff_split=False)
    one.keep(log_times=True)
    assert Preferences.read() == Preferences(diff_split=False, log_wrap=True, log_times=True)


def test_events_of_other_attempts_say_nothing_of_times() -> None:
    task = recorded.running()
    task.at(50, ev.CommandOutput(id="0003", stream="out", offset=0, size=1, run=2))
    feed = Feed(task.folder).read_all()
    command = next(block for block in feed.story.blocks if isinstance(block, Command) and block.id == "0003")
    assert feed.time_of(command, 0) == task.start + 21
    assert list(itertools.chain(feed.story.running)) == [feed.story.number_of("0003")]
