"""The options of the `loop` agent, read strictly."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from engine.agents.loop.chat import Chat
from engine.agents.loop.messages import Messages
from engine.agents.loop.responses import Responses
from engine.agents.loop.wire import Wire
from engine.environment.kinds import BadValue
from engine.environment.values import parse_duration

_WIRES: Mapping[str, type[Wire]] = {"chat": Chat, "responses": Responses, "messages": Messages}
_KNOWN = (
    "model",
    "api",
    "base_url",
    "key_env",
    "context_tokens",
    "command_timeout",
    "retries",
    "request",
)
# What a request holds is ours; options may add to it.
_OURS = frozenset({"model", "messages", "input", "system", "instructions", "tools", "stream", "store"})
_KEY = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is made with.

    Attributes:
        wire: the interface the model is spoken to by.
        key: goes to `base_url` and nowhere else; empty where a server wants none.
        context_tokens: what the conversation is trimmed to.
        command_timeout: seconds a command may take.
        retries: how often a request that failed is sent again.
        request: what is added to each request.
    """

    model: str
    wire: Wire
    base_url: str
    key: str = field(default="", repr=False)
    context_tokens: int = 100_000
    command_timeout: int = 300
    retries: int = 5
    request: Mapping[str, Any] = field(default_factory=dict)


def read(options: Mapping[str, Any], variables: Mapping[str, str] = os.environ) -> tuple[Settings | None, list[str]]:
    """The settings, or None and what has to be done before there are some.

    The key is the value of the variable `key_env` of this machine, "none" for a server that wants none. Who names a
    `base_url` has to name the variable too: no server gets the key of another because nothing was said.
    """
    problems = [
        f"option {name} is unknown: those of loop are {', '.join(_KNOWN)}" for name in options if name not in _KNOWN
    ]
    model, api = options.get("model"), options.get("api", "chat")
    if not isinstance(model, str) or not model:
        problems.append('no model is named: add model = "NAME" to [agent.options]')
    wire = _WIRES[api]() if isinstance(api, str) and api in _WIRES else None
    if wire is None:
        problems.append(f"option api must be one of {', '.join(_WIRES)}")
    base_url, key_env = options.get("base_url", ""), options.get("key_env", "")
    if wire and "base_url" not in options:
        base_url, key_env = wire.base_url, key_env or wire.key_env
    if not _is_url(base_url):
        problems.append(f'option base_url must be like "https://api.example.com/v1", not {base_url!a}')
    key = _key(key_env, variables, problems)
    context = _number(options, "context_tokens", 100_000, 1000, 10**8, problems)
    retries = _number(options, "retries", 5, 0, 20, problems)
    request = options.get("request", {})
    if not isinstance(request, Mapping) or _OURS & request.keys():
        problems.append(f"option request must be a table, without {', '.join(sorted(_OURS))}")
    seconds = _seconds(options.get("command_timeout", "5m"), problems)
    if problems or wire is None:
        return None, problems
    base_url = base_url.rstrip("/")
    return Settings(str(model), wire, base_url, key, context, seconds, retries, request), []


def _key(name: object, variables: Mapping[str, str], problems: list[str]) -> str:
    if not name or name == "none":
        return ""
    if not isinstance(name, str):
        problems.append("option key_env must be the name of a variable")
        return ""
    value = variables.get(name, "").strip()
    if not value:
        problems.append(f"the model's key is missing: export {name}=…, or name another variable with key_env")
    elif not _KEY.fullmatch(value):
        problems.append(f"the value of {name} is no key: it holds blanks or special characters")
    return value


def _is_url(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username and parts.port != 0
    except ValueError:
        return False


def _number(options: Mapping[str, Any], name: str, default: int, low: int, high: int, problems: list[str]) -> int:
    value = options.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        problems.append(f"option {name} must be a number from {low} to {high}")
        return default
    return value


def _seconds(value: object, problems: list[str]) -> int:
    try:
        seconds = parse_duration(value)
    except BadValue as fault:
        problems.append(f"option command_timeout {fault.message}: {fault.hint}")
        return 0
    if not 1 <= seconds <= 86400:
        problems.append('option command_timeout must be from "1s" to "1d"')
    return seconds
