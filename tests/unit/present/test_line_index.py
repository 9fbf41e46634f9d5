"""Lines of files of any size: the same as splitting the whole file, whatever its shape and however it grew."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tui.live import line_index
from tui.live.line_index import BLOCK, SHOWN, LineIndex, Place

LENGTHS = st.sampled_from([0, 1, 3, 80, 80, 500, SHOWN - 1, SHOWN, SHOWN + 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
CHUNKS = st.lists(st.tuples(LENGTHS, st.booleans()), max_size=40)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chunks=CHUNKS, grown=st.lists(CHUNKS, max_size=2), data=st.data())
def test_lines_are_those_of_the_file(
    tmp_path: Path, chunks: list[tuple[int, bool]], grown: list[list[tuple[int, bool]]], data: st.DataObject
) -> None:
    path = tmp_path / "output"
    path.write_bytes(b"")
    index = LineIndex(path)
    for part in (chunks, *grown):
        with path.open("ab") as file:
            for number, (length, ended) in enumerate(part):
                file.write(b"abcdefghij"[number % 10 : number % 10 + 1] * length + (b"\n" if ended else b""))
        while index.extend(BLOCK + 7):
            pass
    whole(index)
    parts = path.read_bytes().split(b"\n")
    lines = parts[:-1] if parts[-1] == b"" else parts
    assert index.count == len(lines)
    first = data.draw(st.integers(0, len(lines)))
    last = data.draw(st.integers(first, len(lines)))
    got = index.lines(first, last)
    assert [line.data for line in got] == [line[:SHOWN] for line in lines[first:last]]
    assert [line.cut for line in got] == [max(0, len(line) - SHOWN) for line in lines[first:last]]


def test_memory_does_not_grow_with_lines(tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.write_bytes(b"x\n" * 2_000_000)
    index = LineIndex(path)
    whole(index)
    assert index.count == 2_000_000
    assert index._before.buffer_info()[1] <= 4_000_000 // BLOCK + 2
    assert [line.data for line in index.lines(1_999_999, 2_000_000)] == [b"x"]


def test_a_file_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    index = LineIndex(tmp_path / "missing")
    assert not index.extend()
    assert index.lines(0, 10) == []


def whole(index: LineIndex) -> None:
    """Take in everything, as the screen and the thread do together."""
    index.extend()
    while index.head is not None and index.head.step():
        pass
    index.adopt_head()


def test_the_end_of_a_large_file_is_there_first(tmp_path: Path) -> None:
    path = tmp_path / "output"
    lines = [b"line %d %s" % (n, b"x" * (n % 200)) for n in range(60_000)]
    path.write_bytes(b"\n".join(lines))
    index = LineIndex(path)
    index.extend()
    assert not index.complete
    assert 0 < index.count < 10_000
    assert [line.data for line in index.lines(index.count - 3, index.count)] == lines[-3:]
    places = [index.place(number) for number in range(index.count)]
    known = index.count
    with path.open("ab") as file:
        file.write(b"\nmore\nand more\n")
    assert index.extend()
    while index.head is not None and index.head.step():
        pass
    assert index.head_counted
    assert index.adopt_head()
    assert not index.adopt_head()
    assert index.complete
    assert index.count == 60_002
    assert [line.data for line in index.lines(index.count - 3, index.count)] == [lines[-1], b"more", b"and more"]
    # What was known before has other numbers now, its places are the same.
    assert [index.number(place) for place in places[1:]] == list(range(60_001 - known, 60_000))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chunks=CHUNKS, grown=CHUNKS, tail=st.sampled_from([1, 3]), data=st.data())
def test_counting_from_the_end_finds_the_same_lines(
    tmp_path: Path, chunks: list[tuple[int, bool]], grown: list[tuple[int, bool]], tail: int, data: st.DataObject
) -> None:
    path = tmp_path / "output"
    path.write_bytes(b"".join(b"x" * length + (b"\n" if ended else b"") for length, ended in chunks))
    index, from_start = LineIndex(path), LineIndex(path)
    whole(from_start)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(line_index, "AT_ONCE", tail * BLOCK)
        patched.setattr(line_index, "TAIL", tail * BLOCK)
        index.extend()
        with path.open("ab") as file:
            file.write(b"".join(b"y" * length + (b"\n" if ended else b"") for length, ended in grown))
        whole(index)
    whole(from_start)
    assert index.count == from_start.count
    number = data.draw(st.integers(0, max(0, index.count - 1)))
    assert index.lines(number, number + 5) == from_start.lines(number, number + 5)
    if index.count:
        assert index.place(number) == from_start.place(number)
        assert index.number(index.place(number)) == number


def test_a_file_that_was_cut_short_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.write_bytes(b"a\nb\nc\n")
    index = LineIndex(path)
    index.extend()
    path.write_bytes(b"z\n")
    assert index.extend()
    assert [line.data for line in index.lines(0, 9)] == [b"z"]
    path.write_bytes(b"")
    assert index.extend()
    assert (index.count, index.lines(0, 9)) == (0, [])


def test_lines_that_are_gone_by_the_time_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.write_bytes(b"a\n" * 100_000)
    index = LineIndex(path)
    index.extend()
    path.write_bytes(b"a\n")
    assert index.lines(99_990, 99_999) == []
    path.unlink()
    assert index.lines(0, 1) == []


def test_the_count_of_a_file_that_is_gone_ends(tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.write_bytes(b"a\n" * 2_000_000)
    index = LineIndex(path)
    index.extend()
    assert index.head is not None
    index.head.step()
    path.unlink()
    assert not index.head.step()
    assert index.adopt_head()


def test_places_say_where_lines_begin() -> None:
    assert Place(0, -1) < Place(0, 0) < Place(1, 0)
