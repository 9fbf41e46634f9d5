"""Strict reading of HTTP/1.x request heads as a proxy gets them; whatever could be read in two ways is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from engine.network.hosts import show_authority, split_authority

if TYPE_CHECKING:
    from engine.network.proxies import Proxy

MAX_HEAD = 64 * 1024
"""Bytes a request head may have."""

_HTTP = 80
_END = b"\r\n\r\n"
_REQUEST_LINE = re.compile(r"([A-Z][A-Z-]{0,31}) ([!-~]+) HTTP/1\.([01])")
_STARTED = re.compile(rb"[A-Z][A-Z-]{0,31} [!-~]+ HTTP/1\.[01]\r\n")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")
_ABSOLUTE = re.compile(r"(?i:http)://([^/?]+)([/?].*)?")
_LENGTH = re.compile(r"[0-9]{1,18}")
_FORBIDDEN = re.compile(rb"[^\t\r\n -~]|\r(?!\n)|(?<!\r)\n|\r\n[ \t]")

_FRAMING = frozenset({"host", "content-length", "transfer-encoding"})
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "upgrade",
    }
)
# A body here has no meaning, and servers that skip it read it as the next request.
_BODYLESS = frozenset({"GET", "HEAD", "TRACE", "CONNECT"})

Body = int | Literal["chunked"]
"""How long the request body is: a number of bytes, or told chunk by chunk."""


class BadRequest(Exception):
    """The bytes are no request this proxy takes; the message says why and goes back with status 400."""


class OtherHost(BadRequest):
    """The Host field names another host than the one the request goes to."""


class Request(Struct, frozen=True):
    """A request head that has one meaning.

    Attributes:
        method: upper case; `CONNECT` asks for a tunnel.
        host: canonical host it is for.
        port: its port.
        path: path and query to send on; empty for a tunnel.
        version: the digit after `HTTP/1.`.
        fields: header fields to send on, in order, without hop-by-hop and framing ones.
        body: what follows the head.
        websocket: whether it asks to go on as a websocket, which is left out of `fields`.
    """

    method: str
    host: str
    port: int
    path: str
    version: str
    fields: tuple[tuple[str, str], ...]
    body: Body
    websocket: bool = False

    def authority(self, default_port: int) -> str:
        """Host and port as the Host field has them, without the port that goes without saying."""
        return show_authority(self.host, self.port).removesuffix(f":{default_port}")


def head_end(data: bytes | bytearray) -> int | None:
    """Where the head at the start of `data` ends, None while bytes are missing.

    Raises:
        BadRequest: this is no head and will never be one, or it is too long.
    """
    if data and not 0x41 <= data[0] <= 0x5A:
        raise BadRequest("this is an HTTP proxy: a request begins with a method in upper case")
    end = data.find(_END)
    if b"\n" in data and not _STARTED.match(data):
        raise BadRequest("the request line is not METHOD target HTTP/1.1")
    if end < 0 and b"\n\n" in data:
        raise BadRequest("lines end with CR LF")
    if end > MAX_HEAD - len(_END) or (end < 0 and len(data) > MAX_HEAD):
        raise BadRequest(f"the head is longer than {MAX_HEAD} bytes")
    return None if end < 0 else end + len(_END)


def parse_proxy_request(head: bytes) -> Request:
    """Read a head in one of the two forms a proxy takes: `CONNECT host:port`, or `METHOD http://host/path`.

    Raises:
        BadRequest: anything else, and every ambiguity.
    """
    method, target, version, fields = _split_head(head)
    if method == "CONNECT":
        authority = split_authority(target)
        if authority is None:
            raise BadRequest("CONNECT needs host:port")
        path, default_port = "", authority[1]
    else:
        authority, path = _absolute(target)
        default_port = 80
    return _request(method, authority, path, version, fields, default_port)


def parse_tunnelled_request(head: bytes, host: str, port: int) -> Request:
    """Read a plain HTTP head sent inside a tunnel to `host:port`; it must be for that very host.

    Raises:
        BadRequest: as `parse_proxy_request`.
    """
    method, target, version, fields = _split_head(head)
    if method == "CONNECT" or not target.startswith("/") or re.search(r"[#\\]", target):
        raise BadRequest("inside a tunnel only METHOD /path is taken")
    if not any(name.lower() == "host" for name, _ in fields):
        raise BadRequest("the Host field is missing")
    return _request(method, (host, port), target, version, fields, port)


def upstream_head(request: Request, proxy: Proxy | None = None) -> bytes:
    """The head sent to the server, or to the proxy of this host on the way to it: our own Host and framing, one
    request a connection."""
    host = request.authority(_HTTP)
    target = request.path if proxy is None else f"http://{host}{request.path}"
    own = [("Host", host), ("Connection", "close"), *framing_fields(request)]
    own += [] if proxy is None else proxy.fields
    lines = [f"{request.method} {target} HTTP/1.{request.version}"]
    lines += [f"{name}: {value}" for name, value in (*own, *request.fields)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def framing_fields(request: Request) -> list[tuple[str, str]]:
    """The header fields that say how long the body is."""
    if request.body == "chunked":
        return [("Transfer-Encoding", "chunked")]
    return [("Content-Length", str(request.body))] if request.body or request.method not in _BODYLESS else []


def _split_head(head: bytes) -> tuple[str, str, str, list[tuple[str, str]]]:
    """Method, target, minor version and all header fields."""
    if not head.endswith(_END):
        raise BadRequest("the head is cut off")
    lines = head[: -len(_END)]
    if _FORBIDDEN.search(lines):
        raise BadRequest("the head holds a control or non-ASCII byte, a bare CR or LF, or a folded line")
    first, *rest = lines.decode("ascii").split("\r\n")
    start = _REQUEST_LINE.fullmatch(first)
    if start is None:
        raise BadRequest("the request line is not METHOD target HTTP/1.1")
    fields = []
    for line in rest:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise BadRequest("a header line is not name: value")
        fields.append((field[1], field[2]))
    return start[1], start[2], start[3], fields


def _absolute(target: str) -> tuple[tuple[str, int], str]:
    parts = _ABSOLUTE.fullmatch(target)
    if parts is None:
        raise BadRequest("the target is not http://host/path; for https use CONNECT")
    authority = split_authority(parts[1], 80)
    path = parts[2] or "/"
    if authority is None or re.search(r"[#\\]", path):
        raise BadRequest("the target is not http://host/path in plain spelling")
    return authority, path if path.startswith("/") else f"/{path}"


def _request(
    method: str, authority: tuple[str, int], path: str, version: str, fields: list[tuple[str, str]], default_port: int
) -> Request:
    """Check the fields that say where a request goes and how long it is; drop those between us and the client."""
    single = {name: _single(fields, name) for name in _FRAMING}
    _check_host(single["host"], authority, version, default_port)
    body = _body(method, version, single["content-length"], single["transfer-encoding"])
    options = [value for name, value in fields if name.lower() == "connection"]
    named = {word.strip().lower() for value in options for word in value.split(",")}
    if named & _FRAMING:
        raise BadRequest("Connection names a field that frames the request")
    dropped = _FRAMING | _HOP_BY_HOP | named
    kept = tuple((name, value) for name, value in fields if name.lower() not in dropped)
    websocket = any(name.lower() == "upgrade" and "websocket" in value.lower() for name, value in fields)
    return Request(method, *authority, path, version, kept, body, websocket)


def _single(fields: list[tuple[str, str]], name: str) -> str | None:
    values = [value for field, value in fields if field.lower() == name]
    if len(values) > 1:
        raise BadRequest(f"{name} is given twice")
    return values[0] if values else None


def _check_host(value: str | None, authority: tuple[str, int], version: str, default_port: int) -> None:
    if value is None:
        if version == "1":
            raise BadRequest("the Host field is missing")
    elif split_authority(value, default_port) != authority:
        raise OtherHost("the Host field names another host than the target")


def _body(method: str, version: str, length: str | None, encoding: str | None) -> Body:
    if encoding is not None:
        if length is not None:
            raise BadRequest("both Content-Length and Transfer-Encoding are given")
        if encoding.lower() != "chunked" or version == "0":
            raise BadRequest("the only transfer encoding taken is chunked, on HTTP/1.1")
    elif length is not None and not _LENGTH.fullmatch(length):
        raise BadRequest("Content-Length is not a number")
    body: Body = "chunked" if encoding is not None else int(length or 0)
    if body and method in _BODYLESS:
        raise BadRequest(f"{method} with a body is not forwarded")
    return body
