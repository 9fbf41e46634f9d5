"""What a change of the file does to the snapshot, before it is saved."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.cache.effect import effect
from engine.environment.load import parse

BASE = """\
name = "web"
[setup]
script = "one\\ntwo\\nthree"
[maintenance]
script = "npm ci"
watch = ["package-lock.json"]
[variables]
A = "1"
[secrets]
TOKEN = {}
[cache]
ttl = "2h"
[network]
agent = "off"
"""
CASES = [
    ("ntwo", "nzwei", "setup", "this invalidates the snapshot: setup script changed (1 line)"),
    ("npm ci", "npm i", "maintenance", "maintenance will run again: maintenance script changed (1 line)"),
    ("npm ci", "", "setup", "this invalidates the snapshot: maintenance script changed (1 line)"),
    ("package-lock.json", "yarn.lock", "maintenance", "maintenance will run again: it watches other files"),
    ('A = "1"', 'A = "2"', "setup", "this invalidates the snapshot: variable A changed"),
    ("TOKEN = {}", "OTHER = {}", "setup", "this invalidates the snapshot: secret OTHER added, secret TOKEN removed"),
    ("2h", "3h", "nothing", "the snapshot lives 3h00m in place of 2h00m"),
    ('"off"', '"full"', "nothing", "no effect on the snapshot"),
    ("[cache]", "[cache]\nenabled = false", "setup", "every task runs setup: the cache is off"),
    ('"web"', '"other"', "setup", "another name is another environment: setup runs again, and secrets have to be set again"),
    ("[network]", "# why\n[network]", "nothing", "no effect on the snapshot"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "again", "text"), CASES)
def test_effects(old: str, new: str, again: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "fumehood.toml"
    before, after = (parse(t.encode(), path)[0] for t in (BASE, BASE.replace(old, new)))
    assert before is not None
    assert after is not None
    found = effect(before, after)
    assert (found.again, found.text) == (again, text)
