"""What `[agent] options` may say about codex, and the key or login it works with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.agents.options import read_options
from engine.errors import UsageError

DEFAULT_KEY = "OPENAI_API_KEY"
DEFAULT_URL = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True)
class Settings:
    """The options, all of them texts.

    Attributes:
        model: the model's name; empty for the one codex itself prefers.
        effort: how hard it is to think (minimal, low, medium, high …); empty for the model's own.
        base_url: an endpoint that speaks the Responses API; empty for OpenAI's.
        key_env: the variable of the user's environment that holds the key. Another endpoint than OpenAI's gets none
            unless one is named: no server is given the key of another.
        program: the codex to run, a path; empty to find one.
    """

    model: str = ""
    effort: str = ""
    base_url: str = ""
    key_env: str = ""
    program: str = ""


@dataclass(frozen=True, slots=True)
class Login:
    """How codex proves to the model's endpoint who pays: by `key`, by an `account` file of its own, or not at all."""

    key: str = ""
    account: Path | None = None

    def __repr__(self) -> str:
        """Without the key."""
        return f"Login(account={self.account})"


def read(settings: Mapping[str, Any]) -> Settings:
    """The options of codex in the `[agent]` section; see `read_options`."""
    return read_options(Settings, "codex", settings)


def login(settings: Settings, environ: Mapping[str, str]) -> Login:
    """The key or login to use: the variable that is named; for OpenAI's own endpoint else OPENAI_API_KEY, else codex's
    own login.

    Raises:
        UsageError: there is none; the message says how to give one.
    """
    if settings.base_url and not settings.key_env:
        return Login()
    name = settings.key_env or DEFAULT_KEY
    if key := environ.get(name, "").strip():
        return Login(key=key)
    if settings.key_env:
        raise UsageError(f"{name} is not set: it has to hold the key of the model", f"export {name}=…")
    home = Path(environ.get("CODEX_HOME") or Path(environ.get("HOME") or os.path.expanduser("~")) / ".codex")  # noqa: PTH111
    account = home / "auth.json"
    if account.is_file():
        return Login(account=account.absolute())
    raise UsageError(
        f"there is neither a key nor a login for the model: {name} is not set and {account} is not there",
        f"export {name}=…, or log in with `codex login`",
    )
