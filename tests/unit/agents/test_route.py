"""The way to a model: one host over HTTPS, as narrow as can be said, with one key (SPEC N5)."""

from __future__ import annotations

from typing import Any

import pytest

from engine.agents import agent
from engine.agents.route import route
from engine.errors import UsageError
from engine.network.policy import Policy
from engine.network.rules import parse_rules
from engine.secrets.secret import Secret


def made(base_url: str) -> Any:
    return route(base_url, ("/v1/m",), header="X", value=Secret(b"k"), drops=(), variable="V")


@pytest.mark.parametrize(
    "base_url",
    [
        "http://x.org",
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
    policy = Policy("limited", parse_rules(made("https://x.org/base/").entries, inspect=True), inspect=True)
    assert policy.decide(host, port, method, path).allowed is allowed
    assert policy.inspects("x.org", 443)


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("claude", {"modle": "x"}, "option 'modle' is unknown"),
        ("claude", {"model": 5}, "option model must be a text"),
        ("claude", {"key_env": "NOT_SET"}, "NOT_SET is not set"),
        ("acp", {"command": ("a",), "key_env": "NOT_SET"}, "belong together"),
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
