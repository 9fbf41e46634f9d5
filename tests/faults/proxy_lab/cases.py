"""What is sent to the gateway, and whom it may reach.

Two gateways are asked. `limited` allows `=allowed.test` and `*.wild.test` on 80 and 443, and the methods GET, HEAD and
OPTIONS; `full` allows the public internet. Both run without and with inspection, and the expectations are the same, but
for the cases that are `hidden`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from tests.faults.proxy_lab.places import ALLOWED, EVIL, HTTP, HTTPS, LOOPBACK, NAME_SERVER, OWN, PRIVATE, WILD
from tests.network_lab import made_hello, name_extension, records_of

Cut = Literal["whole", "bytes", "records"]
_GET = b"GET / HTTP/1.0\r\nHost: %b\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS in a tunnel.

    Attributes:
        name: the server name; None to send none.
        messages: sent one after the other, each when the one before is answered.
        cut: how the ClientHello is sent: at once, in single bytes, or in records of 64 bytes.
    """

    name: str | None
    messages: tuple[bytes, ...]
    cut: Cut = "whole"


@dataclass(frozen=True, slots=True)
class Case:
    """One attack, or one use that must go on working.

    Attributes:
        request: the first bytes; `{PORT}` is the gateway's port.
        inside: what is sent in the tunnel, if that opens one.
        reaches: the address that must answer; None when the request must be refused.
        dials: the address that may be connected to although nothing may arrive there: the tunnel is in order, what
            it holds is not.
        policy: the gateway that is asked.
        says: what the answer must hold.
        hidden: what is wrong is inside TLS. Without inspection it does arrive.
    """

    name: str
    request: bytes
    inside: bytes | Tls | None = None
    reaches: str | None = None
    dials: str | None = None
    policy: Literal["limited", "full"] = "limited"
    says: bytes = b""
    hidden: bool = False


def _tunnel(target: str, host: str | None = None) -> bytes:
    return f"CONNECT {target} HTTP/1.1\r\nHost: {target if host is None else host}\r\n\r\n".encode()


def _plain(url: str, host: str = "allowed.test", method: str = "GET", more: str = "", body: str = "") -> bytes:
    return f"{method} {url} HTTP/1.1\r\nHost: {host}\r\n{more}Connection: close\r\n\r\n{body}".encode()


def _inner(host: str, method: str = "GET", target: str = "/", more: str = "Connection: close\r\n") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode()


_SECOND = _plain("http://evil.test/", "evil.test")

# Hosts of tunnels, and who may be reached by each. Each is tried with plain HTTP on port 80, and with TLS on 443.
_HOSTS: tuple[tuple[str, str, str | None], ...] = (
    ("ok-case", "ALLOWED.Test", ALLOWED),
    ("ok-dot", "allowed.test.", ALLOWED),
    ("ok-wild", "www.wild.test", WILD),
    ("name-mixed", "mixed.wild.test", WILD),
    ("deny-plain", "evil.test", None),
    ("apex", "wild.test", None),
    ("suffix", "notwild.test", None),
    ("prefix", "wild.test.evil.test", None),
    ("dots", "..wild.test", None),
    ("dots-end", "allowed.test..", None),
    ("leading-dot", ".wild.test", None),
    ("star", "*.wild.test", None),
    ("fullwidth-dot", "evil\u3002test", None),
    ("cyrillic", "\u0430llowed.test", None),
    ("userinfo-connect", "allowed.test@evil.test", None),
    ("url-connect", "http://allowed.test", None),
    ("nul-connect", "evil.test\0.wild.test", None),
    ("pct00", "evil.test%00.wild.test", None),
    ("hash", "evil.test#.wild.test", None),
    ("slash", "evil.test/.wild.test", None),
    ("qmark", "evil.test?.wild.test", None),
    ("bslash-connect", "evil.test\\.wild.test", None),
    ("tab", "evil.test\t.wild.test", None),
    ("space", "evil.test .wild.test", None),
    ("semi-connect", "evil.test;.wild.test", None),
    ("localhost", "localhost", None),
    ("ip-evil", EVIL, None),
    ("ip-of-allowed", ALLOWED, None),
    ("ip-dec", "3325256770", None),
    ("ip-hex", "0xc6336442", None),
    ("ip-oct", "0306.063.0144.0102", None),
    ("ip-short", "127.1", None),
    ("ip-zero", "0", None),
    ("ip-loop", LOOPBACK, None),
    ("ip-loop-other", "127.0.1.10", None),
    ("ip-loop-dot", "127.0.0.1.", None),
    ("ip-loop-dec", "2130706433", None),
    ("ip-loop-hex", "0x7f000001", None),
    ("ip-loop-hex-part", "0x7f.0.0.1", None),
    ("ip-loop-oct", "0177.0.0.1", None),
    ("ip-own", OWN, None),
    ("ip-name-server", NAME_SERVER, None),
    ("ip6-loop", "[::1]", None),
    ("ip6-loop-bare", "::1", None),
    ("ip6-mapped", "[::ffff:127.0.0.1]", None),
    ("ip6-mappedhex", "[::ffff:7f00:1]", None),
    ("ip6-zone", "[::1%25lo.wild.test]", None),
    ("ip6-zone2", "[::1%lo.wild.test]", None),
    ("ip6-zone3", "[::1%lo]", None),
    ("ip6-doc", "[2001:db8::66]", None),
    ("meta-ip", "169.254.169.254", None),
    ("priv-ip", PRIVATE, None),
)

# Names that the policy lists, whose addresses are never dialled, and what the refusal calls them.
_ADDRESSES = (
    ("meta-name", "meta.wild.test", b"(metadata)"),
    ("meta-cgnat", "cloud.wild.test", b"(metadata)"),
    ("name-6meta", "meta6.wild.test", b"(metadata)"),
    ("name-loop", "loop.wild.test", b"(loopback)"),
    ("name-6loop", "loop6.wild.test", b"(loopback)"),
    ("name-6mapped", "mapped.wild.test", b"(loopback)"),
    ("name-6nat64", "nat64.wild.test", b"(loopback)"),
    ("name-zero", "zero.wild.test", b"(unspecified)"),
    ("name-priv", "private.wild.test", b"(private)"),
    ("name-6priv", "unique.wild.test", b"(private)"),
    ("name-shared", "shared.wild.test", b"(shared (CGNAT))"),
    ("name-own", "own.wild.test", b"(this host)"),
)
_LITERALS = (
    ("loop-ip", LOOPBACK, b"(loopback)"),
    ("loop-ip6", "[::1]", b"(loopback)"),
    ("loop-mapped", "[::ffff:127.0.0.1]", b"(loopback)"),
    ("localhost", "localhost", b"(loopback)"),
    ("meta-ip", "169.254.169.254", b"(metadata)"),
    ("priv-ip", PRIVATE, b"(private)"),
    ("own-ip", OWN, b"(this host)"),
)

# Whole requests to the proxy, or a CONNECT with something unusual about it.
_REQUESTS: tuple[Case, ...] = (
    Case("ok-get", _plain("http://allowed.test/"), reaches=ALLOWED),
    Case("redir", _plain("http://allowed.test/redirect"), reaches=ALLOWED, says=b"Location: http://evil.test/"),
    Case("deny-get", _plain("http://evil.test/", "evil.test")),
    Case("host-lies-connect", _tunnel("evil.test:80", "allowed.test:80")),
    Case("host-lies-get", _plain("http://evil.test/")),
    Case("target-ok-host-evil", _plain("http://allowed.test/", "evil.test")),
    Case("connect-ok-host-evil", _tunnel("allowed.test:80", "evil.test:80")),
    Case("two-hosts", _plain("http://allowed.test/", more="Host: evil.test\r\n")),
    Case("origin-form", _plain("/", "evil.test")),
    Case("origin-form-ok", _plain("/")),
    Case("origin-form-slashes", _plain("//allowed.test/")),
    Case("userinfo-get", _plain("http://allowed.test@evil.test/")),
    Case("userinfo-port", _plain("http://allowed.test:80@evil.test:80/")),
    Case("userinfo-hash", _plain("http://evil.test#@allowed.test/")),
    Case("nul-get", _plain("http://evil.test\0.wild.test/")),
    Case("bslash", _plain("http://evil.test\\.wild.test/")),
    Case("bslash2", _plain("http://allowed.test\\@evil.test/")),
    Case("semi", _plain("http://evil.test;.wild.test/")),
    Case("meta-get", _plain("http://169.254.169.254/latest/meta-data/", "169.254.169.254")),
    Case("scheme-ftp", _plain("ftp://allowed.test/")),
    Case("scheme-https-get", _plain("https://evil.test/", "evil.test")),
    Case("scheme-https-ok", _plain("https://allowed.test/")),
    Case("port-22", _tunnel("allowed.test:22")),
    Case("port-8080", _tunnel("allowed.test:8080")),
    Case("port-get-8080", _plain("http://allowed.test:8080/")),
    Case("port-get-8080-host", _plain("http://allowed.test:8080/", "allowed.test:8080")),
    Case("port-none", _tunnel("allowed.test")),
    Case("port-empty", _tunnel("allowed.test:")),
    Case("port-plus", _tunnel("allowed.test:+22")),
    Case("port-plus-ok", _tunnel("allowed.test:+80")),
    Case("port-0022", _tunnel("allowed.test:0022")),
    Case("port-080", _tunnel("allowed.test:080")),
    Case("port-wrap", _tunnel("allowed.test:65558")),
    Case("port-letter", _tunnel("allowed.test:80x")),
    Case("port-two", _tunnel("evil.test:80:allowed.test:443")),
    Case("post", _plain("http://allowed.test/", method="POST", more="Content-Length: 3\r\n", body="abc")),
    Case("put", _plain("http://allowed.test/", method="PUT", more="Content-Length: 0\r\n")),
    Case("lower-post", _plain("http://allowed.test/", method="post", more="Content-Length: 0\r\n")),
    Case("weird-method", _plain("http://allowed.test/", method="PROPFIND")),
    Case("trace", _plain("http://allowed.test/", method="TRACE")),
    Case("pipeline", b"GET http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\n\r\n" + _SECOND, reaches=ALLOWED),
    Case("upgrade-ws", _plain("http://evil.test/", "evil.test", more="Upgrade: websocket\r\nConnection: upgrade\r\n")),
    Case(
        "upgrade-ws-ok",
        b"GET http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\n"
        b"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n" + _SECOND,
        reaches=ALLOWED,
    ),
    Case("bare-lf", b"CONNECT evil.test:80 HTTP/1.1\nHost: allowed.test\n\n"),
    Case("bare-lf-ok", b"GET http://allowed.test/ HTTP/1.1\nHost: allowed.test\n\n"),
    Case("bare-cr", b"GET http://allowed.test/ HTTP/1.1\r\nX: a\rHost: evil.test\r\nHost: allowed.test\r\n\r\n"),
    Case("crlf-inject", _tunnel("allowed.test:80 HTTP/1.1\r\nX: y")),
    Case("obs-fold", b"CONNECT evil.test:80 HTTP/1.1\r\nHost:\r\n allowed.test\r\n\r\n"),
    Case("obs-fold-ok", b"GET http://allowed.test/ HTTP/1.1\r\nHost:\r\n allowed.test\r\n\r\n"),
    Case("field-blank", b"GET http://allowed.test/ HTTP/1.1\r\nHost : allowed.test\r\n\r\n"),
    Case("http09", b"GET http://evil.test/\r\n\r\n"),
    Case("http09-ok", b"GET http://allowed.test/\r\n\r\n"),
    Case("h2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    Case("tls-to-proxy", b"\x16\x03\x01\x00\x05hello"),
    Case("socks5", b"\x05\x01\x00"),
    Case("self", _tunnel("127.0.0.1:{PORT}"), _tunnel("evil.test:80")),
)

# A body that one party could take for the next request.
_FRAMINGS: tuple[tuple[str, str, str, str], ...] = (
    ("clte", "GET", "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ("get-body-smuggle", "GET", f"Content-Length: {len(_SECOND)}\r\n", ""),
    ("te-twice", "OPTIONS", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
    ("te-vertical-tab", "OPTIONS", "Transfer-Encoding:\x0bchunked\r\n", "0\r\n\r\n"),
    ("te-dropped", "OPTIONS", "Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
)

# What a tunnel to allowed.test holds.
_FRONT = _inner("evil.test")
_TUNNELLED: tuple[tuple[str, int, bytes | Tls, bool], ...] = (
    ("fronting", HTTPS, Tls("allowed.test", (_FRONT,)), True),
    ("fronting-absolute", HTTPS, Tls("allowed.test", (_inner("evil.test", target="https://evil.test/"),)), True),
    ("method-in-tls", HTTPS, Tls("allowed.test", (_inner("allowed.test", "POST"),)), True),
    ("fronting-80", HTTP, _FRONT, False),
    ("fronting-80-absolute", HTTP, _inner("allowed.test", target="http://evil.test/"), False),
    ("method-in-tunnel", HTTP, _inner("allowed.test", "POST"), False),
    ("sni-mismatch", HTTPS, Tls("evil.test", (_inner("evil.test"),)), False),
    ("sni-sibling", HTTPS, Tls("www.wild.test", (_inner("www.wild.test"),)), False),
    ("sni-none", HTTPS, Tls(None, (_inner("allowed.test"),)), False),
    ("sni-mismatch-80", HTTP, Tls("evil.test", (_inner("evil.test"),)), False),
    ("sni-encrypted", HTTPS, records_of(made_hello(name_extension(b"allowed.test"), (0xFE0D, bytes(32))), 512), False),
    ("sni-twice", HTTPS, records_of(made_hello(name_extension(b"allowed.test"), name_extension(b"evil.test")), 512), False),
    ("plain-on-443", HTTPS, b"SSH-2.0-x\r\n", False),
    ("http-on-443", HTTPS, _inner("allowed.test"), False),
)  # fmt: skip


def _cases() -> Iterator[Case]:
    for name, host, reached in _HOSTS:
        yield from _both_ports(name, host, reached)
    for name, host, kind in _ADDRESSES:
        for case in _both_ports(name, host, None):
            yield replace(case, says=kind)
    yield from _REQUESTS
    for name, method, fields, body in _FRAMINGS:
        head = f"{method} http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\n{fields}\r\n{body}"
        yield Case(name, head.encode() + _SECOND)
    for name, port, inside, hidden in _TUNNELLED:
        yield Case(name, _tunnel(f"allowed.test:{port}"), inside, dials=ALLOWED, hidden=hidden)
    yield from _allowed()
    for number in range(4):
        yield from _rebinding(number)
    yield from _public_internet()


def _both_ports(name: str, host: str, reached: str | None) -> Iterator[Case]:
    # What must be refused is refused whatever follows; a name that is allowed makes it a harder test.
    inner = host.lower().rstrip(".") if reached else "allowed.test"
    plain = _GET % inner.encode()
    yield Case(name, _tunnel(f"{host}:80"), plain, reached)
    yield Case(f"{name}-tls", _tunnel(f"{host}:443"), Tls(inner, (plain,)), reached)


def _allowed() -> Iterator[Case]:
    tunnel, get = _tunnel("allowed.test:443"), _inner("allowed.test")
    again = _inner("allowed.test", more="")
    yield Case("ok-connect-80", _tunnel("allowed.test:80"), get, ALLOWED)
    yield Case("ok-connect-443", tunnel, Tls("allowed.test", (get,)), ALLOWED)
    yield Case("hello-in-bytes", tunnel, Tls("allowed.test", (get,), "bytes"), ALLOWED)
    yield Case("hello-in-records", tunnel, Tls("allowed.test", (get,), "records"), ALLOWED)
    yield Case("keep-alive", tunnel, Tls("allowed.test", (again, get)), ALLOWED)
    yield Case("fronting-second", tunnel, Tls("allowed.test", (again, _FRONT)), ALLOWED, hidden=True)


def _rebinding(number: int) -> Iterator[Case]:
    def ask(host: str) -> tuple[bytes, bytes]:
        return _tunnel(f"{host}:80"), _GET % host.encode()

    yield Case(f"rebind-{number}", *ask(f"r{number}.rebind.wild.test"), WILD)
    yield Case(f"rebind-same-{number}", *ask("rebind.wild.test"), WILD)
    yield Case(f"rebind-back-{number}", *ask(f"r{number}.back.wild.test"), says=b"(loopback)")


def _public_internet() -> Iterator[Case]:
    yield Case("full-get", _plain("http://evil.test/", "evil.test"), reaches=EVIL, policy="full")
    yield Case("full-connect", _tunnel("evil.test:443"), Tls("evil.test", (_inner("evil.test"),)), EVIL, policy="full")
    for name, host, kind in (*_ADDRESSES, *_LITERALS):
        yield Case(f"full-{name}", _plain(f"http://{host}/", host), policy="full", says=kind)
        yield Case(f"full-{name}-connect", _tunnel(f"{host}:80"), _FRONT, policy="full", says=kind)


CASES: tuple[Case, ...] = tuple(_cases())
