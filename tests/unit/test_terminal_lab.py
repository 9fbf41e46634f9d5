"""What the benchmark of the workbench measures with: the text of a screen, medians and ranks."""

from __future__ import annotations

import sys

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.terminal_lab import figures
from tests.bench.terminal_lab.driver import Lost, Program
from tests.bench.terminal_lab.inputs import FOUND, NEEDLE, log
from tests.bench.terminal_lab.lab import ROOT
from tests.bench.terminal_lab.screen import Screen

COLUMNS, ROWS = 20, 6
NUMBERS = st.integers(0, 25)
# What is not text begins in a column within the row: once a row is full, pyte stands where no terminal does.
TEXTS = st.text("abc xyz│", min_size=1, max_size=30).map(str.encode)
FIXED = st.sampled_from([b"\r", b"\n", b"\r\n", b"\b", b"\t", b"\x1bD", b"\x1bM", b"\x1b7", b"\x1b8", b"\x1b[0;1m",
                         b"\x1b[38;2;1;2;3mred", b"\x1b[?25l", b"\x1b]0;title\x07", b"\x1b(B"])  # fmt: skip
MOVES = st.builds(lambda n, final: b"\x1b[%d%c" % (n, final), NUMBERS, st.sampled_from(b"ABCDGdXP@"))
ERASING = st.builds(lambda n, final: b"\x1b[%d%c" % (n, final), st.integers(0, 2), st.sampled_from(b"JK"))
PLACES = st.builds(lambda row, column: b"\x1b[%d;%dH" % (row, column), NUMBERS, NUMBERS)
REGIONS = st.builds(
    lambda top, more, inside: b"\x1b[%d;%dr\x1b[%dH%s\x1b[r\x1b[H" % (top, top + more, top, b"".join(inside)),
    st.integers(1, 4),
    st.integers(1, 2),
    st.lists(st.sampled_from([b"\n", b"\x1bD", b"\x1bM", b"in"]), max_size=9),
)
SEQUENCES = TEXTS | (FIXED | MOVES | ERASING | PLACES | REGIONS).map(lambda sequence: b"\x1b[5G" + sequence)


@given(st.lists(SEQUENCES, max_size=40))
def test_the_screen_reads_as_an_emulator_shows_it(parts: list[bytes]) -> None:
    ours, theirs = Screen(COLUMNS, ROWS), pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(theirs)
    for part in parts:
        ours.feed(part)
        stream.feed(part)
    assert ours.text == "\n".join(theirs.display)


@given(st.lists(SEQUENCES, max_size=20), st.lists(st.integers(1, 7), min_size=1))
def test_it_does_not_matter_how_the_bytes_come(parts: list[bytes], sizes: list[int]) -> None:
    data = b"".join(parts)
    whole, pieces = Screen(COLUMNS, ROWS), Screen(COLUMNS, ROWS)
    whole.feed(data)
    position = number = 0
    while position < len(data):
        size = sizes[number % len(sizes)]
        pieces.feed(data[position : position + size])
        position, number = position + size, number + 1
    assert pieces.text == whole.text
    assert (pieces.row, pieces.column) == (whole.row, whole.column)


def test_wide_characters_and_the_other_screen() -> None:
    screen = Screen(10, 2)
    screen.feed("日本x\r\n".encode() + b"kept")
    assert screen.text == "日本x     \nkept      "
    screen.feed(b"\x1b[?1049hother")
    assert "kept" not in screen.text
    screen.feed(b"\x1b[?1049l")
    assert screen.line(-1) == "kept      "


def test_characters_are_taken_out_and_put_in() -> None:
    screen = Screen(6, 2)
    screen.feed(b"abcdef\x1b[1;2H\x1b[2P")
    assert screen.line(0) == "adef  "
    screen.feed(b"\x1b[3@xy")
    assert screen.line(0) == "axy de"


def test_rows_scroll_within_their_region() -> None:
    screen = Screen(4, 5)
    screen.feed(b"\x1b[H1\r\n2\r\n3\r\n4\r\n5\x1b[2;4r\x1b[4;1H\x1bD\x1bDnew\x1b[r")
    assert screen.text.split() == ["1", "4", "new", "5"]
    assert screen.line(3).strip() == "new"
    screen.feed(b"\x1b[2;4r\x1b[2S\x1b[r")
    assert [screen.line(row).strip() for row in range(5)] == ["1", "new", "", "", "5"]
    screen.feed(b"\x1b[2;4r\x1b[3Hthree\x1b[2;2H\x1b[L\x1b[r")
    assert [screen.line(row).strip() for row in range(5)] == ["1", "", "new", "thre", "5"]
    screen.feed(b"\x1b[3;2H\x1b[Mfour")
    assert [screen.line(row).strip() for row in range(5)] == ["1", "", "four", "5", ""]


@pytest.mark.parametrize(("share", "value"), [(0.5, 5), (0.95, 10), (0.9, 9), (0.1, 1), (1.0, 10)])
def test_percentiles_are_values_that_came(share: float, value: float) -> None:
    assert figures.percentile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], share) == value


def test_ratios_are_of_pairs() -> None:
    # A machine that becomes three times as slow in the second round changes no ratio.
    assert figures.ratio([2, 6, 4], [1, 3, 2]) == 2
    with pytest.raises(ValueError, match="shorter"):
        figures.ratio([1, 2], [1])


def test_all_are_taken_in_turn_and_the_first_round_is_not_counted() -> None:
    order: list[str] = []

    def taking(name: str) -> dict[str, float]:
        order.append(name)
        return {"ms": len(order)}

    found = figures.interleaved({"a": lambda: taking("a"), "b": lambda: taking("b")}, 2)
    assert order == ["a", "b", "a", "b", "a", "b"]
    assert found == {"a": {"ms": [3, 5]}, "b": {"ms": [4, 6]}}


def test_goals_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    report = figures.Report()
    report.goal("as good as it gets", 50, 50, "ms")
    report.goal("worse", 50.5, 50, "ms")
    report.summary()
    said = capsys.readouterr().out
    assert "50 ms ≤ 50: met" in said
    assert "1 goals met, 1 missed\n  worse: 50.5 ms, goal 50" in said


def test_a_program_in_a_terminal(tmp_path: object) -> None:
    asks = (
        "import sys, termios, tty; tty.setraw(0)\n"
        "sys.stdout.write('here\\x1b[6n'); sys.stdout.flush()\n"
        "print(ascii(sys.stdin.read(6)), end=''); sys.stdout.flush(); sys.stdin.read(1); print(' gone', end='')"
    )
    with Program([sys.executable, "-c", asks], variables={"TERM": "xterm"}, folder=ROOT, columns=40, rows=5) as program:
        assert program.shows("here'\\x1b[1;5R'") > program.began
        assert program.memory > 1
        assert program.changed("x") > 0
        assert program.screen.line(0).strip() == "here'\\x1b[1;5R' gone"
        with pytest.raises(Lost):
            program.shows("never", seconds=0.2)


def test_a_log_has_its_lines_and_one_needle() -> None:
    lines = b"".join(log(25_000)).splitlines()
    assert len(lines) == 25_000
    assert [int(line[:8]) for line in lines] == list(range(25_000))
    assert [number for number, line in enumerate(lines) if NEEDLE.encode() in line] == [12_500]
    assert lines[12_500].endswith(FOUND.encode())
