"""Who may use a served workbench: whoever had the link first, from a page of ours, by an address of ours (SPEC W10).

A workbench in a browser can do what its user can. Other people on the machine, other pages in the browser and other
servers of the same host must not get to it, so four things are asked of a request:

- its `Host` is the address that is served. A name that somebody else's DNS resolves to this machine is not.
- it comes from our own page, where the browser says where it comes from.
- it has the cookie that was set in exchange for the token of the link, which counts once.
- its path begins with a part that nobody else knows: cookies go to all ports of a host, but not to other paths.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

from engine.errors import UsageError

LOOPBACK = "127.0.0.1"
# Names of this machine in the address bar: an ssh tunnel ends at any of them, and at any port.
_OWN_NAMES = frozenset({LOOPBACK, "localhost", "::1"})
_BYTES = 32


class Access:
    """The tokens and cookies of one server.

    Args:
        address: the IP address that is served.
    """

    def __init__(self, address: str = LOOPBACK) -> None:
        self._names = _OWN_NAMES | {address}
        self._token = ""
        self._cookie = secrets.token_urlsafe(_BYTES)
        self.folder = "/" + secrets.token_urlsafe(_BYTES // 2)
        """The path that everything behind the cookie lies under."""
        self.cookie_name = "fumehood"

    def new_token(self) -> str:
        """A token for one visit; the one before does not count any more."""
        self._token = secrets.token_urlsafe(_BYTES)
        return self._token

    def exchange(self, token: str) -> str | None:
        """The cookie for a token that was not used yet; None for any other."""
        if not self._token or not _same(token, self._token):
            return None
        self._token = ""
        return self._cookie

    def refusal(self, headers: Mapping[str, str], cookie: str | None) -> str | None:
        """Why a request below `folder` gets nothing; None when it may have what it asks for."""
        if reason := self.foreign(headers):
            return reason
        return None if cookie is not None and _same(cookie, self._cookie) else "no cookie of this server"

    def foreign(self, headers: Mapping[str, str]) -> str | None:
        """Why a request is not from a page of ours; None when it is, or when nobody says where it comes from."""
        host = headers.get("Host", "")
        if _hostname(f"//{host}") not in self._names:
            return "not an address of this server"
        origin = headers.get("Origin")
        if origin is not None and origin != f"http://{host}":
            return "a page of somebody else"
        return None

    def refuses_socket(self, headers: Mapping[str, str], cookie: str | None) -> str | None:
        """As `refusal`, for a websocket: browsers always say where these come from."""
        return self.refusal(headers, cookie) or (None if "Origin" in headers else "not a browser")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())


def _hostname(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        return parts.hostname if parts.port != 0 else None
    except ValueError:
        return None


def address(wanted: str) -> str:
    """The one IP address to serve, as it is written.

    Raises:
        UsageError: it is not an IP address, or stands for all of this machine.
    """
    try:
        found = ipaddress.ip_address(wanted)
    except ValueError as error:
        raise UsageError(f"--host {wanted} is not an IP address", f"as in --host {LOOPBACK}") from error
    if found.is_unspecified or found.is_multicast:
        raise UsageError(f"--host {wanted} is not one address", "name the address that you will type in the browser")
    return str(found)


def link(host: str, port: int, token: str) -> str:
    """What to open in a browser."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/?token={token}"
