"""Lines of files of any size: the same as splitting the whole file, whatever its shape and however it grew."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tui.live.line_index import BLOCK, SHOWN, LineIndex, Matches

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
    whole = path.read_bytes().split(b"\n")
    lines = whole[:-1] if whole[-1] == b"" else whole
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
    index.extend()
    assert index.count == 2_000_000
    assert index._before.buffer_info()[1] <= 4_000_000 // BLOCK + 2
    assert [line.data for line in index.lines(1_999_999, 2_000_000)] == [b"x"]


def test_a_file_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    index = LineIndex(tmp_path / "missing")
    assert not index.extend()
    assert index.lines(0, 10) == []


@pytest.mark.parametrize("step", [10, 1 << 20, 1 << 30])
def test_matches_are_found_whatever_the_step(tmp_path: Path, step: int) -> None:
    path = tmp_path / "output"
    lines = [b"line %d%s" % (n, b" FAILED failed" if n % 700 == 3 else b"") for n in range(60_000)]
    path.write_bytes(b"\n".join(lines[:30_000]))
    matches = Matches(path, "failed")
    while matches.extend(step):
        pass
    path.write_bytes(b"\n".join(lines))
    while matches.extend(step):
        pass
    assert list(matches.lines) == [n for n, line in enumerate(lines) if b"failed" in line.lower()]
