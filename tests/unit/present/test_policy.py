"""The network policy of a task in one line, in the plain log and on the bench (SPEC N3, C3)."""

from __future__ import annotations

import pytest

from engine.tasks import events as ev
from tui.present.plain import PlainLog
from tui.present.policy import policy_line
from tui.present.story import Story, Text

REGISTRIES = ("preset:registries", ["=a.test:443", "=b.test:80"])


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            ev.NetworkPolicy(mode="limited", allow=[REGISTRIES, ("x.org", ["x.org"])], methods=["GET", "HEAD"]),
            "limited: 2 hosts of preset:registries, x.org; methods GET HEAD",
        ),
        (ev.NetworkPolicy(mode="limited", allow=[("preset:registries", [])]), "limited: 0 hosts of preset:registries"),
        (ev.NetworkPolicy(mode="limited"), "limited: nothing"),
        (
            ev.NetworkPolicy(mode="full", allow=[("x.org", ["x.org"])], deny=[("y.org", ["y.org"])]),
            "full; denied: y.org",
        ),
        (
            ev.NetworkPolicy(mode="limited", allow=[(f"{n}.org", [f"{n}.org"]) for n in range(8)]),
            "limited: 0.org, 1.org, 2.org, 3.org, 4.org, 3 more",
        ),
    ],
)
def test_a_policy_in_one_line(event: ev.NetworkPolicy, line: str) -> None:
    assert policy_line(event) == line
    assert list(PlainLog(colour=False).lines(event)) == [f"network {line}"]
    story = Story()
    story.apply(event)
    assert story.blocks == [Text("notice", f"network {line}")]


def test_entries_are_data() -> None:
    event = ev.NetworkPolicy(mode="limited", allow=[("x\x1b[2J", ["x"])])
    assert "\x1b" not in "".join(PlainLog(colour=False).lines(event))
