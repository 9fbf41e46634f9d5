"""What a gateway tells about each request, and what it spends on its container."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Verdict = Literal["allowed", "denied", "failed"]
_SHOWN_BYTES = 200


class RequestRecord(Struct, frozen=True):
    """One decided request (SPEC N6).

    Attributes:
        host: what was asked for; of a request that could not be read, its first line with escapes.
        port: 0 when the request could not be read.
        method: `CONNECT` for a tunnel, else the HTTP method; empty when it could not be read.
        decision: `failed` was allowed but not served: no such name, nobody answers, too slow.
        rule: the rule that decided, empty when none did.
        reason: why it was not served, or why it was cut.
        bytes_up: bytes sent to the host; of an inspected request, before encryption.
        bytes_down: bytes that came from it, likewise.
        seconds: from the first byte of the request to the end.
        path: of a request the gateway sees, without its query; cut where it is long.
    """

    host: str
    port: int
    method: str
    decision: Verdict
    rule: str = ""
    reason: str = ""
    bytes_up: int = 0
    bytes_down: int = 0
    seconds: float = 0.0
    path: str = ""


class Limits(Struct, frozen=True):
    """What one gateway spends on its container.

    Attributes:
        connections: served at the same time; more wait.
        head_seconds: for a request head, a TLS hello or a TLS handshake to arrive.
        connect_seconds: for a connection to one address.
        idle_seconds: without a byte, after which a connection is cut.
    """

    connections: int = 256
    head_seconds: float = 10.0
    connect_seconds: float = 8.0
    idle_seconds: float = 600.0


def shown_line(data: bytes | bytearray) -> str:
    """The first line of what could not be read, on one plain line."""
    line = bytes(data[:_SHOWN_BYTES]).split(b"\r\n")[0]
    return line.decode("latin-1").encode("unicode_escape").decode("ascii")


def shown_path(path: str) -> str:
    """A path as a record holds it: queries often carry keys."""
    bare = path.partition("?")[0]
    return bare if len(bare) <= _SHOWN_BYTES else f"{bare[:_SHOWN_BYTES]}…"
