"""The guide says what the program does: keys, preferences, the example of own keys."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

from msgspec.structs import fields

from tui.preferences import Preferences
from tui.present import actions, keymap

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/guide.md").read_text()


def test_the_tables_of_keys_are_those_of_the_registry() -> None:
    """`scripts/key-tables` writes them."""
    assert runpy.run_path(str(ROOT / "scripts/key-tables"))["with_tables"](GUIDE) == GUIDE


def test_every_preference_is_in_the_guide() -> None:
    for field in fields(Preferences):
        assert f"| `{field.name}` |" in GUIDE or f"| `[{field.name}]` |" in GUIDE


def test_the_example_of_own_keys_can_be_used() -> None:
    example = re.search(r"```toml\n(\[keys\]\n.*?)```", GUIDE, re.DOTALL)
    assert example is not None
    table = tomllib.loads(example[1])["keys"]
    found, problems = keymap.read(table)
    assert problems == []
    assert set(found) == set(table) <= {action.id for action in actions.ACTIONS}
