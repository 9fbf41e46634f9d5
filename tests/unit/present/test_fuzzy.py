"""A few letters find what is meant, and tell which of them were found where."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui.present.fuzzy import match, ranked


def names(query: str, *texts: str) -> list[str]:
    return [text for text, _ in ranked(query, ((text, text) for text in texts))]


def test_beginnings_of_words_come_first() -> None:
    assert names("log", "dialog", "feature/log-in", "login", "lot of gold") == [
        "login", "feature/log-in", "dialog",
    ]  # fmt: skip
    assert names("fxtst", "fix the test", "taxi far from the stand") == ["fix the test"]
    assert names("gone", "a long green line") == []
    assert names("lgn", "dialog", "login", "lot of gone") == ["login", "lot of gone"]


def test_every_word_has_to_fit() -> None:
    assert names("fix te", "fix the test", "fix it", "test") == ["fix the test"]


def test_nothing_typed_keeps_the_order() -> None:
    assert names("", "b", "a") == ["b", "a"]


def test_parts_are_where_the_letters_are() -> None:
    assert match("hl", "Hello") == match("HL", "hello")
    found = match("hl", "Hello")
    assert found is not None
    assert found[1] == [(0, 1), (2, 3)]


@given(st.text(max_size=30), st.text(max_size=60))
def test_parts_lie_inside_the_text(query: str, text: str) -> None:
    found = match(query, text)
    if found is not None:
        assert all(0 <= start < end <= len(text) for start, end in found[1])


@given(st.text(min_size=1, max_size=40))
def test_a_text_fits_itself(text: str) -> None:
    assert match(text, text) is not None
