"""What is offered at a place of an environment file."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.environment.complete import complete


def offered(text: str) -> list[str]:
    """What is offered at `¦`."""
    head, _, rest = text.partition("¦")
    lines = (head + rest).split("\n")
    row = head.count("\n")
    found = complete(lines, row, len(head) - head.rfind("\n") - 1)
    return [candidate.text for candidate in found.candidates]


def test_keys_of_the_table_that_are_not_there() -> None:
    found = offered('name = "w"\n[network]\nagent = "off"\n¦\ninspect = true\n')
    assert found[:3] == ["allow = ", "deny = ", "methods = "]
    assert "agent = " not in found
    assert "inspect = " not in found
    assert "[cache]" in found
    assert "[network]" not in found


def test_the_beginning_of_a_key_chooses() -> None:
    assert offered("[cache]\nt¦") == ["ttl = "]
    assert offered("network.ag¦") == ["network.agent = "]
    assert offered("[ca¦") == ["cache]"]
    assert offered("[secrets.A]\nmai¦")[0] == "maintenance = "
    assert offered("[versions]\npy¦") == ["python = "]


def test_values_are_choices_defaults_and_examples() -> None:
    assert offered("[network]\nagent = ¦") == ['"off"', '"limited"', '"full"']
    assert offered('[network]\nagent = "l¦') == ['"limited"']
    assert offered("[cache]\nenabled = ¦") == ["true", "false"]
    assert offered("[cache]\nttl = ¦") == ['"12h"']
    assert offered('[network]\nmethods = ["GET", "HE¦') == ['"HEAD"']
    assert offered("[network]\nmethods = [\n  ¦")[0] == '"GET"'
    assert offered("[secrets]\nA = ¦") == ["{}"]


def test_nothing_in_scripts_and_comments() -> None:
    assert offered("[setup]\nscript = '''\nna¦") == []
    assert offered("# na¦") == []
    assert offered('name = "w" # ¦') == []
    assert offered("[nothing]\nx = ¦") == []


def test_where_the_text_to_replace_begins() -> None:
    assert complete(["[network]", 'agent = "l'], 1, 10).start == 8
    assert complete(["[cache]", "  tt"], 1, 4).start == 2


@given(st.text("[]{}=\"'#.,\n abn1\\", max_size=60), st.integers(0, 60))
def test_any_text_is_harmless(text: str, at: int) -> None:
    head = text[:at]
    row, column = head.count("\n"), len(head) - head.rfind("\n") - 1
    found = complete(text.split("\n"), row, column)
    assert 0 <= found.start <= column
