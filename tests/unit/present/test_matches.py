"""What is found in files of any size: the same lines as by looking at each, whatever the file's shape and growth."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.present.test_line_index import whole as all_of
from tui.live.backlog import Backlog
from tui.live.line_index import BLOCK, SHOWN, LineIndex
from tui.live.matches import Matches
from tui.present.needle import places

# Some have the text, some have it twice, across colours, or beyond what is shown of a line.
LINES = st.sampled_from([
    b"", b"ok", b"error", b"no ERROR, an Error", b"\x1b[31mer\x1b[0mror: red", b"e" * (BLOCK - 3), b"x" * BLOCK + b"error",
    b"x" * (SHOWN + 1) + b"error", b"x" * (BLOCK // 2), b"x" * (2 * BLOCK), b"\xff\xfe\x00error",
])  # fmt: skip
CHUNKS = st.lists(LINES, max_size=30)


def found_in(path: Path) -> list[int]:
    lines = path.read_bytes().split(b"\n")
    plain = [line.replace(b"\x1b[31m", b"").replace(b"\x1b[0m", b"").lower() for line in lines]
    return [number for number, line in enumerate(plain) if b"error" in line]


def whole(matches: Matches) -> None:
    while matches.step():
        pass


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chunks=CHUNKS, grown=st.lists(CHUNKS, max_size=2), ended=st.booleans(), data=st.data())
def test_matches_are_the_lines_that_have_it(
    tmp_path: Path, chunks: list[bytes], grown: list[list[bytes]], ended: bool, data: st.DataObject
) -> None:
    path = tmp_path / "output"
    path.write_bytes(b"")
    matches, index = Matches(path, "Error"), LineIndex(path)
    for part in (chunks, *grown):
        with path.open("ab") as file:
            file.write(b"\n".join(part) + (b"\n" if ended else b""))
        whole(matches)
        assert not matches.grown()
    all_of(index)
    expected = found_in(path)
    assert matches.count == len(expected)
    first = data.draw(st.integers(0, len(expected)))
    last = data.draw(st.integers(first, len(expected)))
    got = matches.lines(first, last)
    assert [index.number(place) for place, _ in got] == expected[first:last]
    assert [line for _, line in got] == [index.lines(number, number + 1)[0] for number in expected[first:last]]
    if index.count:
        number = data.draw(st.integers(0, index.count - 1))
        assert matches.before(index.place(number)) == sum(n < number for n in expected)


@pytest.mark.parametrize("needle", ["über", "Über", "ÜBER"])
def test_capital_and_small_letters_of_any_language_are_the_same(tmp_path: Path, needle: str) -> None:
    (path := tmp_path / "output").write_text("Über uns\nüber euch\nuber\nGRÜSSE, ÜBER ALLES\n")
    matches = Matches(path, needle)
    whole(matches)
    assert matches.count == 3
    assert [bool(places(line, needle)) for line in path.read_text().splitlines()] == [True, True, False, True]


def test_few_matches_far_apart_and_many(tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.write_bytes(b"".join(b"line %d%s\n" % (n, b" rare" if n % 150_000 == 7 else b"") for n in range(600_000)))
    rare, every = Matches(path, "rare"), Matches(path, "line")
    whole(rare)
    whole(every)
    assert [line.data for _, line in rare.lines(0, 10)] == [b"line %d rare" % n for n in (7, 150_007, 300_007, 450_007)]
    assert every.count == 600_000
    assert every.lines(599_999, 600_000)[0][1].data == b"line 599999"
    # However many there are, what is kept is a figure for each block.
    assert len(every._before) <= path.stat().st_size // BLOCK + 1
    assert rare.place(4) is None


def test_a_line_of_any_length(tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.write_bytes(b"error" + b"A" * (5 << 20) + b"\nerror\n")
    matches = Matches(path, "error")
    whole(matches)
    (_, first), (_, second) = matches.lines(0, 2)
    assert (len(first.data), first.cut > 0, second.data) == (SHOWN, True, b"error")


def test_what_was_cut_short_is_searched_anew(tmp_path: Path) -> None:
    path = tmp_path / "output"
    matches = Matches(path, "x")
    assert not matches.step()
    path.write_bytes(b"x\n" * 100)
    whole(matches)
    assert matches.count == 100
    path.write_bytes(b"x\ny\n")
    assert matches.grown()
    whole(matches)
    assert matches.count == 1
    path.unlink()
    assert matches.lines(0, 1) == []


@pytest.mark.parametrize("needle", ["é", "Ä", "☃", "a.c", "[", "\\"])
def test_any_text_can_be_looked_for(tmp_path: Path, needle: str) -> None:
    path = tmp_path / "output"
    path.write_bytes(f"abc\nx {needle} y\n".encode())
    matches = Matches(path, needle)
    whole(matches)
    assert [line.data.decode() for _, line in matches.lines(0, 9)] == [f"x {needle} y"]


class Steps:
    """A job of so many steps that says when it was begun."""

    def __init__(self, count: int, fault: bool = False) -> None:
        self.left, self.fault = count, fault
        self.begun, self.go = threading.Event(), threading.Event()

    def step(self) -> bool:
        self.begun.set()
        assert self.go.wait(10)
        if self.fault:
            raise OSError("gone")
        self.left -= 1
        return self.left > 0


def test_jobs_are_done_in_order_in_one_thread() -> None:
    backlog, first, second = Backlog(), Steps(3), Steps(2)
    backlog.add(first)
    backlog.add(second)
    backlog.add(second)
    assert first.begun.wait(10)
    assert backlog.busy
    assert not second.begun.is_set()
    first.go.set()
    second.go.set()
    backlog.wait()
    assert (first.left, second.left, backlog.busy) == (0, 0, False)
    again = Steps(1)
    again.go.set()
    backlog.add(again)
    backlog.wait()
    assert again.left == 0


def test_a_job_that_is_dropped_is_not_gone_on_with() -> None:
    backlog, first, second = Backlog(), Steps(100), Steps(2)
    backlog.add(first)
    backlog.add(second)
    assert first.begun.wait(10)
    backlog.drop()
    assert not backlog.busy
    first.go.set()
    backlog.wait()
    assert (first.left, second.left) == (99, 2)


def test_what_cannot_be_read_ends_its_job_only() -> None:
    backlog, first, second = Backlog(), Steps(2, fault=True), Steps(1)
    for job in (first, second):
        job.go.set()
        backlog.add(job)
    backlog.wait()
    assert second.left == 0


def test_searching_stops_when_it_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "output"
    with path.open("wb") as file:
        os.truncate(file.fileno(), 1 << 30)
    backlog, matches = Backlog(), Matches(path, "x")
    backlog.add(matches)
    backlog.drop(Matches)
    backlog.wait()
    assert matches.searched < 1 << 30
