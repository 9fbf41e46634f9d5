"""Lines of a file in an editor, and back to its bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui.present.editing import coloured, visible, with_line_ends

_TEXT = st.lists(st.sampled_from([*"abc=", "\n", "\r\n", "\u2028", "\x85", "\x0b"])).map("".join)


def lines_of(text: str) -> list[str]:
    """As Textual's editor splits a text."""
    lines = text.splitlines()
    return lines if text and text.splitlines(keepends=True)[-1] == lines[-1] else [*lines, ""]


@given(_TEXT)
def test_what_is_not_edited_stays_to_the_byte(text: str) -> None:
    assert with_line_ends(text, lines_of(text)) == text


@given(_TEXT, st.integers(0, 30))
def test_an_edit_of_one_line_leaves_the_others(text: str, number: int) -> None:
    lines = lines_of(text)
    number %= len(lines)
    before = text.splitlines(keepends=True)
    edited = [*lines[:number], lines[number] + "NEW", *lines[number + 1 :]]
    after = with_line_ends(text, edited)
    assert after.replace("NEW", "", 1) == text
    assert len(after.splitlines(keepends=True)) in (len(before), len(before) + 1)


def test_a_new_line_ends_as_most_do() -> None:
    assert with_line_ends("a\r\nb\r\n", ["a", "x", "b", ""]) == "a\r\nx\r\nb\r\n"
    assert with_line_ends("a\nb\r\nc\n", ["a", "b", "c", "d", ""]) == "a\nb\r\nc\nd\n"
    assert with_line_ends("", ["a", ""]) == "a\n"
    assert with_line_ends("a", ["a", "b"]) == "a\nb"


def test_no_character_of_a_line_can_steer_the_terminal() -> None:
    shown = visible("a\x1b[31m\u202eb\tc\x9b\ud800\u00e9")
    assert shown == "a␛[31m\ufffdb\tc\ufffd\ufffdé"


def test_colours() -> None:
    text = "[cache] # c\nttl = \"1h\"\nenabled = true # why\n[setup]\nscript = '''\na # b\n'''\ncpus = 2"
    found = [[(line[a:b], role) for a, b, role in spans] for line, spans in zip(text.split("\n"), coloured(text.split("\n")), strict=True)]  # fmt: skip
    assert found[0][0] == ("[", "name")
    assert found[0][-1] == ("# c", "comment")
    assert found[1] == [("ttl", "accent"), ('"1h"', "string")]
    assert found[2] == [("enabled", "accent"), ("true", "keyword"), ("# why", "comment")]
    assert found[5] == [("a # b", "string")]
    assert found[7] == [("cpus", "accent"), ("2", "number")]


@given(st.text())
def test_any_text_is_coloured_within_its_lines(text: str) -> None:
    lines = text.splitlines() or [""]
    for line, spans in zip(lines, coloured(lines), strict=True):
        assert all(0 <= begin <= end <= len(line) for begin, end, _ in spans)
