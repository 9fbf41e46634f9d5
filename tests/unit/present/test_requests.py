"""The requests of a task by host, what was refused on top; bounded, and nothing of it interpreted."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import UsageError
from engine.network.allow import entry_for
from engine.network.rules import parse_entry
from engine.tasks import events as ev
from engine.tasks.model import TaskState
from tests.unit.present.test_rows import text_of
from tui.present import requests
from tui.present.requests import Traffic


def asked(host: str, decision: Any = "allowed", **more: Any) -> ev.NetworkRequest:
    """A request."""
    fields = {"phase": "agent", "port": 443, "method": "GET", **more}
    return ev.NetworkRequest(host=host, decision=decision, **fields)


def shown(traffic: Traffic, *unfolded: requests.Key, needle: str = "") -> list[str]:
    """The list as text."""
    return [text_of(line.row) for line in requests.lines(traffic, unfolded, needle, 100)]


@pytest.fixture
def traffic() -> Traffic:
    """Some of everything."""
    found = Traffic()
    found.apply(ev.CommandStarted(id="0003", command="pytest -x\n tests"))
    for _ in range(14):
        found.apply(asked("files.test", bytes_up=100, bytes_down=2000, rule="files.test"))
    for path in ("/a", "/a", "/b"):
        found.apply(asked("api.test", "denied", path=path, method="POST", reason="no rule allows it", command="0003",
                          sure=True))  # fmt: skip
    found.apply(asked("gone.test", "failed", reason="no such name", port=8443))
    return found


def test_what_was_refused_is_on_top_with_its_command(traffic: Traffic) -> None:
    first, second, third = shown(traffic)
    assert first.startswith(" ✗ api.test refused ×3  POST")
    assert "pytest -x" in first
    assert second.startswith(" ! gone.test:8443 failed  GET")
    assert third.startswith(" ✓ files.test ×14  GET")
    assert "↑ 1.4 kB  ↓ 28.0 kB" in third


def test_unfolded_shows_each_kind_of_request_once(traffic: Traffic) -> None:
    lines = shown(traffic, ("denied", "api.test", 443))
    assert "POST /a ×2" in lines[1]
    assert "no rule allows it" in lines[2]
    assert "in agent, by: pytest -x" in lines[3]
    assert "POST /b" in lines[4]
    assert len(lines) == 9


def test_the_filter_looks_into_requests_and_commands(traffic: Traffic) -> None:
    assert len(shown(traffic, needle="PYTEST")) == 1
    assert len(shown(traffic, needle=".test")) == 3
    assert shown(traffic, needle="nowhere") == []
    assert shown(traffic, ("denied", "api.test", 443), needle="/b")[1].count("/b") == 1


def test_requests_of_one_host_are_bounded() -> None:
    traffic = Traffic()
    for number in range(5000):
        traffic.apply(asked("x.test", path=f"/{number}"))
    host = traffic.in_order()[0]
    assert host.total.number == 5000
    assert len(host.kinds) == 200
    assert "4,800 more requests" in shown(traffic, host.key)[-1]


def test_other_attempts_are_left_out_but_for_the_setup_they_share() -> None:
    traffic = Traffic(2)
    traffic.apply(asked("one.test"))
    traffic.apply(asked("setup.test", phase="setup"))
    traffic.apply(asked("two.test", run=2))
    assert [host.host for host in traffic.in_order()] == ["setup.test", "two.test"]


def test_a_rule_helps_only_where_none_decided(traffic: Traffic) -> None:
    assert traffic.hosts["denied", "api.test", 443].wants_a_rule
    traffic.apply(
        asked("x.test", "denied", rule="x.test", reason="POST to x.test was refused: allowed methods are GET")
    )
    assert not traffic.hosts["denied", "x.test", 443].wants_a_rule
    assert not traffic.hosts["allowed", "files.test", 443].wants_a_rule


def test_nothing_of_a_request_is_interpreted() -> None:
    traffic = Traffic()
    traffic.apply(asked("x\x1b]0;t\x07", "denied", path="/\x1b[2J", method="\x9b2J", reason="\x1b[31m"))
    host = traffic.in_order()[0]
    text = "".join(shown(traffic, host.key))
    assert "\x1b" not in text
    assert "\x9b" not in text


@pytest.mark.parametrize(
    ("host", "port", "entry"),
    [
        ("api.test", 443, "=api.test"),
        ("api.test", 80, "=api.test"),
        ("api.test", 8443, "=api.test:8443"),
        ("93.184.216.34", 443, "93.184.216.34"),
        ("2606:2800:220:1::1", 8443, "[2606:2800:220:1::1]:8443"),
    ],
)
def test_the_narrowest_entry_admits_the_host_and_no_other(host: str, port: int, entry: str) -> None:
    assert entry_for(host, port) == entry
    (rule,) = parse_entry(entry)
    assert rule.admits(host, port)
    assert not rule.admits(f"sub.{host}", port)
    assert not rule.admits(host, 22)


@pytest.mark.parametrize("host", ["localhost", "169.254.169.254", "10.0.0.1", "a b", ""])
def test_no_entry_opens_what_is_not_public(host: str) -> None:
    with pytest.raises(UsageError):
        entry_for(host, 443)


def test_the_empty_list_teaches() -> None:
    state = TaskState("a", network_mode="off")
    text = " ".join(text_of(line) for line in requests.empty_rows(state, Traffic(checks=("ok no route",)), "", 300))
    assert "It is off for the agent" in text
    assert 'agent = "limited"' in text
    assert "ok no route" in text
    assert "is shown here" in text_of(requests.empty_rows(None, None, "", 80)[1])
    assert "esc" in text_of(requests.empty_rows(state, Traffic(), "x", 80)[1])
