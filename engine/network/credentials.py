"""Network secrets: values that the gateway puts into requests, so that they never are in a container (SPEC N5)."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.errors import UsageError
from engine.network.hosts import split_authority
from engine.network.request import Request

_HTTPS = 443
_VALUE = re.compile(rb"[!-~](?:[ \t!-~]*[!-~])?")
_MIN_PLACEHOLDER = 16
_BASIC = re.compile(r"(?i:basic) +([A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True, slots=True)
class Credential:
    """One network secret; made by `make_credential`.

    Attributes:
        hosts: the canonical hosts and ports it is bound to, each exactly.
        value: what the server gets.
        header: the header field that is set to the value, whatever the container sent in it; or
        placeholder: the text in header fields that the value takes the place of.
        drops: header fields that are taken out, whatever the container sent in them.
    """

    hosts: frozenset[tuple[str, int]]
    value: bytes = field(repr=False)
    header: str = ""
    placeholder: str = ""
    drops: frozenset[str] = frozenset()

    def bound_to(self, host: str, port: int) -> bool:
        """Whether requests to `host:port` get it."""
        return (host, port) in self.hosts


def make_credential(
    hosts: Iterable[str], value: bytes, *, header: str = "", placeholder: str = "", drops: Iterable[str] = ()
) -> Credential:
    """A network secret for requests over HTTPS to each of `hosts` (`x.org`, or `x.org:8443`), no subdomains.

    Raises:
        UsageError: a host is not usable, the value cannot stand in a header, or not exactly one of `header` and a
            `placeholder` of 16 characters or more is given. The message never holds the value.
    """
    bound = frozenset(_host(text) for text in hosts)
    if not bound:
        raise UsageError("a network secret is bound to no host", 'write hosts = ["api.example.com"]')
    if bool(header) == bool(placeholder):
        raise UsageError("a network secret takes either a header or a placeholder")
    if placeholder and (len(placeholder) < _MIN_PLACEHOLDER or not _VALUE.fullmatch(placeholder.encode())):
        raise UsageError("the placeholder of a network secret is too short, or not plain text")
    if not _VALUE.fullmatch(value):
        raise UsageError(
            "the value of a network secret cannot stand in an HTTP header",
            "it has to be one line of ASCII, without blanks at its ends",
        )
    return Credential(bound, value, header, placeholder, frozenset(name.lower() for name in drops))


def new_placeholder(name: str) -> str:
    """What a container sees in place of the secret `name`: says what it is, and cannot be met by chance."""
    return f"fumehood-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}-{secrets.token_hex(12)}"


def with_credentials(request: Request, credentials: Iterable[Credential]) -> list[tuple[bytes, bytes]]:
    """The header fields of `request` with the values in them that are bound to its host."""
    fields = [(name.encode("ascii"), value.encode("ascii")) for name, value in request.fields]
    for credential in credentials:
        if not credential.bound_to(request.host, request.port):
            continue
        fields = [(name, value) for name, value in fields if name.decode("ascii").lower() not in credential.drops]
        if credential.header:
            wanted = credential.header.encode("ascii")
            fields = [(name, value) for name, value in fields if name.lower() != wanted.lower()]
            fields.append((wanted, credential.value))
        else:
            hidden = credential.placeholder.encode()
            fields = [(name, _filled(value, hidden, credential.value)) for name, value in fields]
    return fields


def _filled(text: bytes, placeholder: bytes, value: bytes) -> bytes:
    """`text` with the placeholder replaced, also where it is half of the name and password of Basic credentials."""
    basic = _BASIC.fullmatch(text.decode("ascii"))
    if basic is not None:
        try:
            pair = base64.b64decode(basic[1], validate=True)
        except binascii.Error:
            return text
        return b"Basic " + base64.b64encode(pair.replace(placeholder, value)) if placeholder in pair else text
    return text.replace(placeholder, value)


def _host(text: str) -> tuple[str, int]:
    authority = split_authority(text.strip(), _HTTPS)
    if authority is None or "." not in authority[0].strip("."):
        raise UsageError(f"network secret: {text[:80]!a} is not a host", 'write "api.example.com", without subdomains')
    return authority
