"""The gateway over its unix socket, against real servers on loopback."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.errors import NetworkError
from engine.network.endpoint import Endpoint
from engine.network.exchange import Exchange
from engine.network.gateway import Gateway, Limits
from engine.network.policy import Policy, make_policy
from tests.network_lab import Lab, client_hello, made_hello, name_extension, records_of, running_lab


def connect(host: str) -> bytes:
    return f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def get(lab: Lab, host: str, method: str = "GET", extra: str = "") -> bytes:
    return f"{method} http://{host}:{lab.port}/ HTTP/1.1\r\nHost: {host}:{lab.port}\r\n{extra}\r\n".encode()


def limited(lab: Lab, methods: list[str] | None = None) -> Policy:
    return make_policy("limited", allow=[f"=allowed.test:{lab.port}", f"*.wild.test:{lab.port}"], methods=methods)


@asynccontextmanager
async def lab_with(folder: Path, mode: str, limits: Limits | None = None) -> AsyncIterator[Lab]:
    async with running_lab(folder, limits=limits) as lab:
        lab.gateway.set_policy(limited(lab) if mode == "limited" else make_policy("full"))
        yield lab


async def test_a_tunnel_carries_tls_for_its_host_and_is_recorded(tmp_path: Path) -> None:
    async with lab_with(tmp_path, "limited") as lab:
        hello = client_hello("allowed.test")
        answer = await lab.ask(connect(f"ALLOWED.test.:{lab.port}"), hello)
        assert b"REACHED 127.0.1.10" in answer
        (record,) = await lab.settled(1)
        assert (record.host, record.port, record.method) == ("allowed.test", lab.port, "CONNECT")
        assert (record.decision, record.rule, record.reason) == ("allowed", f"=allowed.test:{lab.port}", "")
        assert record.bytes_up == len(hello)
        assert record.bytes_down > 50
        assert record.seconds >= 0


async def test_a_hello_in_single_bytes_and_two_records(tmp_path: Path) -> None:
    hello = records_of(made_hello(name_extension(b"allowed.test")), 40)
    async with lab_with(tmp_path, "limited") as lab:
        reader, writer = await lab.connect()
        for byte in connect(f"allowed.test:{lab.port}"):
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        for byte in hello:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert b"REACHED 127.0.1.10" in await reader.read()
        writer.close()


@pytest.mark.parametrize(
    ("hello", "reason"),
    [
        (client_hello("evil.test"), "names evil.test"),
        (client_hello(None), "names no server"),
        (records_of(made_hello(name_extension(b"allowed.test"), (0xFE0D, b"x")), 900), "ECH"),
        (b"\x16\x03\x01\x00\x05hello", "not a TLS client hello"),
    ],
    ids=["other", "none", "hidden", "broken"],
)
async def test_a_tunnel_to_one_name_with_a_hello_for_another(tmp_path: Path, hello: bytes, reason: str) -> None:
    async with lab_with(tmp_path, "limited") as lab:
        answer = await lab.ask(connect(f"allowed.test:{lab.port}"), hello)
        assert b"REACHED" not in answer
        assert answer.endswith(bytes((21, 3, 3, 0, 2, 2, 49)))
        (record,) = await lab.settled(1)
        assert (record.decision, record.bytes_up) == ("denied", 0)
        assert reason in record.reason


async def test_full_mode_passes_any_bytes(tmp_path: Path) -> None:
    async with lab_with(tmp_path, "full") as lab:
        answer = await lab.ask(connect(f"evil.test:{lab.port}"), b"SSH-2.0-x\r\n\r\n")
        assert b"REACHED 127.0.1.66\nSSH-2.0-x" in answer


async def test_plain_http_in_a_limited_tunnel_is_judged_like_any_other(tmp_path: Path) -> None:
    async with lab_with(tmp_path, "limited") as lab:
        lab.gateway.set_policy(limited(lab, ["GET"]))
        tunnel = connect(f"allowed.test:{lab.port}")
        good = await lab.ask(tunnel, b"GET /a HTTP/1.1\r\nHost: allowed.test\r\n\r\n")
        assert b"REACHED 127.0.1.10\nGET /a HTTP/1.1\r\nHost: allowed.test:" in good
        other_host = await lab.ask(tunnel, b"GET /a HTTP/1.1\r\nHost: evil.test\r\n\r\n")
        post = await lab.ask(tunnel, b"POST /a HTTP/1.1\r\nHost: allowed.test\r\nContent-Length: 0\r\n\r\n")
        ssh = await lab.ask(tunnel, b"SSH-2.0-x\r\n")
        assert b"HTTP/1.1 400" in other_host
        assert b"x-proxy-error: blocked-by-method-policy" in post
        assert b"HTTP/1.1 400" in ssh
        assert [record.method for record in await lab.settled(4)] == ["GET", "CONNECT", "POST", "CONNECT"]


async def test_only_tls_passes_a_limited_tunnel_to_443() -> None:
    async def dial(host: str, port: int) -> Endpoint:
        assert (host, port) == ("allowed.test", 443)
        return await _connected(outside)

    inside, outside = socket.socketpair(), socket.socketpair()
    policy = make_policy("limited", allow=["allowed.test"])
    exchange = Exchange(await _connected(inside), policy=lambda: policy, dial=dial, limits=Limits())
    running = asyncio.create_task(exchange.run())
    reader, writer = await asyncio.open_unix_connection(sock=inside[1])
    writer.write(connect("allowed.test:443"))
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"GET / HTTP/1.1\r\nHost: allowed.test\r\n\r\n")
    assert b"x-proxy-error: blocked-by-policy" in await reader.readuntil(b"TLS\n")
    writer.close()
    await running
    record = exchange.end()
    assert record is not None
    assert record.decision == "denied"
    await asyncio.sleep(0)
    assert outside[1].recv(10) == b""
    outside[1].close()


async def test_plain_requests_and_their_bodies(tmp_path: Path) -> None:
    async with lab_with(tmp_path, "full") as lab:
        answer = await lab.ask(get(lab, "allowed.test", extra="Proxy-Connection: keep-alive\r\nAccept: a/b\r\n"))
        assert b"REACHED 127.0.1.10\nGET / HTTP/1.1\r\nHost: allowed.test:" in answer
        assert b"Accept: a/b" in answer
        assert b"keep-alive" not in answer
        sized = await lab.ask(
            get(lab, "allowed.test", "POST", "Content-Length: 70000\r\n") + b"x" * 70000 + b"GET http://"
        )
        assert sized.endswith(b"x" * 70000)
        chunked = (
            get(lab, "allowed.test", "PUT", "Transfer-Encoding: chunked\r\n") + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        )
        assert (await lab.ask(chunked)).endswith(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        bent = get(lab, "allowed.test", "PUT", "Transfer-Encoding: chunked\r\n") + b"3;x\r\nabc\r\n0\r\n\r\n"
        assert b"REACHED" not in await lab.ask(bent)
        records = await lab.settled(4)
        assert [record.method for record in records] == ["GET", "POST", "PUT", "PUT"]
        assert records[1].bytes_up > 70000
        assert "chunk" in records[3].reason


async def test_a_body_that_ends_early_is_not_completed(tmp_path: Path) -> None:
    async with lab_with(tmp_path, "full") as lab:
        reader, writer = await lab.connect()
        writer.write(get(lab, "allowed.test", "POST", "Content-Length: 10\r\n") + b"abc")
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()


async def test_denials_say_what_and_why(tmp_path: Path) -> None:
    async with lab_with(tmp_path, "limited") as lab:
        lab.gateway.set_policy(
            make_policy("limited", allow=[f"allowed.test:{lab.port}"], deny=["evil.test"], methods=["GET"])
        )
        listed = await lab.ask(get(lab, "evil.test"))
        unlisted = await lab.ask(connect("www.wild.test:443"))
        method = await lab.ask(get(lab, "allowed.test", "DELETE"))
        lab.gateway.set_policy(make_policy("off"))
        off = await lab.ask(get(lab, "allowed.test"))
        for answer, error, words in (
            (listed, b"blocked-by-denylist", b"evil.test"),
            (unlisted, b"blocked-by-allowlist", b"www.wild.test:443"),
            (method, b"blocked-by-method-policy", b"allowed methods are GET"),
            (off, b"blocked-by-policy", b"off"),
        ):
            head, _, body = answer.partition(b"\r\n\r\n")
            # Most clients show the status line and nothing else.
            assert head.startswith(b"HTTP/1.1 403 Forbidden (" + body.strip() + b")\r\n")
            assert b"x-proxy-error: " + error in head
            assert words in body
            assert body.count(b"\n") == 1
        assert [record.decision for record in await lab.settled(4)] == ["denied"] * 4


async def test_a_redirect_is_passed_on_and_where_it_leads_is_judged_by_itself(tmp_path: Path) -> None:
    """SECURITY-CASES N07."""

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % elsewhere)
        writer.close()

    async with lab_with(tmp_path, "limited") as lab:
        elsewhere = f"http://evil.test:{lab.port}/".encode()
        server = await asyncio.start_server(redirect, "127.0.1.10", 0)
        port = server.sockets[0].getsockname()[1]
        lab.gateway.set_policy(make_policy("limited", allow=[f"allowed.test:{port}"]))
        lab.port, real = port, lab.port
        answer = await lab.ask(get(lab, "allowed.test"))
        assert answer.startswith(b"HTTP/1.1 302 Found\r\n")
        assert elsewhere in answer
        lab.port = real
        refused = await lab.ask(get(lab, "evil.test"))
        assert refused.startswith(b"HTTP/1.1 403 Forbidden (fumehood: evil.test")
        assert b"REACHED" not in refused
        records = await lab.settled(2)
        assert [(r.host, r.port, r.decision) for r in records] == [
            ("allowed.test", port, "allowed"),
            ("evil.test", real, "denied"),
        ]
        server.close()
        await server.wait_closed()


async def test_no_name_is_looked_up_before_it_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SECURITY-CASES N03: a query carries data to whoever owns the domain."""
    asked: list[str] = []
    answer = Lab.lookup

    def lookup(lab: Lab, host: str) -> list[str]:
        asked.append(host)
        return answer(lab, host)

    monkeypatch.setattr(Lab, "lookup", lookup)
    async with lab_with(tmp_path, "limited") as lab:
        for host in ("data.attacker.test", "evil.test", "wild.test"):
            assert b"403 Forbidden" in await lab.ask(get(lab, host))
            assert b"403 Forbidden" in await lab.ask(connect(f"{host}:{lab.port}"))
        assert asked == []
        assert b"REACHED" in await lab.ask(get(lab, "allowed.test"))
        assert asked == ["allowed.test"]


async def test_failures_are_not_denials(tmp_path: Path) -> None:
    async with lab_with(tmp_path, "full") as lab:
        assert b"502 Bad Gateway" in await lab.ask(connect("nosuch.test:443"))
        assert b"connection refused" in await lab.ask(connect("allowed.test:1"))
        records = await lab.settled(2)
        assert [(record.decision, record.reason) for record in records] == [
            ("failed", "nosuch.test does not resolve"),
            ("failed", "allowed.test port 1: connection refused"),
        ]


async def test_the_next_good_address_is_tried(tmp_path: Path) -> None:
    async with lab_with(tmp_path, "full") as lab:
        # A server on one address only: the name's first address is good, but nobody listens there.
        server = await asyncio.start_server(_greet, "127.0.1.11", 0)
        port = server.sockets[0].getsockname()[1]
        assert b"hello" in await lab.ask(connect(f"second.wild.test:{port}"), b"")
        server.close()
        await server.wait_closed()


async def test_large_transfers_arrive_whole_both_ways(tmp_path: Path) -> None:
    size = 8 * 1024 * 1024

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async with lab_with(tmp_path, "full") as lab:
        server = await asyncio.start_server(echo, "127.0.1.10", 0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await lab.connect()
        writer.write(connect(f"allowed.test:{port}"))
        await reader.readuntil(b"\r\n\r\n")
        sent = os.urandom(1024) * (size // 1024)

        async def send() -> None:
            writer.write(sent)
            await writer.drain()
            writer.write_eof()

        sending = asyncio.create_task(send())
        assert await reader.read() == sent
        await sending
        writer.close()
        (record,) = await lab.settled(1)
        assert (record.bytes_up, record.bytes_down) == (size, size)
        server.close()
        await server.wait_closed()


async def test_a_new_policy_cuts_what_it_does_not_allow(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with lab_with(tmp_path, "full") as lab:
        server = await asyncio.start_server(silent, "0.0.0.0", 0)
        port = server.sockets[0].getsockname()[1]
        open_tunnels = []
        for host in ("allowed.test", "evil.test"):
            reader, writer = await lab.connect()
            writer.write(connect(f"{host}:{port}"))
            await reader.readuntil(b"\r\n\r\n")
            open_tunnels.append((reader, writer))
        lab.gateway.set_policy(make_policy("full", deny=["evil.test"]))
        assert await open_tunnels[1][0].read() == b""
        (record,) = await lab.settled(1)
        assert (record.host, record.reason) == ("evil.test", "cut: the network policy changed")
        # Full let this one carry anything; a policy that looks into tunnels cannot take it over.
        lab.gateway.set_policy(make_policy("limited", allow=[f"allowed.test:{port}"]))
        assert await open_tunnels[0][0].read() == b""
        assert len(await lab.settled(2)) == 2
        for _, writer in open_tunnels:
            writer.close()
        server.close()
        await server.wait_closed()


async def test_slow_heads_and_idle_tunnels_end(tmp_path: Path) -> None:
    limits = Limits(head_seconds=0.05, idle_seconds=0.05)
    async with lab_with(tmp_path, "limited", limits) as lab:
        assert b"408" in await lab.ask(b"GET http://allowed")
        assert b"408" in await lab.ask(b"")
        assert (await lab.ask(connect(f"allowed.test:{lab.port}"), b"\x16")).endswith(bytes((2, 49)))
        lab.gateway.set_policy(make_policy("full"))
        assert (await lab.ask(connect(f"allowed.test:{lab.port}"), b"")).count(b"\r\n\r\n") == 1
        records = await lab.settled(3)
        assert [(record.host, record.decision) for record in records] == [
            ("GET http://allowed", "failed"),
            ("allowed.test", "failed"),
            ("allowed.test", "allowed"),
        ]


async def test_more_connections_than_places_wait_their_turn(tmp_path: Path) -> None:
    async with lab_with(tmp_path, "full", Limits(connections=4)) as lab:
        answers = await asyncio.gather(*(lab.ask(get(lab, "allowed.test")) for _ in range(40)))
        assert all(b"REACHED 127.0.1.10" in answer for answer in answers)
        assert len(await lab.settled(40)) == 40


async def test_what_cannot_be_read_is_recorded_on_one_plain_line(tmp_path: Path) -> None:
    async with lab_with(tmp_path, "limited") as lab:
        assert b"400 Bad Request" in await lab.ask(
            b"GET http://evil.test/\x1b]0;x\x07 HTTP/1.1\r\nHost: evil.test\r\n\r\n"
        )
        assert b"400 Bad Request" in await lab.ask(b"CONNECT evil.test%0d%0aX:%1b[2J:443 HTTP/1.1\r\n\r\n")
        for record in await lab.settled(2):
            assert (record.port, record.method, record.decision) == (0, "", "denied")
            assert record.host.isprintable()
            assert "evil.test" in record.host


async def test_the_socket_is_for_the_relay_alone(tmp_path: Path) -> None:
    async with running_lab(tmp_path) as lab:
        assert stat.S_IMODE(lab.path.stat().st_mode) == 0o666
        reader, writer = await asyncio.open_unix_connection(str(lab.path))
        writer.write(connect("allowed.test:443"))
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        assert not lab.gateway.reached.is_set()
    assert not lab.path.exists()


async def test_a_socket_others_could_reach_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    for path, words in (
        (tmp_path / "open" / "socket" / "gateway.sock", "open to other users"),
        (tmp_path / "missing" / "socket" / "gateway.sock", "cannot make"),
        (tmp_path / ("x" * 120) / "gateway.sock", "107 bytes"),
    ):
        with pytest.raises(NetworkError, match=words):
            await Gateway(Policy("off")).start(path)


async def _connected(pair: tuple[socket.socket, socket.socket]) -> Endpoint:
    pair[0].setblocking(False)
    _, endpoint = await asyncio.get_running_loop().connect_accepted_socket(Endpoint, pair[0])
    return endpoint


async def _greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello")
    writer.close()
