"""Single values changed in the text of a file, and not another byte."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.environment.rewrite import Append, Change, Drop, Put, Remove, changed, literal
from engine.errors import EngineError

CASES: dict[str, tuple[str, Change, str]] = {
    "a value": ('[cache] # c\nttl = "1h" # why\n', Put(("cache", "ttl"), "2h"), '[cache] # c\nttl = "2h" # why\n'),
    "a value of many lines": ("[setup]\nscript = '''\na\n'''\n#e", Put(("setup", "script"), "b"), '[setup]\nscript = "b"\n#e'),
    "a new key in its table": (
        '[cache]\nttl = "1h"\n\n[agent]\nuse = "mini"\n',
        Put(("cache", "enabled"), False),
        '[cache]\nttl = "1h"\nenabled = false\n\n[agent]\nuse = "mini"\n',
    ),
    "a new table": ('name = "w"\n', Put(("variables", "A"), "1"), 'name = "w"\n\n[variables]\nA = "1"\n'),
    "no line end": ('name = "w"', Put(("variables", "A"), "1"), 'name = "w"\n\n[variables]\nA = "1"\n'),
    "beside dotted keys": (
        'network.agent = "off"\n[cache]\n',
        Put(("network", "inspect"), True),
        'network.agent = "off"\nnetwork.inspect = true\n[cache]\n',
    ),
    "beside tables of its own": (
        "[secrets.A]\nmaintenance = true\n",
        Put(("secrets", "B"), {}),
        "[secrets.A]\nmaintenance = true\n\n[secrets]\nB = {}\n",
    ),
    "at the top": ('[agent]\nuse = "mini"\n', Put(("name",), "w"), 'name = "w"\n[agent]\nuse = "mini"\n'),
    "a name in quotes": ("[variables]\n", Put(("variables", "a b"), "1"), '[variables]\n"a b" = "1"\n'),
    "Windows lines": ('[variables]\r\nA = "1"\r\n', Put(("variables", "B"), "2"), '[variables]\r\nA = "1"\r\nB = "2"\r\n'),
    "a key removed": ('[v]\nA = "1" # a\n# b\nB = "2"\n', Remove(("v", "A")), '[v]\n# b\nB = "2"\n'),
    "a table removed": ('x = 1\n\n[s.A]\nm = true\n\n[t]\ny = 1\n', Remove(("s", "A")), "x = 1\n\n[t]\ny = 1\n"),
    "an item added": ('[n]\nallow = ["a"]\n', Append(("n", "allow"), "b"), '[n]\nallow = ["a", "b"]\n'),
    "a first item": ('[n]\nagent = "x"\n', Append(("n", "allow"), "b"), '[n]\nagent = "x"\nallow = ["b"]\n'),
    "the first item dropped": ('[n]\nallow = ["a", "b"]\n', Drop(("n", "allow"), 0), '[n]\nallow = ["b"]\n'),
    "the last item dropped": ('[n]\nallow = ["a", "b"] # c\n', Drop(("n", "allow"), 1), '[n]\nallow = ["a"] # c\n'),
    "the only item dropped": ('[n]\nallow = ["a"]\n', Drop(("n", "allow"), 0), "[n]\nallow = []\n"),
    "an item with its line": (
        '[n]\nallow = [\n  "a", # why a\n  "b", # why b\n]\n',
        Drop(("n", "allow"), 0),
        '[n]\nallow = [\n  "b", # why b\n]\n',
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_nothing_else_changes(case: str) -> None:
    before, change, after = CASES[case]
    assert changed(before.encode(), [change]).decode() == after


def test_several_changes_at_once() -> None:
    text = changed(b'name = "w"\n', [Put(("network", "agent"), "limited"), Append(("network", "allow"), "x.org")])
    assert text == b'name = "w"\n\n[network]\nagent = "limited"\nallow = ["x.org"]\n'


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("secrets = { A = {} }\n", Remove(("secrets", "A"))),
        ('"net\\u0077ork".agent = "off"\n', Put(("network", "agent"), "full")),
        ('[n]\nallow = [["a"], "b"]\n', Drop(("n", "allow"), 1)),
    ],
)
def test_what_cannot_be_done_safely_is_refused(text: str, change: Change) -> None:
    with pytest.raises(EngineError, match="cannot be edited safely"):
        changed(text.encode(), [change])


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_text_is_a_value_and_a_name(value: str, name: str) -> None:
    before = b"# first\n[variables] # here\nA = '1'\n\n[cache]\n# last\n"
    after = changed(before, [Put(("variables", name), value)])
    assert tomllib.loads(after.decode())["variables"][name] == value
    if name != "A":
        assert after.startswith(b"# first\n[variables] # here\nA = '1'\n")
        assert after.endswith(literal(value).encode() + b"\n\n[cache]\n# last\n")
