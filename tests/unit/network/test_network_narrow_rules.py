"""Entries with methods and paths, which need inspection (SPEC N4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.network.policy import make_policy
from engine.network.rules import parse_entry, parse_rules


@pytest.mark.parametrize(
    ("entry", "stored"),
    [
        ("x.org", "x.org"),
        ("GET x.org", "GET x.org"),
        (" HEAD,GET  *.X.org:8443/a/* ", "GET,HEAD *.x.org:8443/a/*"),
        ("=x.org/", "=x.org/"),
        ("x.org/*", "x.org/*"),
        ("8.8.8.8/a.b/c~d", "8.8.8.8/a.b/c~d"),
        ("[2001:db8::1]/a", "[2001:db8::1]/a"),
    ],
)
def test_an_entry_is_stored_in_one_spelling(entry: str, stored: str) -> None:
    (rule,) = parse_entry(entry, inspect=True)
    assert str(rule) == stored
    assert parse_entry(stored, inspect=True) == (rule,)


@pytest.mark.parametrize(
    "entry",
    [
        "get x.org",
        "GET,,HEAD x.org",
        "GET, HEAD x.org",
        "GET",
        "GET x.org y.org",
        "https://x.org/a",
        "x.org/a*",
        "x.org/*/b",
        "x.org/a?b",
        "x.org/a#b",
        "x.org/a b",
        "x.org/../a",
        "x.org/a/.",
        "x.org/a//b",
        "x.org/%41",
        "x.org/é",
        "/a",
        "user@x.org/a",
    ],
)
def test_an_entry_that_could_be_misread_is_refused(entry: str) -> None:
    with pytest.raises(UsageError):
        parse_entry(entry, inspect=True)


def test_without_inspection_and_in_a_denylist_they_are_refused() -> None:
    for entry in ("GET x.org", "x.org/a"):
        with pytest.raises(UsageError):
            parse_rules([entry])
        with pytest.raises(UsageError):
            make_policy("full", deny=[entry], inspect=True)


@pytest.mark.parametrize(
    ("host", "inspected"), [("x.org", True), ("a.x.org", False), ("y.org", False), ("z.org", True), ("n.org", False)]
)
def test_what_is_looked_into(host: str, inspected: bool) -> None:
    allow = ["GET =x.org", "*.x.org", "y.org", "y.org/a", "z.org/a"]
    policy = make_policy("limited", allow=allow, inspect=True)
    assert policy.inspects(host, 443) == (inspected or host == "n.org")
    assert not make_policy("limited", allow=["x.org"]).inspects(host, 443)
    assert make_policy("full", methods=["GET"], inspect=True).inspects(host, 443)
    assert not make_policy("full", inspect=True).inspects(host, 443)


@pytest.mark.parametrize(
    ("method", "path", "error"),
    [
        ("GET", "/v1/a", None),
        ("HEAD", "/v1/a?b=/../c", None),
        ("POST", "/v1/a", "blocked-by-method-policy"),
        ("POST", "/login", None),
        ("PUT", "/login", "blocked-by-method-policy"),
        ("GET", "/", "blocked-by-policy"),
        ("GET", "/v1/../login", "blocked-by-policy"),
        (None, "", None),
    ],
)
def test_one_rule_has_to_permit_method_and_path(method: str | None, path: str, error: str | None) -> None:
    policy = make_policy("limited", allow=["GET,HEAD,POST x.org/login", "GET,HEAD x.org/v1/*"], inspect=True)
    decision = policy.decide("x.org", 443, method, path)
    assert (None if decision.allowed else decision.error) == error
    assert bool(decision.reason) == (not decision.allowed)


@given(
    st.lists(st.sampled_from(["..", ".", "%2e", "%2E%2e", "%252e.", "a", "b;x", "%2f", "%5c", "..;", ""]), max_size=6)
)
def test_no_path_that_may_step_up_is_permitted(steps: list[str]) -> None:
    from urllib.parse import unquote

    (rule,) = parse_entry("x.org/v1/*", inspect=True)
    path = "/v1/" + "/".join(steps)
    plain = unquote(unquote(unquote(path))).replace("\\", "/")
    if any(part.partition(";")[0] in (".", "..") for part in plain.split("/")):
        assert not rule.permits_path(path)
