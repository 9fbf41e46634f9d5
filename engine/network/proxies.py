"""The proxies through which this host itself reaches the internet, used by the gateway alone (SPEC N8).

Read from `HTTPS_PROXY` for tunnels, `HTTP_PROXY` for plain requests and `NO_PROXY`, in either case, the lower one
first; other variables of this kind are not read. Their credentials never enter a container.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit

from engine.errors import NetworkError
from engine.network.hosts import canonical_host, is_address, show_authority


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy.

    Attributes:
        host: its canonical name or address; it may be a private one.
        port: its port.
        fields: the header fields it wants in every request; they hold its credentials.
    """

    host: str
    port: int
    fields: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def connect_head(self, host: str, port: int) -> bytes:
        """The request for a tunnel to `host:port`."""
        where = show_authority(host, port)
        lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}", *(f"{name}: {value}" for name, value in self.fields)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


@dataclass(frozen=True, slots=True)
class Proxies:
    """Which proxy leads to which host.

    Attributes:
        tunnels: the proxy for tunnels.
        plain: the proxy for plain HTTP.
        direct: hosts that are reached without one, as `NO_PROXY` has them.
    """

    tunnels: Proxy | None = None
    plain: Proxy | None = None
    direct: tuple[str, ...] = ()

    def for_tunnel(self, host: str, port: int) -> Proxy | None:
        """The proxy for a tunnel to a canonical host, None to connect directly."""
        return None if self.tunnels is None or self._direct(host, port) else self.tunnels

    def for_plain(self, host: str, port: int) -> Proxy | None:
        """The proxy for a plain request, None to connect directly."""
        return None if self.plain is None or self._direct(host, port) else self.plain

    def _direct(self, host: str, port: int) -> bool:
        return any(_matches(entry, host, port) for entry in self.direct)


def host_proxies(environ: Mapping[str, str]) -> Proxies:
    """The proxies that the variables of a process name.

    Raises:
        NetworkError: one of them is not an HTTP proxy the gateway can use. The message holds no credentials.
    """
    direct = tuple(entry for text in _variable(environ, "no_proxy").split(",") if (entry := text.strip().lower()))
    return Proxies(_proxy(environ, "https_proxy"), _proxy(environ, "http_proxy"), direct)


def _variable(environ: Mapping[str, str], name: str) -> str:
    return (environ.get(name) or environ.get(name.upper()) or "").strip()


def _proxy(environ: Mapping[str, str], name: str) -> Proxy | None:
    text = _variable(environ, name)
    if not text:
        return None
    hint = f"write {name.upper()}=http://proxy.example.com:3128; https and socks proxies are not supported"
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host = canonical_host(f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or "")
        port = parts.port or 80
    except ValueError:
        host = None
    if host is None or parts.scheme != "http":
        raise NetworkError(f"{name.upper()} of this host does not name an HTTP proxy", hint)
    if parts.username is None:
        return Proxy(host, port)
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return Proxy(host, port, (("Proxy-Authorization", f"Basic {base64.b64encode(pair).decode()}"),))


def _matches(entry: str, host: str, port: int) -> bool:
    """Whether an entry of `NO_PROXY` covers a host: `*`, a name with its subdomains, an address or a network."""
    if entry == "*":
        return True
    if is_address(host):
        with suppress(ValueError):
            return ip_address(host) in ip_network(entry.strip("[]"), strict=False)
    name, colon, number = entry.rpartition(":")
    if colon and number.isdigit():
        if int(number) != port:
            return False
        entry = name.strip("[]")
    entry = entry.removeprefix("*").removeprefix(".")
    return host == entry or host.endswith(f".{entry}")
