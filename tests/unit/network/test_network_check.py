"""`network check`, `show` and `allow`: what the gateway would say, what is stored, one more host in the file (SPEC L3)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.environment.load import load
from engine.environment.model import Environment
from engine.errors import EngineError, UsageError
from engine.network.allow import allow_in_file
from engine.network.check import Checked, check, entries, needs_registries, phase_policy, proof_target
from engine.network.policy import make_policy
from tui.cli import main

HEAD = 'name = "web"\n[agent]\nuse = "command"\ncommand = ["true"]\n'


def environment(folder: Path, network: str) -> Environment:
    path = folder / "fumehood.toml"
    path.write_text(f"{HEAD}[network]\n{network}\n")
    return load(path)


def test_the_agents_policy_is_judged(tmp_path: Path) -> None:
    limited = environment(tmp_path, 'agent = "limited"\nallow = ["x.org", "=y.org:8443"]\ndeny = ["bad.x.org"]')
    answers = check(limited, ["X.org", "a.x.org:80", "bad.x.org", "y.org", "y.org:8443", "[2606:4700::1]:1"])
    assert [(a.host, a.port, a.allowed, a.rule) for a in answers] == [
        ("x.org", 443, True, "x.org"),
        ("a.x.org", 80, True, "x.org"),
        ("bad.x.org", 443, False, "bad.x.org"),
        ("y.org", 443, False, ""),
        ("y.org", 8443, True, "=y.org:8443"),
        ("2606:4700::1", 1, False, ""),
    ]
    assert all(bool(a.reason) != a.allowed for a in answers)


def test_the_phases_differ(tmp_path: Path) -> None:
    off = environment(tmp_path, 'agent = "off"')
    assert not check(off, ["x.org"])[0].allowed
    assert check(off, ["x.org"], "setup") == [Checked("x.org", 443, True, "full", "")]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "169.254.169.254:80", "[::1]", "10.0.0.1", "localhost", "a.localhost:80"]
)
def test_addresses_that_are_not_public_are_refused_in_every_phase(host: str, tmp_path: Path) -> None:
    for phase in ("setup", "agent"):
        (answer,) = check(environment(tmp_path, 'agent = "full"'), [host], phase)
        assert not answer.allowed
        assert "never reachable" in answer.reason


@pytest.mark.parametrize(
    "host", ["https://x.org/", "x.org/path", "", "a..b", "*.x.org", "x.org:0", "2130706433", "x\x1b[2J"]
)
def test_what_is_no_host_is_refused(host: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        check(environment(tmp_path, 'agent = "full"'), [host])
    assert refused.value.message.isprintable()


def test_registries_that_are_not_known_are_said(tmp_path: Path) -> None:
    limited = environment(tmp_path, 'agent = "limited"\nallow = ["preset:registries", "x.org"]')
    assert needs_registries(limited)
    allowed, refused = check(limited, ["x.org", "mirror.test"])
    assert allowed.allowed
    assert "not known before setup" in refused.reason
    (known,) = check(limited, ["mirror.test"], registries=["=mirror.test:443"])
    assert known.rule == "=mirror.test:443 (preset:registries)"
    with pytest.raises(UsageError, match="not known"):
        phase_policy(limited, "agent", None)


def test_each_entry_is_shown_as_stored_or_refused(tmp_path: Path) -> None:
    allow = [
        " INDEX.example.org ".strip(),
        "index.example.org:443",
        "index.example.org.",
        "8.8.8.8",
        "münchen.de",
        "preset:registries",
        "https://index.example.org/",
        "*.",
        "*.com",
        "*",
        "a..b",
        "[::1]",
        "preset:nosuch",
        "x." * 300 + "org",
    ]
    network = environment(tmp_path, f'agent = "limited"\nallow = {json.dumps(allow)}\ndeny = ["Evil.test"]').network
    shown = entries(network)
    assert [entry.written for entry in shown] == [*allow, "Evil.test"]
    assert [entry.stored for entry in shown if entry.stored] == [
        ("index.example.org",),
        ("index.example.org:443",),
        ("index.example.org",),
        ("8.8.8.8",),
        ("xn--mnchen-3ya.de",),
        ("evil.test",),
    ]
    assert [entry.refused for entry in shown] == [False] * 6 + [True] * 8 + [False]
    assert all(entry.stored or (entry.problem and entry.hint) for entry in shown)
    assert entries(network, ["=m.test:80"])[5].stored == ("=m.test:80",)


def test_the_self_test_gets_a_host_that_is_allowed() -> None:
    assert (
        proof_target(make_policy("limited", allow=["*.w.org", "bad.org", "x.org:8443"], deny=["bad.org"]))
        == "x.org:8443"
    )
    assert proof_target(make_policy("limited", allow=["[2606:4700::1]"])) == "[2606:4700::1]:443"
    assert proof_target(make_policy("limited")) == ""
    assert proof_target(make_policy("full")) == ""


def test_allow_changes_the_file_once(tmp_path: Path) -> None:
    before = environment(tmp_path, 'agent = "limited" # as agreed\nallow = ["x.org"]')
    assert allow_in_file(before, " Y.org. ") == ("y.org", True)
    after = load(before.path)
    assert after.network.allow == ("x.org", "y.org")
    assert '"limited" # as agreed\nallow = ["x.org", "y.org"]\n' in before.path.read_text()
    assert allow_in_file(after, "y.org") == ("y.org", False)
    with pytest.raises(EngineError, match="changed at this moment"):
        allow_in_file(before, "z.org")


@pytest.mark.parametrize(
    ("network", "entry", "message"),
    [
        ('agent = "off"', "x.org", "is off"),
        ('agent = "full"', "x.org", "already"),
        ('agent = "limited"\nallow = ["a.org"]', "https://x.org/", "not a URL"),
        ('agent = "limited"\nallow = ["a.org"]', "10.0.0.1", "private"),
        ('agent = "limited"\nallow = ["a.org"]', "preset:nosuch", "unknown preset"),
        ('agent = "limited"\nallow = ["a.org"]\ndeny = ["x.org"]', "a.x.org", "deny"),
    ],
)
def test_what_would_have_no_effect_is_refused(network: str, entry: str, message: str, tmp_path: Path) -> None:
    made = environment(tmp_path, network)
    text = made.path.read_bytes()
    with pytest.raises(UsageError, match=message):
        allow_in_file(made, entry)
    assert made.path.read_bytes() == text


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(environment(tmp_path, 'agent = "limited"\nallow = ["x.org"]').path)
    assert main(["network", "check", "--env", path, "--json", "x.org", "y.org:80"]) == 1
    assert json.loads(capsys.readouterr().out) == [
        {"host": "x.org", "port": 443, "allowed": True, "rule": "x.org", "reason": ""},
        {
            "host": "y.org",
            "port": 80,
            "allowed": False,
            "rule": "",
            "reason": "y.org:80 was refused: no rule allows it",
        },
    ]
    assert main(["network", "allow", "=y.org:80", "--env", path]) == 0
    assert main(["network", "check", "--env", path, "x.org", "y.org:80"]) == 0
    capsys.readouterr()
    assert main(["network", "show", "--env", path, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [entry["stored"] for entry in shown["entries"]] == [["x.org"], ["=y.org:80"]]
    assert main(["network", "check", "--env", path, "https://x.org"]) == 2
    assert main(["network", "allow", "x.org", "--task", "nosuch"]) == 2
