"""The way out through a proxy of the host (SPEC N8), and names judged all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from engine.errors import NetworkError
from engine.network.policy import make_policy
from engine.network.proxies import Proxies, Proxy, host_proxies
from tests.network_lab import client_hello, running_lab
from tests.tls_lab import running_tls_lab

ADDRESSES = {"allowed.test": "127.0.1.10", "www.wild.test": "127.0.1.11", "only.example": "127.0.1.10"}
SECRET = "cGVyc29uOnB3OjE="  # person:pw:1


class CorporateProxy:
    """An HTTP proxy with its own name service, that wants credentials."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.port = 0
        self.serving: set[asyncio.Task[None] | None] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.add(asyncio.current_task())
        try:
            await self._serve(reader, writer)
        finally:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, target, _ = head.split(" ", 2)
            self.asked.append(f"{method} {target}")
            if f"Proxy-Authorization: Basic {SECRET}\r\n" not in head:
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            elif method == "CONNECT":
                host, _, port = target.partition(":")
                await self._tunnel(reader, writer, ADDRESSES[host], int(port))
            else:
                body = head.encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            writer.close()
            await writer.wait_closed()

    async def _tunnel(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str, port: int
    ) -> None:
        inner, outer = await asyncio.open_connection(address, port)
        writer.write(b"HTTP/1.0 200 OK\r\nVia: corp\r\n\r\n")

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                while piece := await source.read(65536):
                    target.write(piece)
                target.write_eof()

        try:
            await asyncio.gather(copy(reader, outer), copy(inner, writer))
        finally:
            outer.transport.abort()


@asynccontextmanager
async def corporate() -> AsyncIterator[CorporateProxy]:
    proxy = CorporateProxy()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        tasks = [task for task in proxy.serving if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        server.close()
        await server.wait_closed()


def through(proxy: CorporateProxy, no_proxy: str = "", pair: str = "person:pw%3A1") -> Proxies:
    url = f"http://{pair}@127.0.0.1:{proxy.port}"
    return host_proxies({"HTTPS_PROXY": url, "http_proxy": url, "NO_PROXY": no_proxy})


def connect(target: str) -> bytes:
    return f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode()


async def test_tunnels_and_plain_requests_go_through_it(tmp_path: Path) -> None:
    async with corporate() as proxy, running_lab(tmp_path, make_policy("full"), proxies=through(proxy)) as lab:
        hello = client_hello("allowed.test")
        assert b"REACHED 127.0.1.10" in await lab.ask(connect(f"allowed.test:{lab.port}"), hello)
        answer = await lab.ask(b"GET http://allowed.test/a?b HTTP/1.1\r\nHost: allowed.test\r\nX: 1\r\n\r\n")
        assert b"GET http://allowed.test/a?b HTTP/1.1\r\nHost: allowed.test\r\n" in answer
        assert b"X: 1" in answer
        assert proxy.asked == [f"CONNECT allowed.test:{lab.port}", "GET http://allowed.test/a?b"]
        first, _ = await lab.settled(2)
        assert first.bytes_up == len(hello)
        assert SECRET not in repr(lab.records)


async def test_what_it_is_given_cannot_be_read_back(tmp_path: Path) -> None:
    async with corporate() as proxy, running_lab(tmp_path, make_policy("full"), proxies=through(proxy)) as lab:
        answer = await lab.ask(b"TRACE http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\nMax-Forwards: 0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert SECRET.encode() not in answer
        assert proxy.asked == []


async def test_inspection_works_through_it(tmp_path: Path) -> None:
    async with corporate() as proxy, running_tls_lab(tmp_path, proxies=through(proxy)) as tls:
        tls.lab.gateway.set_policy(make_policy("full", methods=["GET"], inspect=True))
        ask = b"GET / HTTP/1.1\r\nHost: allowed.test\r\nConnection: close\r\n\r\n"
        assert b"REACHED 127.0.1.10" in await tls.ask("allowed.test", ask)
        assert b"roxy-" not in tls.seen[0]
        assert proxy.asked == [f"CONNECT allowed.test:{tls.port}"]


async def test_names_are_the_proxys_but_refused_addresses_stay_refused(tmp_path: Path) -> None:
    async with corporate() as proxy, running_lab(tmp_path, make_policy("full"), proxies=through(proxy)) as lab:
        for host in ("127.0.0.1", "169.254.169.254", "[::1]", "10.9.9.9", "loop.wild.test", "meta.wild.test"):
            assert b"refused address" in await lab.ask(connect(f"{host}:{lab.port}"))
        # One bad address is enough: the proxy could take it.
        assert b"refused address (loopback)" in await lab.ask(connect(f"mixed.wild.test:{lab.port}"))
        for host in ("intranet", "metadata.google.internal", "printer.local", "x.localhost"):
            assert b"local name" in await lab.ask(connect(f"{host}:{lab.port}"))
        assert proxy.asked == []


async def test_a_name_only_the_proxy_knows(tmp_path: Path) -> None:
    async with corporate() as proxy, running_lab(tmp_path, make_policy("full"), proxies=through(proxy)) as lab:
        assert b"REACHED" in await lab.ask(connect(f"only.example:{lab.port}"), client_hello("only.example"))


async def test_what_the_proxy_says_no_to(tmp_path: Path) -> None:
    async with corporate() as proxy:  # noqa: SIM117
        async with running_lab(tmp_path, make_policy("full"), proxies=through(proxy, pair="a:b")) as lab:
            answer = await lab.ask(connect("allowed.test:443"))
            assert answer.startswith(b"HTTP/1.1 502")
            assert b"the proxy of this host answered 407" in answer
    gone = Proxies(tunnels=Proxy("127.0.0.1", proxy.port))
    (tmp_path / "gone").mkdir()
    async with running_lab(tmp_path / "gone", make_policy("full"), proxies=gone) as lab:
        assert b"connection refused" in await lab.ask(connect("allowed.test:443"))


async def test_hosts_it_is_not_for(tmp_path: Path) -> None:
    async with (
        corporate() as proxy,
        running_lab(tmp_path, make_policy("full"), proxies=through(proxy, "foo, .test")) as lab,
    ):
        hello = client_hello("allowed.test")
        assert b"REACHED" in await lab.ask(connect(f"allowed.test:{lab.port}"), hello)
        assert proxy.asked == []


@pytest.mark.parametrize(
    ("entry", "host", "direct"),
    [
        ("*", "x.org", True),
        ("x.org", "x.org", True),
        ("x.org", "a.x.org", True),
        ("x.org", "ax.org", False),
        (".x.org", "a.x.org", True),
        ("*.x.org", "a.x.org", True),
        ("x.org:443", "x.org", True),
        ("x.org:80", "x.org", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("2001:db8::/32", "2001:db8::1", True),
        ("[2001:db8::1]", "2001:db8::1", True),
        ("8.8.8.8", "8.8.8.8", True),
        ("/", "x.org", False),
    ],
)
def test_no_proxy(entry: str, host: str, direct: bool) -> None:
    proxies = host_proxies({"https_proxy": "proxy.corp:3128", "no_proxy": f" {entry},"})
    assert (proxies.for_tunnel(host, 443) is None) == direct
    assert proxies.for_plain(host, 80) is None


def test_which_variables_count() -> None:
    assert host_proxies({}) == Proxies()
    both = host_proxies({"https_proxy": "http://a.corp", "HTTPS_PROXY": "http://b.corp", "HTTP_PROXY": "http://c:8"})
    assert both == Proxies(Proxy("a.corp", 80), Proxy("c", 8))
    assert "pw" not in repr(host_proxies({"https_proxy": "http://u:pw@a.corp"}))


@pytest.mark.parametrize("url", ["socks5://a.corp:1", "https://u:secret@a.corp", "http://", "http://a.corp:x", "a b"])
def test_proxies_that_cannot_be_used_are_an_error_without_their_password(url: str) -> None:
    with pytest.raises(NetworkError, match="HTTPS_PROXY") as caught:
        host_proxies({"https_proxy": url})
    assert "secret" not in str(caught.value)
