"""The user's keys: every way to write one, what clashes, what is misspelt."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.present import actions, keymap


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("D", "D"), ("/", "slash"), ("slash", "slash"), ("?", "question_mark"), ("ctrl+d", "ctrl+d"), ("^d", "ctrl+d"),
        ("Ctrl+D", "ctrl+d"), ("PgUp", "pageup"), ("pageup", "pageup"), ("esc", "escape"), ("f5", "f5"), ("F5", "f5"),
        ("space", "space"), ("S-tab", "shift+tab"), ("shift+up", "shift+up"), ("↓", "down"), ("^\\", "ctrl+backslash"),
        ("super+x", ""), ("contrl+d", ""), ("pgeup", ""), ("", ""), ("\n", ""), ("ctrl+", ""),
    ],
)  # fmt: skip
def test_key_names(written: str, named: str) -> None:
    assert keymap.key_name(written) == named


def test_every_key_of_the_table_can_be_written_as_it_is_shown() -> None:
    for action in actions.ACTIONS:
        for key in action.keys:
            assert keymap.key_name(actions.shown(key)) == key
            assert keymap.key_name(key) == key


def test_keys_are_changed() -> None:
    found, problems = keymap.read({"new_task": "c-n", "zoom": ["f5", "z"], "quit_bench": "ctrl+q"})
    assert found == {"zoom": ("f5", "z"), "quit_bench": ("ctrl+q",)}
    assert problems == ["keys.new_task: 'c-n' is not a key"]


def test_two_actions_may_change_places() -> None:
    assert keymap.read({"apply": "x", "cancel_task": "a"}) == ({"apply": ("x",), "cancel_task": ("a",)}, [])


def test_panes_may_use_the_same_key() -> None:
    assert keymap.read({"log_filter": "f5", "search": "f5"})[1] == []


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"aply": "f5"}, "did you mean apply?"),
        ({"zork": "f5"}, "there is no such action"),
        ({"apply": 3}, "is neither a key"),
        ({"apply": []}, "is neither a key"),
        ({"apply": ["f5", 3]}, "is neither a key"),
        ({"apply": "pageupp"}, "did you mean pageup?"),
        ({"apply": "x"}, "x is the key of cancel_task (Everywhere)"),
        ({"apply": "m"}, "m is the key of mark_viewed (5 Diff)"),
        ({"fold": "j"}, "j is the key of list_down"),
    ],
)
def test_what_cannot_be_used_is_told(table: dict[str, Any], told: str) -> None:
    found, problems = keymap.read(table)
    assert found == {}
    assert len(problems) == 1
    assert told in problems[0]


def test_an_entry_that_falls_away_takes_those_with_it_that_counted_on_it() -> None:
    found, problems = keymap.read({"cancel_task": "n", "apply": "x"})
    assert found == {}
    assert len(problems) == 2


IDS = st.sampled_from([action.id for action in actions.ACTIONS])
KEYS = st.sampled_from(["a", "x", "f5", "f6", "enter", "^d", "/", "]", "nonsense"])


@given(st.dictionaries(IDS, KEYS | st.lists(KEYS, max_size=3), max_size=6))
def test_no_table_leaves_two_actions_on_one_key(table: dict[str, Any]) -> None:
    found, problems = keymap.read(table)
    assert len(found) + len(problems) == len(table)
    assert list(keymap._clashes(found)) == []
