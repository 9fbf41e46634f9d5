"""The way of an agent in a container to its model: one host, through the gateway, which puts the key in (SPEC N5)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from engine.errors import UsageError
from engine.network.hosts import show_authority
from engine.secrets.secret import Secret


@dataclass(frozen=True, slots=True)
class Route:
    """What an agent's programs reach of a model's provider, whatever the environment's network policy says.

    Attributes:
        authority: host and port of the provider.
        entries: what may be asked of it, as entries of an allowlist.
        header: the header field that the gateway sets to `value`, whatever the container sent in it.
        value: the key, in the form it has there; no container ever holds it.
        drops: other fields that could carry a key: nobody's own account is reached on this way.
        variable: in the container it holds a placeholder, for programs that do not start without a key.
    """

    authority: str
    entries: tuple[str, ...]
    header: str
    value: Secret
    drops: tuple[str, ...]
    variable: str


def route(
    base_url: str, paths: tuple[str, ...], *, header: str, value: Secret, drops: tuple[str, ...], variable: str
) -> Route:
    """The way to `base_url`: POST to each of `paths` below it.

    Raises:
        UsageError: the gateway cannot take a container there.
    """
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname or "", parts.port or 443
    except ValueError:
        host, port = "", 0
    if not host or parts.scheme != "https" or parts.username or parts.query or parts.fragment:
        raise UsageError(
            f"base_url {base_url!a} is no address that a container is let through to",
            'write "https://api.example.com"; a model on this machine is for the agents that run on it: loop, codex',
        )
    authority, below = show_authority(host, port), parts.path.rstrip("/")
    entries = tuple(f"POST ={authority}{below}{path}" for path in paths)
    return Route(authority, entries, header, value, drops, variable)
