"""Where UTF-8 is not taken, every character becomes as many of ASCII as it has columns."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.screens.terminal import ROOT
from tui.output.charset import takes_utf8, to_ascii


@pytest.mark.parametrize(
    ("variables", "utf8"),
    [
        ({}, True),
        ({"LANG": "C.UTF-8"}, True),
        ({"LANG": "de_DE.utf8"}, True),
        ({"LANG": "C"}, False),
        ({"LANG": "de_DE@euro"}, False),
        ({"LC_ALL": "C", "LANG": "C.UTF-8"}, False),
        ({"LC_ALL": "POSIX"}, False),
        ({"LC_CTYPE": "en_US.UTF-8", "LANG": "C"}, True),
        # Python sets it where the locale is C.
        ({"LC_CTYPE": "C.UTF-8", "LANG": "C"}, False),
        ({"LC_CTYPE": "C.UTF-8"}, True),
    ],
)
def test_the_locale_decides(variables: dict[str, str], utf8: bool) -> None:
    assert takes_utf8(variables) is utf8


@given(st.text(st.characters(exclude_categories=("Cc",))))
def test_it_is_ascii_and_as_wide(text: str) -> None:
    found = to_ascii(text)
    assert found.isascii()
    assert len(found) == sum(map(cell_len, text))


def test_what_the_workbench_draws_keeps_its_shape() -> None:
    assert to_ascii("╭─ 1 Tasks ─╮ │✓ ▸ ● … → ¶│") == "+- 1 Tasks -+ |V > * . > P|"


def test_no_glyph_of_ours_becomes_a_question_mark() -> None:
    folders = ("present", "panes", "widgets", "screens")
    found = set()
    for file in (file for folder in folders for file in (ROOT / "tui" / folder).glob("*.py")):
        for text in re.findall(r'"[^"\n]*"', file.read_text("utf-8")):
            found |= {character for character in text if not character.isascii() and cell_len(character) == 1}
    pictures = {chr(code) for code in range(0x2400, 0x2440)}  # of control characters
    assert {character for character in found - pictures if to_ascii(character) == "?"} == set()
