"""The server name in a TLS ClientHello, read before anything of a tunnel is passed on (SPEC N3)."""

from __future__ import annotations

from engine.network.hosts import canonical_host

_HANDSHAKE_RECORD = 22
_CLIENT_HELLO = 1
_SERVER_NAME = 0
_ENCRYPTED_NAMES = frozenset({0xFE0D, 0xFFCE})
_MAX_RECORD = 2**14
_MAX_HELLO = 2**14
# Bounds the work of reading a hello again with every byte that arrives.
_MAX_RECORDS = 32


class BadHello(Exception):
    """The bytes are no ClientHello that shows which host it is for; the message says why."""


def is_tls(data: bytes | bytearray) -> bool:
    """Whether the first byte of a connection begins a TLS handshake."""
    return data[:1] == bytes([_HANDSHAKE_RECORD])


def server_name(data: bytes | bytearray) -> str | None:
    """The canonical host name the ClientHello at the start of `data` is for: empty if it names none,
    None while bytes are missing.

    Raises:
        BadHello: no ClientHello, a malformed one, or one whose server name is encrypted (ECH).
    """
    hello = _handshake_message(data)
    if hello is None:
        return None
    extension = _extensions(_Reader(hello)).get(_SERVER_NAME)
    if extension is None:
        return ""
    names = _Reader(extension)
    entries = _Reader(names.take(names.number(2)))
    kind, name = entries.number(1), entries.take(entries.number(2))
    host = canonical_host(name.decode("ascii", "replace"))
    if kind != 0 or host is None or not entries.ended or not names.ended:
        raise BadHello("the TLS hello holds a malformed server name")
    return host


def _handshake_message(data: bytes | bytearray) -> bytes | None:
    """The body of the ClientHello, put together from its records; None while bytes are missing."""
    message = bytearray()
    position = 0
    for _ in range(_MAX_RECORDS):
        header = data[position : position + 5]
        if header[:1] not in (b"", b"\x16") or header[1:2] not in (b"", b"\x03"):
            raise BadHello("it is not a TLS hello")
        if len(header) < 5:
            return None
        size = int.from_bytes(header[3:5], "big")
        if not 0 < size <= _MAX_RECORD:
            raise BadHello("a TLS record has an impossible size")
        message += data[position + 5 : position + 5 + size]
        if message[0:1] not in (b"", bytes([_CLIENT_HELLO])) or int.from_bytes(message[1:4], "big") > _MAX_HELLO:
            raise BadHello("it is not a TLS client hello")
        if len(data) < position + 5 + size:
            return None
        position += 5 + size
        if len(message) >= 4 and len(message) >= (end := 4 + int.from_bytes(message[1:4], "big")):
            return bytes(message[4:end])
    raise BadHello("the TLS hello is cut into too many records")


def _extensions(hello: _Reader) -> dict[int, bytes]:
    """The extensions of a ClientHello by number."""
    hello.take(2 + 32)
    hello.take(hello.number(1))
    hello.take(hello.number(2))
    hello.take(hello.number(1))
    found: dict[int, bytes] = {}
    block = _Reader(hello.take(hello.number(2)) if not hello.ended else b"")
    while not block.ended:
        number, content = block.number(2), block.take(block.number(2))
        if number in _ENCRYPTED_NAMES:
            raise BadHello("the TLS hello hides its server name (ECH)")
        if number in found:
            raise BadHello("the TLS hello repeats an extension")
        found[number] = content
    if not hello.ended:
        raise BadHello("bytes follow the extensions of the TLS hello")
    return found


class _Reader:
    """Takes fields off the front of a byte string; a field that is cut off is a `BadHello`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def ended(self) -> bool:
        return self._position == len(self._data)

    def take(self, size: int) -> bytes:
        taken = self._data[self._position : self._position + size]
        if len(taken) < size:
            raise BadHello("the TLS hello is cut off")
        self._position += size
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")
