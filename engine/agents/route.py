"""The way of an agent in a container to its model: one host, through the gateway, which puts the key in (SPEC N5)."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from engine.errors import UsageError
from engine.network.hosts import show_authority
from engine.secrets.secret import Secret

LOCAL = "model.fumehood.internal"
"""What containers call this machine where their model is served on it; the gateway alone knows the name."""

URL = "FUMEHOOD_MODEL_URL"
"""In containers of such an agent: the address of the model, as its programs have to call it."""


class Route(Struct, frozen=True):
    """What an agent's programs reach of a model's provider, whatever the environment's network policy says.

    Attributes:
        authority: host and port of the provider, as containers call it.
        url: its address for them.
        entries: what may be asked of it, as entries of an allowlist.
        header: the header field that the gateway sets to `value`, whatever the container sent in it.
        value: the key, in the form it has there; no container ever holds it. None for a server that wants none.
        drops: other fields that could carry a key: nobody's own account is reached on this way.
        variable: in the container it holds a placeholder, for programs that do not start without a key.
        address: where on this machine's loopback the model is; empty for one elsewhere.
    """

    authority: str
    url: str
    entries: tuple[str, ...]
    header: str
    value: Secret | None
    drops: tuple[str, ...]
    variable: str
    address: str = ""


def route(
    base_url: str, paths: tuple[str, ...], *, header: str, value: Secret | None, drops: tuple[str, ...], variable: str
) -> Route:
    """The way to `base_url`: POST to each of `paths` below it.

    Over HTTPS; or over HTTP to a server on this machine, of which exactly that port of its loopback is reached then.

    Raises:
        UsageError: the gateway cannot take a container there.
    """
    parts = _parts(base_url)
    address = _loopback(parts.hostname or "") if parts and parts.scheme == "http" else ""
    if parts is None or not (address or parts.scheme == "https"):
        raise UsageError(
            f"base_url {base_url!a} is no address that a container is let through to",
            'write "https://api.example.com", or "http://127.0.0.1:8000" for a model that is served on this machine',
        )
    if not address and value is None:
        raise UsageError(f"base_url {base_url!a} needs a key", "name its variable with option key_env")
    port = parts.port or (80 if address else 443)
    authority, below = show_authority(LOCAL if address else parts.hostname or "", port), parts.path.rstrip("/")
    entries = tuple(f"POST ={authority}{below}{path}" for path in paths)
    url = f"{parts.scheme}://{authority if address else parts.netloc}{below}"
    return Route(authority, url, entries, header, value, drops, variable, address)


def is_local(base_url: str) -> bool:
    """Whether a model is served on this machine."""
    parts = _parts(base_url)
    return parts is not None and parts.scheme == "http" and bool(_loopback(parts.hostname or ""))


def _parts(base_url: str) -> SplitResult | None:
    """The parts of an address with nothing but scheme, host, port and path; None for any other."""
    try:
        parts = urlsplit(base_url)
        usable = parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if usable and not (parts.username or parts.query or parts.fragment) else None


def _loopback(host: str) -> str:
    """The address of this machine's loopback that a host is; empty when it is elsewhere."""
    if host == "localhost":
        return "127.0.0.1"
    try:
        return host if ip_address(host).is_loopback else ""
    except ValueError:
        return ""
