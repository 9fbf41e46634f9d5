"""The CODEX_HOME of one attempt: our configuration, the threads of codex; no key, and a login only while it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.agents.codex.settings import DEFAULT_URL, Login, Settings
from engine.state import private_dir, write_atomic

KEY = "FUMEHOOD_MODEL_KEY"
SOCKET = "link"
_LINK = Path(__file__).with_name("link.py")
# What a program of the host needs to reach the model where the way leads through a proxy.
_WAY_OUT = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "CODEX_CA_CERTIFICATE")


@contextmanager
def codex_home(folder: Path, settings: Settings, login: Login) -> Iterator[None]:
    """Make `folder` the home of a codex that works in a container.

    A login stays the user's own file, which codex renews in place; a link leads there while the block runs.
    """
    import tomli_w

    private_dir(folder)
    write_atomic(folder / "config.toml", tomli_w.dumps(configuration(settings, login)))
    write_atomic(folder / "environments.toml", tomli_w.dumps(_environments(folder)))
    account = folder / "auth.json"
    account.unlink(missing_ok=True)
    if login.account:
        account.symlink_to(login.account)
    try:
        yield
    finally:
        account.unlink(missing_ok=True)


def configuration(settings: Settings, login: Login) -> dict[str, Any]:
    """What config.toml says: the model's endpoint, and that codex asks nobody else for anything."""
    found: dict[str, Any] = {
        "check_for_update_on_startup": False,
        "web_search": "disabled",
        "cli_auth_credentials_store": "file",
        "analytics": {"enabled": False},
        "tools": {"update_plan": {"enabled": True}},
        "features": {"plugins": False, "apps": False, "unbounded_connection_retries": False},
    }
    if settings.model:
        found["model"] = settings.model
    if settings.effort:
        found["model_reasoning_effort"] = settings.effort
    if not login.account:
        provider = {"name": "fumehood", "base_url": settings.base_url or DEFAULT_URL, "wire_api": "responses"}
        found["model_provider"] = "fumehood"
        found["model_providers"] = {"fumehood": {**provider, **({"env_key": KEY} if login.key else {})}}
    return found


def _environments(folder: Path) -> dict[str, Any]:
    """What environments.toml says: one place to work in, the container; the host is none."""
    arguments = ["-I", "-S", str(_LINK), str(folder), SOCKET]
    link = {"id": "task", "program": sys.executable, "args": arguments}
    return {"default": "task", "include_local": False, "environments": [link]}


def variables(folder: Path, login: Login, environ: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of the codex process."""
    proxies = [name for upper in _WAY_OUT for name in (upper, upper.lower())]
    return {
        "PATH": environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "CODEX_HOME": str(folder),
        **{name: environ[name] for name in (*proxies, *_AUTHORITIES) if name in environ},
        **({KEY: login.key} if login.key else {}),
    }
