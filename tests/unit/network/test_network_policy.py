"""Rules and policies: what is written is stored in one spelling or refused with a reason; deny beats allow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.network.policy import Mode, make_policy, parse_methods
from engine.network.rules import parse_entry, parse_rules, preset_names, preset_rules


@pytest.mark.parametrize(
    ("entry", "stored"),
    [
        ("x.org", "x.org"),
        (" INDEX.example.org ", "index.example.org"),
        ("index.example.org.", "index.example.org"),
        ("index.example.org:443", "index.example.org:443"),
        ("*.X.org", "*.x.org"),
        ("=x.org:8080", "=x.org:8080"),
        ("münchen.de", "xn--mnchen-3ya.de"),
        ("8.8.8.8", "8.8.8.8"),
        ("=8.8.8.8:53", "8.8.8.8:53"),
        ("[2001:DB8::1]:8443", "[2001:db8::1]:8443"),
    ],
)
def test_an_entry_is_stored_in_one_spelling(entry: str, stored: str) -> None:
    (rule,) = parse_entry(entry)
    assert str(rule) == stored
    assert parse_entry(stored) == (rule,)


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("", "write"),
        ("*", 'agent = "full"'),
        ("*.", "write"),
        ("=", "write"),
        ("*.com", "write x.org"),
        ("com", "write x.org"),
        ("localhost", "write x.org"),
        ("https://index.example.org/", "write index.example.org"),
        ("index.example.org/path", "write index.example.org"),
        ("user@x.org", "write x.org"),
        (".x.org", "write *.x.org"),
        ("a..b", "write"),
        ("a*.x.org", "*.x.org"),
        ("*.*.org", "*.x.org"),
        ("=*.x.org", "*.x.org"),
        ("x.org y.org", "one host an entry"),
        ("x.org\0", "one host an entry"),
        ("x.org\u200b", "one host an entry"),
        ("x.org:0", "8443"),
        ("x.org:*", "8443"),
        ("x.org:http", "8443"),
        ("2001:db8::1", "[2001:db8::1]"),
        ("[::1]", "public host"),
        ("127.0.0.1", "public host"),
        ("10.0.0.0/8", "write"),
        ("169.254.169.254", "public host"),
        ("0x7f.1", "write"),
        ("*.8.8.8.8", "8.8.8.8"),
        ("straße.de", "xn--"),
        ("x." * 300 + "org", "write"),
        ("preset:nosuch", "common-dependencies, package-managers"),
        ("preset:../rules", "known presets"),
    ],
)
def test_an_unusable_entry_is_refused_with_a_hint(entry: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_entry(entry)
    assert hint in refused.value.hint
    assert refused.value.message.isprintable()


@given(st.text(max_size=60) | st.from_regex(r"[=*.]{0,2}[a-zA-Z0-9.:\[\]*-]{0,30}", fullmatch=True))
def test_reading_is_total_and_stable(entry: str) -> None:
    try:
        rules = parse_entry(entry)
    except UsageError:
        return
    for rule in rules:
        assert parse_entry(str(rule))[0].host == rule.host


def test_presets_are_usable_and_named_in_the_rule() -> None:
    assert preset_names() == ["common-dependencies", "package-managers", "registries"]
    for name in preset_names():
        assert len(preset_rules(name, ())) > 30 or name == "registries"
    policy = make_policy("limited", allow=["preset:common-dependencies", "preset:package-managers"], registries=())
    assert policy.decide("api.github.com", 443, None).rule == "github.com (preset:common-dependencies)"
    assert policy.decide("mirror.bazel.build", 443, None).rule == "=mirror.bazel.build (preset:package-managers)"
    assert not policy.decide("x.mirror.bazel.build", 443, None).allowed


@pytest.mark.parametrize(
    ("host", "port", "rule"),
    [
        ("x.org", 443, "x.org"),
        ("x.org", 80, "x.org"),
        ("a.b.x.org", 443, "x.org"),
        ("w.wild.org", 443, "*.wild.org"),
        ("exact.org", 443, "=exact.org"),
        ("p.org", 8443, "p.org:8443"),
        ("203.0.113.9", 80, "203.0.113.9"),
        ("x.org", 22, None),
        ("p.org", 443, None),
        ("notx.org", 443, None),
        ("x.org.evil.org", 443, None),
        ("wild.org", 443, None),
        ("sub.exact.org", 443, None),
        ("1.203.0.113.9", 80, None),
    ],
)
def test_an_allowlist_admits_what_it_names(host: str, port: int, rule: str | None) -> None:
    policy = make_policy("limited", allow=["x.org", "*.wild.org", "=exact.org", "p.org:8443", "203.0.113.9"])
    decision = policy.decide(host, port, None)
    assert decision.allowed == (rule is not None)
    assert decision.rule == (rule or "")
    if rule is None:
        assert decision.error == "blocked-by-allowlist"
        assert f"{host}:{port}" in decision.reason


def test_modes() -> None:
    assert make_policy("off", allow=["x.org"]).decide("x.org", 443, None).error == "blocked-by-policy"
    assert not make_policy("limited").decide("x.org", 443, None).allowed
    assert make_policy("full").decide("anything.org", 22, None).allowed
    with pytest.raises(UsageError):
        make_policy("open")  # type: ignore[arg-type]


def test_deny_beats_allow_on_every_port() -> None:
    modes: list[tuple[Mode, list[str]]] = [("full", []), ("limited", ["x.org", "bad.x.org:8443"])]
    for mode, allow in modes:
        policy = make_policy(mode, allow=allow, deny=["bad.x.org", "gone.x.org:443"])
        for port in (80, 443, 8443):
            decision = policy.decide("a.bad.x.org", port, None)
            assert (decision.allowed, decision.rule, decision.error) == (False, "bad.x.org", "blocked-by-denylist")
        assert not policy.decide("gone.x.org", 443, None).allowed
        assert policy.decide("gone.x.org", 80, None).allowed


def test_methods_bind_what_is_seen() -> None:
    policy = make_policy("limited", allow=["x.org"], methods=["get", "HEAD"])
    assert policy.decide("x.org", 80, "GET").allowed
    assert policy.decide("x.org", 80, "POST").error == "blocked-by-method-policy"
    assert policy.decide("x.org", 443, None).allowed
    assert not make_policy("full", methods=[]).decide("x.org", 80, "GET").allowed
    with pytest.raises(UsageError):
        parse_methods(["GET /"])


def test_which_policies_look_into_tunnels() -> None:
    assert make_policy("limited").checks_tunnel("x.org", 443)
    assert make_policy("full", methods=["GET"]).checks_tunnel("x.org", 443)
    assert not make_policy("full").checks_tunnel("x.org", 443)


_HOSTS = st.sampled_from(["x.org", "a.x.org", "a.b.x.org", "y.org", "ax.org", "203.0.113.9"])
_ENTRIES = st.lists(st.sampled_from(["x.org", "*.x.org", "=x.org", "y.org", "x.org:80", "*.b.x.org", "203.0.113.9"]))


@given(_HOSTS, st.sampled_from([22, 80, 443]), _ENTRIES, _ENTRIES)
def test_more_denials_never_allow_more(host: str, port: int, allow: list[str], deny: list[str]) -> None:
    denied = make_policy("limited", allow=allow, deny=deny).decide(host, port, None)
    free = make_policy("limited", allow=allow).decide(host, port, None)
    assert free.allowed or not denied.allowed
    if any(rule.bans(host, port) for rule in parse_rules(deny)):
        assert not denied.allowed
