"""The way to a model: one host over HTTPS, as narrow as can be said, with one key (SPEC N5)."""

from __future__ import annotations

from typing import Any

import pytest

from engine.agents import agent
from engine.agents.route import route
from engine.errors import UsageError
from engine.network.policy import ModelRules, Policy
from engine.network.rules import parse_rules
from engine.secrets.secret import Secret


def made(base_url: str) -> Any:
    return route(base_url, ("/v1/m",), header="X", value=Secret(b"k"), drops=(), variable="V")


@pytest.mark.parametrize(
    "base_url",
    [
        "http://x.org",
        "http://10.0.0.1:8000",
        "http://127.0.0.1.nip.io",
        "http://0.0.0.0:8000",
        "http://169.254.169.254",
        "https://",
        "x.org",
        "https://u@x.org",
        "https://x.org?a",
        "https://x.org:99999",
        "https://[x",
        "",
    ],
)
def test_addresses_that_no_container_is_let_through_to(base_url: str) -> None:
    with pytest.raises(UsageError, match="no address that a container is let through to"):
        made(base_url)


@pytest.mark.parametrize(
    ("host", "port", "method", "path", "allowed"),
    [
        ("x.org", 443, "POST", "/base/v1/m?beta=1", True),
        ("x.org", 443, "GET", "/base/v1/m", False),
        ("x.org", 443, "POST", "/base/v1/files", False),
        ("x.org", 443, "POST", "/v1/m", False),
        ("x.org", 443, "POST", "/base/v1/m/../files", False),
        ("x.org", 80, "POST", "/base/v1/m", False),
        ("sub.x.org", 443, "POST", "/base/v1/m", False),
    ],
)
def test_nothing_but_the_model_is_allowed(host: str, port: int, method: str, path: str, allowed: bool) -> None:
    rules = ModelRules(parse_rules(made("https://x.org/base/").entries, inspect=True))
    assert Policy("limited", model=rules).decide(host, port, method, path).allowed is allowed
    assert Policy("limited", inspect=True, model=rules).inspects("x.org", 443)


@pytest.mark.parametrize(
    ("base_url", "address", "authority"),
    [
        ("http://127.0.0.1:11434/v1", "127.0.0.1", "model.fumehood.internal:11434"),
        ("http://localhost/v1/", "127.0.0.1", "model.fumehood.internal:80"),
        ("http://[::1]:8000/v1", "::1", "model.fumehood.internal:8000"),
        ("http://127.9.8.7:1/v1", "127.9.8.7", "model.fumehood.internal:1"),
    ],
)
def test_a_model_on_this_machine_has_a_name_in_the_container(base_url: str, address: str, authority: str) -> None:
    found = route(base_url, ("/m",), header="", value=None, drops=(), variable="")
    assert (found.address, found.authority, found.url) == (address, authority, f"http://{authority}/v1")
    assert found.entries == (f"POST ={authority}/v1/m",)


def test_a_model_on_this_machine_never_gets_the_key_of_the_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-real")
    monkeypatch.setenv("OWN", "sk-own")
    local = {"base_url": "http://127.0.0.1:8000"}
    for settings, key in ((local, None), ({**local, "key_env": "OWN"}, b"sk-own"), ({}, b"sk-real")):
        found = agent("claude").route(settings)
        assert found is not None
        assert (found.value.reveal() if found.value else None) == key
    assert agent("claude").secrets(local) == {}


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("claude", {"modle": "x"}, "option 'modle' is unknown"),
        ("claude", {"model": 5}, "option model must be a text"),
        ("claude", {"key_env": "NOT_SET"}, "NOT_SET is not set"),
        ("acp", {"command": ("a",), "key_env": "NOT_SET"}, "no use without base_url"),
        ("acp", {"command": ("a",), "base_url": "https://x.org"}, "needs a key"),
        ("acp", {"command": ("a",), "base_url": "https://x.org", "key_env": "NOT_SET"}, "NOT_SET is not set"),
        ("acp", {}, "agent acp needs a program"),
    ],
)
def test_what_is_missing_is_said(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, name: str, settings: dict[str, Any], said: str
) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    assert said in " ".join(agent(name).check(settings, tmp_path))


def test_the_key_of_an_acp_agent_is_a_bearer_token_unless_it_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_KEY", "sk-1")
    settings = {"command": ("a",), "base_url": "https://x.org/v1", "key_env": "MODEL_KEY"}
    bearer = agent("acp").route(settings)
    other = agent("acp").route({**settings, "key_header": "Api-Key"})
    assert bearer is not None
    assert other is not None
    assert (bearer.header, bearer.value.reveal(), bearer.variable) == ("Authorization", b"Bearer sk-1", "MODEL_KEY")
    assert (other.header, other.value.reveal(), "Authorization" in other.drops) == ("Api-Key", b"sk-1", True)
    assert agent("acp").route({"command": ("a",)}) is None
