"""Request heads and bodies: one meaning or none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.network.body import ChunkedBody, SizedBody
from engine.network.request import (
    MAX_HEAD,
    BadRequest,
    head_end,
    parse_proxy_request,
    parse_tunnelled_request,
    upstream_head,
)


def test_connect() -> None:
    request = parse_proxy_request(b"CONNECT X.org.:443 HTTP/1.1\r\nHost: x.org:443\r\nUser-Agent: c\r\n\r\n")
    assert (request.method, request.host, request.port, request.body) == ("CONNECT", "x.org", 443, 0)
    assert parse_proxy_request(b"CONNECT x.org:443 HTTP/1.0\r\n\r\n").host == "x.org"
    assert parse_proxy_request(b"CONNECT x.org:443 HTTP/1.1\r\nHost: x.org\r\n\r\n").port == 443


def test_plain_requests_are_sent_on_in_origin_form() -> None:
    request = parse_proxy_request(
        b"POST http://X.org:8080?a=1 HTTP/1.1\r\nHost:  x.org:8080 \r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n"
        b"Proxy-Authorization: Basic eA==\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\nUpgrade: h2c\r\n"
        b"Accept: */*\r\nContent-Length: 3\r\n\r\n"
    )
    assert (request.host, request.port, request.path, request.body) == ("x.org", 8080, "/?a=1", 3)
    assert upstream_head(request) == (
        b"POST /?a=1 HTTP/1.1\r\nHost: x.org:8080\r\nConnection: close\r\nContent-Length: 3\r\nAccept: */*\r\n\r\n"
    )


def test_default_port_and_missing_path() -> None:
    request = parse_proxy_request(b"GET HTTP://x.org HTTP/1.1\r\nHost: x.org:80\r\n\r\n")
    assert upstream_head(request) == b"GET / HTTP/1.1\r\nHost: x.org\r\nConnection: close\r\n\r\n"
    six = parse_proxy_request(b"GET http://[2001:db8::1]/ HTTP/1.1\r\nHost: [2001:db8::1]\r\n\r\n")
    assert b"Host: [2001:db8::1]\r\n" in upstream_head(six)


H = b"Host: x.org\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n" + H,
        b"OPTIONS * HTTP/1.1\r\n" + H,
        b"GET https://x.org/ HTTP/1.1\r\n" + H,
        b"GET ftp://x.org/ HTTP/1.1\r\n" + H,
        b"GET http:///x HTTP/1.1\r\n" + H,
        b"GET http://x.org#f HTTP/1.1\r\n" + H,
        b"GET http://x.org/#f HTTP/1.1\r\n" + H,
        b"GET http://x.org\\@y.org/ HTTP/1.1\r\n" + H,
        b"GET http://u@x.org/ HTTP/1.1\r\n" + H,
        b"GET http://x.org:/ HTTP/1.1\r\n" + H,
        b"GET http://x.org/a b HTTP/1.1\r\n" + H,
        b"GET  http://x.org/ HTTP/1.1\r\n" + H,
        b"GET http://x.org/ HTTP/1.1 \r\n" + H,
        b"GET http://x.org/ HTTP/2.0\r\n" + H,
        b"GET http://x.org/\r\n",
        b"get http://x.org/ HTTP/1.1\r\n" + H,
        b"GET http://x.org/ HTTP/1.1\r\n",
        b"GET http://x.org/ HTTP/1.1\r\nHost: y.org\r\n",
        b"GET http://x.org/ HTTP/1.1\r\nHost: x.org:8080\r\n",
        b"GET http://x.org/ HTTP/1.1\r\nHost:\r\n",
        b"GET http://x.org/ HTTP/1.1\r\n" + H + H,
        b"GET http://x.org/ HTTP/1.1\r\nHost : x.org\r\n",
        b"GET http://x.org/ HTTP/1.1\r\n" + H + b" folded: x\r\n",
        b"GET http://x.org/ HTTP/1.1\r\n" + H + b"A: b\r\n\tc\r\n",
        b"GET http://x.org/ HTTP/1.1\r\n" + H + b"A: b\nC: d\r\n",
        b"GET http://x.org/ HTTP/1.1\r\n" + H + b"A: b\rC: d\r\n",
        b"GET http://x.org/ HTTP/1.1\r\n" + H + b"A: \x00\r\n",
        b"GET http://x.org/ HTTP/1.1\r\n" + H + b"A: \x1b[2J\r\n",
        b"GET http://x.org/ HTTP/1.1\r\n" + H + b"A: \xe9\r\n",
        b"GET http://x.org/ HTTP/1.1\r\n" + H + b"no colon\r\n",
        b"GET http://x.org/ HTTP/1.1\r\n" + H + b": x\r\n",
        b"GET http://x.org/ HTTP/1.1\r\n" + H + b"Content-Length: 3\r\n",
        b"POST http://x.org/ HTTP/1.1\r\n" + H + b"Content-Length: 3\r\nContent-Length: 3\r\n",
        b"POST http://x.org/ HTTP/1.1\r\n" + H + b"Content-Length: 3, 3\r\n",
        b"POST http://x.org/ HTTP/1.1\r\n" + H + b"Content-Length: +3\r\n",
        b"POST http://x.org/ HTTP/1.1\r\n" + H + b"Content-Length: -1\r\n",
        b"POST http://x.org/ HTTP/1.1\r\n" + H + b"Content-Length: 0x3\r\n",
        b"POST http://x.org/ HTTP/1.1\r\n" + H + b"Content-Length: " + b"9" * 30 + b"\r\n",
        b"POST http://x.org/ HTTP/1.1\r\n" + H + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        b"POST http://x.org/ HTTP/1.1\r\n" + H + b"Transfer-Encoding: gzip, chunked\r\n",
        b"POST http://x.org/ HTTP/1.1\r\n" + H + b"Transfer-Encoding: xchunked\r\n",
        b"POST http://x.org/ HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"POST http://x.org/ HTTP/1.0\r\n" + H + b"Transfer-Encoding: chunked\r\n",
        b"POST http://x.org/ HTTP/1.1\r\n" + H + b"Connection: content-length\r\nContent-Length: 3\r\n",
        b"CONNECT x.org HTTP/1.1\r\n" + H,
        b"CONNECT http://x.org:443 HTTP/1.1\r\n" + H,
        b"CONNECT x.org:443 HTTP/1.1\r\nHost: x.org:80\r\n",
        b"CONNECT x.org:443 HTTP/1.1\r\nHost: y.org:443\r\n",
        b"CONNECT x.org:443 HTTP/1.1\r\n" + H + b"Content-Length: 5\r\n",
        b"CONNECT x.org%0d%0aX:443 HTTP/1.1\r\n" + H,
    ],
)
def test_ambiguities_are_bad_requests(head: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_proxy_request(head + b"\r\n")


def test_requests_inside_a_tunnel_are_for_its_host() -> None:
    request = parse_tunnelled_request(b"GET /a HTTP/1.1\r\nHost: x.org:8080\r\n\r\n", "x.org", 8080)
    assert (request.host, request.port, request.path) == ("x.org", 8080, "/a")
    for head in (
        b"GET /a HTTP/1.1\r\nHost: y.org\r\n\r\n",
        b"GET /a HTTP/1.0\r\n\r\n",
        b"GET http://x.org/ HTTP/1.1\r\nHost: x.org\r\n\r\n",
        b"CONNECT x.org:80 HTTP/1.1\r\nHost: x.org\r\n\r\n",
    ):
        with pytest.raises(BadRequest):
            parse_tunnelled_request(head, "x.org", 8080)


def test_the_end_of_a_head() -> None:
    head = b"GET http://x.org/ HTTP/1.1\r\nHost: x.org\r\n\r\n"
    assert head_end(head + b"rest") == len(head)
    for size in range(len(head)):
        assert head_end(head[:size]) is None
    for data in (
        b"\x16\x03",
        b" GET",
        b"get",
        b"SSH-2.0-x\r\n",
        b"GET http://x.org/\r\n",
        b"GET http://x.org/ HTTP/1.1\n",
    ):
        with pytest.raises(BadRequest):
            head_end(data)
    long = b"GET http://x.org/ HTTP/1.1\r\nA: " + b"a" * MAX_HEAD
    for data in (long, long + b"\r\n\r\n"):
        with pytest.raises(BadRequest):
            head_end(data)


_TOKENS = st.sampled_from(
    [b"GET", b"POST", b"CONNECT", b" ", b"http://", b"x.org", b":80", b"/", b"@", b"HTTP/1.1", b"\r\n", b"\n",
     b"Host: ", b"Content-Length: ", b"Transfer-Encoding: chunked", b"3", b"\x00", b"\t", b"Connection: ", b"#",
     b"\xff"]
)  # fmt: skip


@given(st.lists(_TOKENS, max_size=25).map(b"".join) | st.binary(max_size=80))
def test_any_bytes_are_a_clean_request_or_bad(head: bytes) -> None:
    try:
        request = parse_proxy_request(head + b"\r\n\r\n")
    except BadRequest:
        return
    if request.method != "CONNECT":
        sent = upstream_head(request)
        assert sent.count(b"\r\n\r\n") == 1
        assert sent.lower().count(b"\r\nhost:") == 1
        assert parse_tunnelled_request(sent, request.host, request.port).body == request.body


def test_sized_bodies_end_where_they_said() -> None:
    body = SizedBody(5)
    assert (body.feed(b"abc"), body.finished) == (b"abc", False)
    assert (body.feed(b"deGET http://evil"), body.finished) == (b"de", True)
    assert body.feed(b"more") == b""
    assert SizedBody(0).finished


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=6), st.data())
def test_chunked_bodies_pass_whole_however_they_arrive(chunks: list[bytes], data: st.DataObject) -> None:
    raw = b"".join(b"%X\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    body, passed, rest = ChunkedBody(), b"", raw + b"GET http://evil.test/"
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        passed += body.feed(rest[:size])
        rest = rest[size:]
    assert body.finished
    again = ChunkedBody()
    assert again.feed(passed) == passed
    assert again.finished
    assert sum(map(len, chunks)) == _decoded_length(passed)


@pytest.mark.parametrize(
    "raw",
    [b"x\r\n", b"3;ext=1\r\nabc\r\n", b"3\nabc\n0\n\n         ", b"3\r\nabcd\r\n", b"-1\r\n", b"0x3\r\nabc\r\n",
     b"\r\n", b"0\r\nTrailer: x\r\n\r\n", b"f" * 20, b"3 \r\nabc\r\n"],
)  # fmt: skip
def test_malformed_chunks_are_bad_requests(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        ChunkedBody().feed(raw)


def _decoded_length(raw: bytes) -> int:
    total = 0
    while raw:
        size, _, rest = raw.partition(b"\r\n")
        total += int(size, 16)
        raw = rest[int(size, 16) + 2 :]
    return total
