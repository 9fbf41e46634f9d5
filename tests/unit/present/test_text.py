"""The cleaning boundary: nothing that controls a terminal or hides from a reader gets through."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.present import sgr
from tui.present.text import clean, clean_output, content, has_hidden, one_line

HOSTILE = st.text(
    alphabet=st.sampled_from(
        list("\x1b\x9b\x9d\x90\x07\x9c[]PX^_;:0129mHJc\\ \n\tAb?\r\x08\u202e\u0301\u200d⚠\ufe0f\x00")
    ),
    max_size=60,
)
SGR = re.compile(r"\x1b\[[0-9;:]{0,48}m")


def controls(text: str) -> list[str]:
    return [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in "\n\t"]


@given(HOSTILE | st.text())
def test_clean_leaves_no_control_and_is_idempotent(text: str) -> None:
    cleaned = clean(text)
    assert not controls(cleaned)
    assert clean(cleaned) == cleaned


@given(HOSTILE | st.text())
def test_output_keeps_colours_only_and_is_idempotent(text: str) -> None:
    cleaned = clean_output(text)
    assert not controls(SGR.sub("", cleaned))
    assert clean_output(cleaned) == cleaned


@given(HOSTILE | st.text())
def test_spans_of_output_have_no_escape_at_all(text: str) -> None:
    assert not controls("".join(part for part, _ in sgr.spans(text.replace("\n", " "))))


@given(st.text(alphabet=st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs")), max_size=50))
def test_plain_text_is_left_alone(text: str) -> None:
    assert clean(text) == text == clean_output(text)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("A\x1b]52;c;cHduZWQ=\x07B", "A␛]52;c;cHduZWQ=␇B"),
        ("\x1b[2J\x1b[1;1HX", "␛[2J␛[1;1HX"),
        ("\x9b2J", "⟨009B⟩2J"),
        ("acc\u202eevil", "acc⟨202E⟩evil"),
        ("tag\U000e0041", "tag⟨E0041⟩"),
        ("safe\rPWN", "safe␍PWN"),
        ("nul\x00", "nul\ufffd"),
        ("lone\ud800", "lone\ufffd"),
        ("⚠\ufe0f", "⚠"),
        ("x\ufe0f", "x⟨FE0F⟩"),
        ("e" + "\u0301" * 1000, "e" + "\u0301" * 4 + "⟨+996⟩"),
    ],
)
def test_what_is_shown_instead(raw: str, shown: str) -> None:
    assert clean(raw) == shown


def test_output_shows_other_sequences_as_one_mark() -> None:
    assert clean_output("\x1b[2K\x1b[1;31mred\x1b[0m\x1b[?25l") == "␛\x1b[1;31mred\x1b[0m␛"
    assert clean_output("\x1b]0;title\x07") == "␛]0;title␇"


def test_colours_become_styles() -> None:
    (red, style), (plain, after) = sgr.spans("\x1b[1;31mred\x1b[0m plain")
    assert (red, style.bold, style.color and style.color.number) == ("red", True, 1)
    assert (plain, bool(after)) == (" plain", False)


def test_concealed_text_is_shown() -> None:
    ((text, style),) = sgr.spans("\x1b[8mhidden\x1b[5m")
    assert text == "hidden"
    assert not style.conceal
    assert not style.blink


@given(st.lists(st.integers(0, 9999), max_size=12))
def test_any_parameters_are_taken(codes: list[int]) -> None:
    sgr.spans(f"\x1b[{';'.join(map(str, codes))}mx")


def test_hidden_characters_are_found_in_bytes() -> None:
    assert has_hidden("acc\u202eevil".encode())
    assert has_hidden("zero\u200bwidth".encode())
    assert not has_hidden("Grüße, 世界 ✓".encode())


def test_content_never_reads_markup() -> None:
    text = "[@click=app.quit()]see docs[/] [/nope] [link=http://x] [bold"
    shown = content(text, (text, "bold"))
    assert shown.plain == text + text
    assert all(span.style == "bold" for span in shown.spans)


def test_one_line() -> None:
    assert one_line("\n  fix it\nand more") == "fix it …"
    assert one_line("") == ""
    assert one_line("a\tb\x1b[2J") == "a b␛[2J"
