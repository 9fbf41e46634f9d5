"""Tunnels the gateway looks into: real TLS on both sides, real servers on loopback."""

from __future__ import annotations

import asyncio
import base64
import itertools
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import NetworkError
from engine.network.credentials import Credential, make_credential, new_placeholder
from engine.network.gateway import Gateway, Limits
from engine.network.policy import Policy, make_policy
from tests.tls_lab import TlsLab, answer_of, closed, running_tls_lab


def request(target: str = "/", method: str = "GET", host: str = "allowed.test", extra: str = "") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{extra}\r\n".encode()


def last(target: str = "/", method: str = "GET", host: str = "allowed.test", extra: str = "") -> bytes:
    return request(target, method, host, f"Connection: close\r\n{extra}")


@asynccontextmanager
async def lab_with(
    folder: Path,
    allow: tuple[str, ...] = ("=allowed.test:{P}",),
    methods: list[str] | None = None,
    limits: Limits | None = None,
    **options: Any,
) -> AsyncIterator[TlsLab]:
    async with running_tls_lab(folder, limits, **options) as tls:
        entries = [entry.replace("{P}", str(tls.port)) for entry in allow]
        tls.lab.gateway.set_policy(make_policy("limited", allow=entries, methods=methods, inspect=True))
        yield tls


async def test_methods_are_limited_inside_tls(tmp_path: Path) -> None:
    async with lab_with(tmp_path, methods=["GET", "HEAD"]) as tls:
        good = await tls.ask("allowed.test", last("/a?key=1"))
        assert good.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"REACHED 127.0.1.10\nGET /a?key=1 HTTP/1.1\r\nHost: allowed.test:" in good
        post = await tls.ask("allowed.test", request("/b", "POST", extra="Content-Length: 3\r\n") + b"abc")
        assert post.startswith(b"HTTP/1.1 403 Forbidden (fumehood: POST to ")
        assert b"GET, HEAD)\r\nx-proxy-error: blocked-by-method-policy\r\n" in post
        assert post.endswith(b"was refused: allowed methods are GET, HEAD\n")
        assert post.count(b"\n") == post.count(b"\r\n") + 1
        assert len(tls.seen) == 1
        first, second = await tls.lab.settled(2)
        assert (first.method, first.host, first.port, first.path) == ("GET", "allowed.test", tls.port, "/a")
        assert (first.decision, first.rule, first.reason) == ("allowed", f"=allowed.test:{tls.port}", "")
        assert first.bytes_up == len(tls.seen[0])
        assert first.bytes_down > first.bytes_up
        assert (second.method, second.path, second.decision, second.bytes_up) == ("POST", "/b", "denied", 0)


async def test_one_tunnel_carries_many_requests(tmp_path: Path) -> None:
    async with lab_with(tmp_path, methods=["GET", "PUT"]) as tls:
        reader, writer = await tls.open("allowed.test")
        for number in range(3):
            writer.write(request(f"/{number}", "PUT", extra="Content-Length: 5\r\n") + b"hello")
            assert (await answer_of(reader)).endswith(b"hello")
        # Two at once, the second one not allowed.
        writer.write(request("/3") + request("/4", "DELETE") + request("/5"))
        assert b"GET /3" in await answer_of(reader)
        assert b"DELETE to allowed.test" in await reader.read()
        await closed(writer)
        assert [(r.path, r.decision) for r in await tls.lab.settled(5)] == [
            *((f"/{number}", "allowed") for number in range(4)),
            ("/4", "denied"),
        ]
        assert len(tls.seen) == 4


async def test_paths_are_limited(tmp_path: Path) -> None:
    allow = ("GET,HEAD =allowed.test:{P}/v1/*", "=allowed.test:{P}/login")
    async with lab_with(tmp_path, allow) as tls:
        answers = {
            target: (await tls.ask("allowed.test", last(target, method))).split(b" ", 2)[1]
            for method, target in (
                ("GET", "/v1/"),
                ("GET", "/v1/a%2fb?x=/../y"),
                ("POST", "/login"),
                ("GET", "/login?next=/"),
                ("GET", "/v1"),
                ("GET", "/v10/"),
                ("GET", "/v1/../admin"),
                ("GET", "/v1/%2e%2E/admin"),
                ("GET", "/v1/%252e%252e/admin"),
                ("GET", "/v1/..;/admin"),
                ("GET", "/v1/..%2fadmin"),
                ("GET", "/v1%2fx"),
                ("GET", "/login/"),
                ("GET", "//v1/x"),
                ("POST", "/v1/x"),
            )
        }
        assert list(answers.values()) == [b"200"] * 4 + [b"403"] * 11
        records = await tls.lab.settled(15)
        assert records[0].rule == f"GET,HEAD =allowed.test:{tls.port}/v1/*"
        assert records[4].reason.endswith("does not allow this path")
        assert "allowed methods are GET, HEAD" in records[-1].reason


async def test_only_hosts_whose_rules_need_it_are_looked_into(tmp_path: Path) -> None:
    async with lab_with(tmp_path, ("=allowed.test:{P}", "www.wild.test:{P}/x")) as tls:
        # The server's own certificate, which the container does not trust here.
        with pytest.raises(ssl.SSLCertVerificationError):
            await tls.open("allowed.test")
        assert b"REACHED 127.0.1.11" in await tls.ask("www.wild.test", last("/x", host="www.wild.test"))
        assert [(r.method, r.host) for r in await tls.lab.settled(2)] == [
            ("CONNECT", "allowed.test"),
            ("GET", "www.wild.test"),
        ]


async def test_another_host_inside_is_refused(tmp_path: Path) -> None:
    async with lab_with(tmp_path, ("allowed.test:{P}", "www.wild.test:{P}"), methods=["GET"]) as tls:
        for host in ("evil.test", "www.wild.test", f"allowed.test:{tls.port + 1}", "x.allowed.test"):
            answer = await tls.ask("allowed.test", last(host=host))
            assert answer.startswith(b"HTTP/1.1 403")
            assert b"names another host" in answer
        for raw in (
            b"GET https://evil.test/ HTTP/1.1\r\nHost: allowed.test\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: allowed.test\r\nHost: evil.test\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x00\x01",
        ):
            assert (await tls.ask("allowed.test", raw)).startswith(b"HTTP/1.1 400"), raw
        assert tls.seen == []
        assert {(r.decision, r.host) for r in await tls.lab.settled(10)} == {("denied", "allowed.test")}


async def test_a_websocket_cannot_be_inspected(tmp_path: Path) -> None:
    async with lab_with(tmp_path, methods=["GET"]) as tls:
        answer = await tls.ask("allowed.test", request(extra="Connection: Upgrade\r\nUpgrade: websocket\r\n"))
        assert b"x-proxy-error: blocked-by-policy" in answer
        assert b"websocket" in answer


async def test_answers_of_every_kind(tmp_path: Path) -> None:
    async with lab_with(tmp_path, methods=["GET", "HEAD"]) as tls:
        tls.answers = {
            "/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n5;e=1\r\nhello\r\n0\r\nT: 1\r\n\r\n",
            "/head": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
            "/204": b"HTTP/1.1 204 No Content\r\n\r\n",
            "/304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\nETag: x\r\n\r\n",
            "/hints": b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "/end": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end",
        }
        reader, writer = await tls.open("allowed.test")
        writer.write(request("/chunked"))
        assert (await answer_of(reader)).endswith(b"\r\n\r\nhello")
        writer.write(request("/head", "HEAD"))
        assert b"Content-Length: 1000" in await reader.readuntil(b"\r\n\r\n")
        for path in ("/204", "/304", "/hints"):
            writer.write(request(path))
            assert b"HTTP/1.1 " in await reader.readuntil(b"\r\n\r\n")
        assert (await answer_of(reader)).endswith(b"ok")
        writer.write(request("/end"))
        ending = await reader.read()
        assert b"until the end" in ending
        assert ending.endswith(b"0\r\n\r\n")
        await closed(writer)
        old = await tls.ask("allowed.test", b"GET /chunked HTTP/1.0\r\nHost: allowed.test\r\n\r\n")
        assert old.endswith(b"\r\n\r\nhello")
        assert b"chunked" not in old


async def test_answers_that_break_off_or_make_no_sense(tmp_path: Path) -> None:
    async with lab_with(tmp_path, methods=["GET"]) as tls:
        tls.answers = {
            "/cut": b"HTTP/1.1 200 OK\r\nX: CUT\r\nContent-Length: 100\r\n\r\nhalf",
            "/none": b"CUT",
            "/split": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n",
            "/switch": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        }
        assert (await tls.ask("allowed.test", request("/cut"))).endswith(b"\r\n\r\nhalf")
        assert (await tls.ask("allowed.test", request("/none"))).startswith(b"HTTP/1.1 502")
        assert (await tls.ask("allowed.test", request("/split") + request("/next"))).endswith(b"ok")
        assert (await tls.ask("allowed.test", request("/switch"))).startswith(b"HTTP/1.1 502")
        records = await tls.lab.settled(4)
        assert [r.path for r in records] == ["/cut", "/none", "/split", "/switch"]
        assert [r.decision for r in records] == ["allowed", "failed", "allowed", "failed"]
        assert records[0].reason == "the connection ended early"


async def test_bodies_of_every_kind(tmp_path: Path) -> None:
    data = bytes(range(256)) * 8192
    async with lab_with(tmp_path, methods=["PUT"]) as tls:
        reader, writer = await tls.open("allowed.test")
        writer.write(request("/", "PUT", extra=f"Content-Length: {len(data)}\r\n") + data)
        assert (await answer_of(reader)).endswith(data)
        writer.write(request("/", "PUT", extra="Transfer-Encoding: chunked\r\n"))
        writer.write(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: 1\r\n\r\n")
        assert (await answer_of(reader)).endswith(b"\r\n\r\nabcde")
        writer.write(request("/", "PUT", extra="Expect: 100-continue\r\nContent-Length: 2\r\n"))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ok")
        assert (await answer_of(reader)).endswith(b"ok")
        writer.write(request("/", "PUT", extra="Transfer-Encoding: chunked\r\n") + b"zz\r\n")
        assert b"REACHED" not in await reader.read()
        await closed(writer)
        assert [r.decision for r in await tls.lab.settled(4)] == ["allowed", "allowed", "allowed", "denied"]
        assert len(tls.seen) == 3


async def test_a_body_that_breaks_off_is_not_completed(tmp_path: Path) -> None:
    async with lab_with(tmp_path, methods=["PUT"]) as tls:
        _, writer = await tls.open("allowed.test")
        writer.write(request("/", "PUT", extra="Content-Length: 10\r\n") + b"abc")
        await writer.drain()
        await closed(writer)
        (record,) = await tls.lab.settled(1)
        assert record.method == "PUT"
        assert tls.seen == []


async def test_a_slow_reader_stops_the_server_not_the_memory(tmp_path: Path) -> None:
    size = 64 << 20
    async with lab_with(tmp_path, methods=["GET"]) as tls:
        tls.answers["/big"] = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)
        reader, writer = await tls.open("allowed.test")
        writer.write(request("/big"))
        await reader.readuntil(b"\r\n\r\n")
        (exchange,) = tls.lab.gateway._exchanges.values()
        assert exchange._server is not None
        before = -1
        while before != exchange._server.received:
            before = exchange._server.received
            await asyncio.sleep(0.2)
        assert before < 16 << 20
        assert len(await reader.readexactly(size)) == size
        await closed(writer)


async def test_a_server_with_a_bad_certificate_is_not_spoken_to(tmp_path: Path) -> None:
    async with lab_with(tmp_path, methods=["GET"], trust=ssl.create_default_context()) as tls:
        answer = await tls.ask("allowed.test", request(extra="Authorization: x\r\n"))
        assert answer.startswith(b"HTTP/1.1 502")
        assert b"certificate of allowed.test is not valid" in answer
        assert tls.seen == []
        (record,) = await tls.lab.settled(1)
        assert record.decision == "failed"


async def test_a_program_that_does_not_trust_the_gateway(tmp_path: Path) -> None:
    async with lab_with(tmp_path, methods=["GET"]) as tls:
        tls.trust = ssl.create_default_context()
        with pytest.raises(ssl.SSLCertVerificationError):
            await tls.open("allowed.test")
        (record,) = await tls.lab.settled(1)
        assert (record.method, record.decision) == ("CONNECT", "failed")
        assert "certificate" in record.reason


async def test_slow_requests_and_new_policies_end_a_tunnel(tmp_path: Path) -> None:
    async with lab_with(tmp_path, methods=["GET"], limits=Limits(head_seconds=0.5)) as tls:
        assert b" 408 " in await tls.ask("allowed.test", b"GET / HT")
        reader, writer = await tls.open("allowed.test")
        tls.answers["/"] = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegun"
        writer.write(request())
        await reader.readuntil(b"begun")
        tls.lab.gateway.set_policy(make_policy("off"))
        assert await reader.read() == b""
        await closed(writer)
        assert (await tls.lab.settled(2))[1].reason == "cut: the network policy changed"


async def test_a_tunnel_not_looked_into_is_cut_by_a_policy_that_does(tmp_path: Path) -> None:
    async with lab_with(tmp_path) as tls:
        lab = tls.lab
        reader, writer = await lab.connect()
        writer.write(f"CONNECT allowed.test:{tls.port} HTTP/1.1\r\nHost: allowed.test:{tls.port}\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        entries = [f"=allowed.test:{tls.port}"]
        lab.gateway.set_policy(make_policy("limited", allow=entries, methods=["GET"], inspect=True))
        assert await reader.read() == b""
        await closed(writer)


async def test_without_an_authority_nothing_that_needs_one_is_accepted(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="inspection"):
        Gateway(make_policy("limited", inspect=True))
    with pytest.raises(NetworkError, match="inspection"):
        Gateway(Policy("off"), credentials=[make_credential(["x.org"], b"v", header="X")])
    gateway = Gateway(Policy("off"))
    with pytest.raises(NetworkError, match="inspection"):
        gateway.set_policy(make_policy("full", methods=["GET"], inspect=True))
    assert gateway.policy == Policy("off")


async def test_network_secrets_reach_their_hosts_and_nobody_else(tmp_path: Path) -> None:
    hidden = new_placeholder("API_KEY")
    value = b"s3cr3t-value"

    def credentials(port: int) -> list[Credential]:
        return [
            make_credential([f"allowed.test:{port}"], value, placeholder=hidden),
            make_credential([f"www.wild.test:{port}"], b"Bearer w", header="Authorization"),
        ]

    async with running_tls_lab(tmp_path, credentials=credentials) as tls:
        tls.lab.gateway.set_policy(make_policy("full"))
        basic = base64.b64encode(f"user:{hidden}".encode()).decode()
        sent = f"Authorization: Bearer {hidden}\r\nX-Other: {hidden}{hidden}\r\nProxy-X: Basic {basic}\r\n"
        await tls.ask("allowed.test", last(f"/{hidden}", extra=sent))
        assert b"Authorization: Bearer s3cr3t-value\r\nX-Other: s3cr3t-values3cr3t-value\r\n" in tls.seen[0]
        assert base64.b64encode(b"user:" + value) in tls.seen[0]
        assert f"GET /{hidden} ".encode() in tls.seen[0]
        await tls.ask("www.wild.test", last(host="www.wild.test", extra="authorization: mine\r\n"))
        assert b"Authorization: Bearer w\r\n" in tls.seen[1]
        assert b"mine" not in tls.seen[1]
        # A host it is not bound to is not even looked into.
        with pytest.raises(ssl.SSLCertVerificationError):
            await tls.open("evil.test")
        trace = await tls.ask("allowed.test", last(method="TRACE", extra=f"X: {hidden}\r\n"))
        assert trace.startswith(b"HTTP/1.1 403")
        records = await tls.lab.settled(4)
        assert value.decode() not in repr(records) + repr(credentials(1))


requests_in_a_row = request("/1", "PUT", extra="Content-Length: 6\r\n") + b"abcdef"
requests_in_a_row += request("/2", "PUT", extra="Transfer-Encoding: chunked\r\n") + b"2\r\nxy\r\n1\r\nz\r\n0\r\n\r\n"
requests_in_a_row += last("/3", "GET")


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, len(requests_in_a_row) - 1), max_size=12), answer_cut=st.integers(1, 60))
def test_however_the_bytes_are_cut_the_requests_are_the_same(cuts: list[int], answer_cut: int) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with lab_with(Path(folder), methods=["GET", "PUT"]) as tls:
                reader, writer = await tls.open("allowed.test")
                positions = sorted({0, *cuts, len(requests_in_a_row)})
                for start, end in itertools.pairwise(positions):
                    writer.write(requests_in_a_row[start:end])
                    await asyncio.sleep(0)
                got = b""
                while piece := await reader.read(answer_cut):
                    got += piece
                await closed(writer)
                assert [seen.partition(b" HTTP")[0] for seen in tls.seen] == [b"PUT /1", b"PUT /2", b"GET /3"]
                assert [seen.partition(b"\r\n\r\n")[2] for seen in tls.seen] == [b"abcdef", b"xyz", b""]
                assert got.count(b"REACHED 127.0.1.10") == 3

    asyncio.run(run())


PIECES = (
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 200 OK\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 X\r\n\r\n",
    b"HTTP/1.1 999 \r\n",
    b"Content-Length: 3\r\n",
    b"Content-Length: 4\r\n",
    b"Content-Length: -1\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip\r\n",
    b"Connection: close, x\r\n",
    b"X: \xff\x00\r\n",
    b" folded\r\n",
    b"\r\n",
    b"\n",
    b"abc",
    b"3\r\nabc\r\n",
    b"0\r\n\r\n",
)


@settings(max_examples=60, deadline=None)
@given(answers=st.lists(st.lists(st.sampled_from(PIECES), max_size=6).map(b"".join), min_size=8, max_size=8))
def test_no_answer_of_a_server_upsets_the_gateway(answers: list[bytes]) -> None:
    faults: list[dict[str, Any]] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        with tempfile.TemporaryDirectory() as folder:
            async with lab_with(Path(folder), methods=["GET"]) as tls:
                tls.closing = True
                for number, answer in enumerate(answers):
                    tls.answers[f"/{number}"] = answer
                    await tls.ask("allowed.test", last(f"/{number}"))
                await tls.lab.settled(len(answers))

    asyncio.run(run())
    assert faults == []
