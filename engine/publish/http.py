"""Requests to a forge's API: JSON in and out, the user's token, errors that say what to do.

The token is in one header, and in nothing that is logged, raised or shown. Redirects are not followed: the token is
for the host that was asked.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from engine.errors import ForgeError
from engine.publish.tokens import Token

if TYPE_CHECKING:
    import httpx

_SECONDS = 30.0
_SIZE_LIMIT = 16 << 20
_SHOWN = 500
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Refused(ForgeError):
    """The forge answered with an error: `status` is that of HTTP."""

    def __init__(self, message: str, hint: str, status: int) -> None:
        super().__init__(message, hint)
        self.status = status


class Api:
    """The API at `root`; `scheme` is the word before the token in the header."""

    def __init__(self, root: str, token: Token, *, scheme: str = "Bearer", headers: Mapping[str, str] | None = None):
        self._root, self._token = root, token
        value = f"{scheme} {token.value.reveal().decode()}"
        self._headers = {"Accept": "application/json", **(headers or {}), "Authorization": value}

    def get(self, path: str, parameters: Mapping[str, str] | None = None) -> Any:
        """The answer to GET."""
        return self._ask("GET", path, parameters, None)

    def send(self, method: str, path: str, data: Mapping[str, object]) -> Any:
        """The answer to POST, PATCH or PUT with a JSON body."""
        return self._ask(method, path, None, data)

    def _ask(
        self, method: str, path: str, parameters: Mapping[str, str] | None, data: Mapping[str, object] | None
    ) -> Any:
        import httpx

        try:
            with _client(self._root) as client:
                content = None if data is None else json.dumps(data).encode()
                headers = self._headers | ({} if data is None else {"Content-Type": "application/json"})
                asked = client.build_request(
                    method, self._root + path, params=parameters, content=content, headers=headers
                )
                response = client.send(asked, stream=True)
                status, body = response.status_code, _body(response)
        except (httpx.HTTPError, httpx.InvalidURL) as fault:
            why = self._clean(str(fault) or type(fault).__name__)
            raise ForgeError(f"{self._host} cannot be asked: {why}", "check the connection, and its proxy") from None
        told = _json(body)
        if not 200 <= status < 300:
            raise self._refused(status, told, response.headers.get("location", ""))
        if told is None:
            raise ForgeError(f"{self._host} answered with something else than JSON to {method} {path}")
        return told

    @property
    def _host(self) -> str:
        return urlsplit(self._root).hostname or self._root

    def _refused(self, status: int, told: Any, location: str) -> Refused:
        message = self._clean(_message(told)) or "no reason was given"
        hint = {
            401: f"the token from {self._token.found_in} is not valid any more: make a new one",
            403: f"the token from {self._token.found_in} may not do this: it needs the right to write pull requests",
            404: f"the repository is not there, or the token from {self._token.found_in} may not see it",
        }.get(status, "")
        if 300 <= status < 400:
            message, hint = f"the repository is elsewhere now: {self._clean(location)}", "change the remote's URL"
        return Refused(f"{self._host} answered {status}: {message}", hint, status)

    def _clean(self, text: str) -> str:
        """One printable line without the token, which some servers quote."""
        shown = text.replace(self._token.value.reveal().decode(), "***")
        return "".join(c for c in " ".join(shown.split()) if c.isprintable())[:_SHOWN]


def answers_as(url: str) -> bool | None:
    """Whether the API of a forge is at this URL, asked without a token; None when the host does not answer."""
    import httpx

    try:
        with _client(url) as client:
            response = client.send(client.build_request("GET", url), stream=True)
            told = _json(_body(response))
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
    if not isinstance(told, dict):
        return False
    if "x-github-request-id" in response.headers or "installed_version" in told:
        return url.endswith("/meta")
    if url.endswith("/api/v4/version"):
        # GitLab tells its version to those it knows only.
        return response.status_code == 200 or (response.status_code == 401 and "message" in told)
    return response.status_code == 200 and url.endswith("/api/v1/version") and isinstance(told.get("version"), str)


def _client(url: str) -> httpx.Client:
    import httpx

    return httpx.Client(
        verify=ssl.create_default_context(),
        timeout=_SECONDS,
        follow_redirects=False,
        trust_env=urlsplit(url).hostname not in _LOOPBACK,
        headers={"User-Agent": "fumehood"},
    )


def _body(response: httpx.Response) -> bytes:
    body = b""
    for piece in response.iter_bytes():
        body += piece
        if len(body) > _SIZE_LIMIT:
            response.close()
            return b""
    return body


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _message(told: Any) -> str:
    """What an error answer says: each forge has its own place for it."""
    if not isinstance(told, dict):
        return ""
    said = told.get("message") or told.get("error") or ""
    details = told.get("errors")
    parts = [said if isinstance(said, str) else json.dumps(said)]
    for entry in details if isinstance(details, list) else []:
        detail = entry.get("message") or entry.get("code") if isinstance(entry, dict) else entry
        parts.append(str(detail))
    return "; ".join(part for part in parts if part)
