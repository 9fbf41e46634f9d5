"""One grammar for host names and `host:port`, used for what a rule says and for what a container asks."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
# Resolvers read a last label of this form as part of a number: 127.1, 0x7f000001, 2130706433.
_NUMERIC = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)")


def canonical_host(text: str) -> str | None:
    """The one spelling of a host: a lower-case name without final dot, an IPv4 address, an IPv6 one without brackets.

    None for everything else: other spellings of an address (decimal, octal, hexadecimal, short, with a zone),
    characters outside ASCII, empty or too long labels.
    """
    if not text.isascii():
        return None
    if text.startswith("["):
        return _ipv6(text)
    name = text.lower().removesuffix(".")
    if len(name) > 253 or not _NAME.fullmatch(name):
        return None
    if not _NUMERIC.fullmatch(name.rpartition(".")[2]):
        return name
    try:
        return str(IPv4Address(text))
    except AddressValueError:
        return None


def _ipv6(text: str) -> str | None:
    if not text.endswith("]") or "%" in text:
        return None
    try:
        address = IPv6Address(text[1:-1])
    except AddressValueError:
        return None
    # The same host has one name: a rule for 1.2.3.4 is not passed by ::ffff:1.2.3.4.
    return str(address.ipv4_mapped or address)


def is_address(host: str) -> bool:
    """Whether a canonical host is an IP address."""
    return ":" in host or host.rpartition(".")[2].isdigit()


def parse_port(text: str) -> int | None:
    """1-65535 in plain decimal digits, else None (no sign, no leading zero, no blank)."""
    return int(text) if _PORT.fullmatch(text) and int(text) < 65536 else None


def split_authority(text: str, default_port: int | None = None) -> tuple[str, int] | None:
    """Split `host:port` into its canonical host and its port; None when either is missing or malformed."""
    host_text, colon, port_text = text.rpartition(":")
    if not colon or text.endswith("]"):
        host_text, port = text, default_port
    else:
        port = parse_port(port_text)
    host = canonical_host(host_text)
    return (host, port) if host is not None and port is not None else None


def show_authority(host: str, port: int) -> str:
    """`host:port` as one writes it in a URL, IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
