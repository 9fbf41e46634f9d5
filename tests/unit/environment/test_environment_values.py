"""Durations, sizes, and the outline of a TOML text."""

from __future__ import annotations

import string
import tomllib

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from engine.environment.document import scan
from engine.environment.kinds import BadValue
from engine.environment.values import format_duration, format_size, parse_duration, parse_size


@given(st.integers(0, 10**12))
def test_durations_round_trip(seconds: int) -> None:
    if seconds // 86400 < 10**9:
        assert parse_duration(format_duration(seconds)) == seconds


@given(st.integers(0, 10**15 - 1))
def test_sizes_round_trip(size: int) -> None:
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(
    ("text", "seconds"), [("30m", 1800), ("1h30m", 5400), ("90s", 90), ("2d", 172800), (45, 45), ("1d2h3m4s", 93784)]
)
def test_durations(text: str | int, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "m", "1.5h", "-1m", "30m1h", "1h 30m", "٣m", "1H", 1.5, True, None, []])
def test_bad_durations(text: object) -> None:
    with pytest.raises(BadValue):
        parse_duration(text)


@pytest.mark.parametrize(("text", "size"), [("4g", 4 << 30), ("512M", 512 << 20), ("1 GiB", 1 << 30), ("7", 7), (9, 9)])
def test_sizes(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "g", "1.5g", "-1g", "4x", "4ib5", 1.5, False])
def test_bad_sizes(text: object) -> None:
    with pytest.raises(BadValue):
        parse_size(text)


def test_lines_of_keys() -> None:
    text = (
        "# comment = 1\n"
        "a = 1\n"
        'b.c = """\nx = 1\n[y]\n\\""" z = 2\n"""\n'
        "[t.'u v']  # [no]\n"
        "d = [\n  1, # e = 2\n  {f = 3},\n]\n"
        "g = '''\n''''\n"
        "[[list]]\nh = 2024-01-01\n"
        '"i=j" = "[\\"k"\nl = 1\n'
    )
    tomllib.loads(text)
    assert scan(text).lines == {
        ("a",): 2,
        ("b",): 3,
        ("b", "c"): 3,
        ("t",): 8,
        ("t", "u v"): 8,
        ("t", "u v", "d"): 9,
        ("t", "u v", "g"): 13,
        ("list",): 15,
        ("list", "h"): 16,
        ("list", "i=j"): 17,
        ("list", "l"): 18,
    }


_names = st.text(string.ascii_letters + "-_", min_size=1, max_size=5)
_leaf = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=30), st.integers(), st.lists(st.text())
)


@given(st.dictionaries(_names, st.one_of(_leaf, st.dictionaries(_names, _leaf, max_size=4)), max_size=5), st.booleans())
def test_every_key_of_a_valid_text_has_a_line(data: dict[str, object], multiline: bool) -> None:
    text = tomli_w.dumps(data, multiline_strings=multiline)
    lines = scan(text).lines
    split = text.split("\n")
    paths: set[tuple[str, ...]] = {(name,) for name in data}
    paths |= {(name, key) for name, value in data.items() if isinstance(value, dict) for key in value}
    assert set(lines) == paths
    assert all(path[-1] in split[line - 1] for path, line in lines.items())


@given(st.text(alphabet="[]{}.=\"'\\#\na1 ", max_size=300))
def test_any_text_is_scanned(text: str) -> None:
    scan(text)


def test_a_line_of_many_words_is_no_key() -> None:
    assert len(scan('"x" ' * 20_000).lines) <= 16
