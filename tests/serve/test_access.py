"""Who may use a served workbench (SPEC W10): token, cookie, address and origin, asked of the real server."""

from __future__ import annotations

import asyncio
import builtins
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from engine.errors import UsageError
from tests.serve.served import Served, runs
from tui.cli import main
from tui.serve import access
from tui.serve.session import cells


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for the tests that end none."""
    home = tmp_path_factory.mktemp("served")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("STATE", "CACHE", "CONFIG", "DATA"):
            patch.setenv(f"XDG_{name}_HOME", str(home / name))
        with Served(home) as server:
            yield server


class Visitor:
    """A browser with the cookie of a server."""

    def __init__(self, session: aiohttp.ClientSession, served: Served, folder: str, cookie: str) -> None:
        self.session, self.address, self.folder, self.cookie = session, served.address, folder, cookie

    async def status(self, path: str = "", **headers: str) -> int:
        """What the server says to a request below its folder."""
        own = {"Cookie": self.cookie} | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.get(f"http://{self.address}{self.folder}{path}", headers=own) as response:
            return response.status

    async def socket(self, **headers: str) -> int:
        """What the server says to a websocket: 101 when it is opened, which is then closed."""
        own = {"Cookie": self.cookie, "Origin": f"http://{self.address}"} | headers
        own = {name: value for name, value in own.items() if value}
        try:
            opened = await self.session.ws_connect(f"http://{self.address}{self.folder}ws", headers=own)
        except aiohttp.WSServerHandshakeError as error:
            return error.status
        await opened.close()
        return 101


async def enter(session: aiohttp.ClientSession, link: str) -> tuple[int, Mapping[str, str]]:
    """Open a link without following."""
    async with session.get(link, allow_redirects=False) as response:
        return response.status, response.headers


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that keeps no cookies by itself."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as opened:
        yield opened


async def test_a_link_counts_once_and_nothing_goes_without_its_cookie(
    session: aiohttp.ClientSession, served: Served
) -> None:
    address = served.address
    assert urlsplit(served.link).hostname == "127.0.0.1"
    assert (await enter(session, f"http://{address}/"))[0] == 403
    assert (await enter(session, f"http://{address}/?token="))[0] == 403
    assert (await enter(session, served.link + "x"))[0] == 403
    async with session.head(served.link) as response:
        assert response.status == 405, "a look at the link does not use it up"
    async with session.get(served.link, headers={"Host": "rebound.example"}, allow_redirects=False) as response:
        assert response.status == 403, "nor does somebody else's name for this machine"

    status, headers = await enter(session, served.link)
    assert status == 303
    folder, cookie = headers["Location"], headers["Set-Cookie"]
    assert folder.startswith("/")
    assert folder.endswith("/")
    assert len(folder) > 16
    assert {part.strip() for part in cookie.split(";")[1:]} == {"HttpOnly", "SameSite=Strict", f"Path={folder}"}
    assert (await enter(session, served.link))[0] == 403

    visitor = Visitor(session, served, folder, cookie.split(";")[0])
    for path in ("", "static/js/textual.js", "static/css/xterm.css", "static/fonts/RobotoMono-VariableFont_wght.ttf"):
        assert await visitor.status(path) == 200
        assert await visitor.status(path, Cookie="fumehood=x") == 403
        assert await visitor.status(path, Cookie="") == 403
    assert await visitor.status("nothing") == 404
    assert await visitor.status("static/../../../../../etc/passwd") in (403, 404)
    assert await visitor.status("static/") in (403, 404), "no listing"
    assert (await enter(session, f"http://{address}/static/js/textual.js"))[0] == 403

    for host in ("rebound.example", f"rebound.example:{urlsplit(served.link).port}", "127.0.0.1.example", "10.0.0.1"):
        assert await visitor.status(Host=host) in (400, 403), host
        assert await visitor.socket(Host=host) in (400, 403), host
    for host in ("localhost", "localhost:9000", "[::1]:9000"):
        assert await visitor.status(Host=host) == 200, "an ssh tunnel may end at another port"
        assert await visitor.socket(Host=host, Origin=f"http://{host}") == 101
    for origin in ("http://rebound.example", "null", "http://127.0.0.1:1", f"https://{address}", "http://localhost"):
        assert await visitor.status(Origin=origin) == 403, origin
        assert await visitor.socket(Origin=origin) == 403, origin
    assert await visitor.socket(Origin="") == 403
    assert await visitor.socket(Cookie="") == 403
    assert await visitor.socket(Cookie="fumehood=x") == 403

    async with session.get(f"http://{address}{folder}", headers={"Cookie": visitor.cookie}) as response:
        page = await response.text()
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert response.headers["Referrer-Policy"] == "no-referrer"
    assert page.count("://") == 1, "the socket's address, and no other"
    assert f"ws://{address}{folder}ws" in page


async def test_ctrl_c_leaves_nothing_behind(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    """A page is open, and has asked for more than it reads."""
    with Served(tmp_path) as served:
        status, headers = await enter(session, served.link)
        assert status == 303
        own = {"Cookie": headers["Set-Cookie"].split(";")[0], "Origin": f"http://{served.address}"}
        url = f"http://{served.address}{headers['Location']}ws?width=100&height=30"
        page = await session.ws_connect(url, headers=own)
        seen = b""
        while b"fumehood" not in seen:
            seen += await page.receive_bytes()
        inside = served.workbenches()
        assert len(inside) == 1
        assert await asyncio.to_thread(served.end) == 0
        assert not runs(inside[0])
        assert served.told.count("\n") == 1, "what it says at the start"


async def test_a_server_that_is_killed_takes_its_workbenches_along(
    session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    with Served(tmp_path) as served:
        _, headers = await enter(session, served.link)
        own = {"Cookie": headers["Set-Cookie"].split(";")[0], "Origin": f"http://{served.address}"}
        page = await session.ws_connect(f"http://{served.address}{headers['Location']}ws", headers=own)
        await page.receive_bytes()
        inside = served.workbenches()
        await asyncio.to_thread(served.end, signal.SIGKILL)
        for _ in range(200):
            if not any(runs(pid) for pid in inside):
                break
            await asyncio.sleep(0.05)
        assert inside
        assert not any(runs(pid) for pid in inside)


def test_a_port_that_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 1
    told = capsys.readouterr().err
    assert "cannot serve on 127.0.0.1" in told
    assert "--port 0" in told


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> ModuleType:
        if name.split(".")[0] == "aiohttp":
            raise ModuleNotFoundError(f"No module named {name!r}", name="aiohttp")
        return real(name, *rest, **named)

    for name in [name for name in sys.modules if name.split(".")[0] == "aiohttp" or name.startswith("tui.serve.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    assert main(["serve"]) == 1
    assert 'pip install "fumehood[serve]"' in capsys.readouterr().err


def test_addresses() -> None:
    assert access.address("127.0.0.1") == "127.0.0.1"
    assert access.address("::1") == "::1"
    assert access.link("::1", 80, "t") == "http://[::1]:80/?token=t"
    for wrong in ("0.0.0.0", "::", "localhost", "", "127.1", "224.0.0.1"):
        with pytest.raises(UsageError):
            access.address(wrong)


def test_a_new_token_takes_the_place_of_the_old() -> None:
    guard = access.Access()
    old, new = guard.new_token(), guard.new_token()
    assert guard.exchange("") is None
    assert guard.exchange(old) is None
    assert guard.exchange(new)
    assert guard.exchange(new) is None
    assert guard.exchange("") is None


def test_other_addresses_are_refused_unless_served() -> None:
    headers = {"Host": "192.0.2.7:8800", "Origin": "http://192.0.2.7:8800"}
    assert access.Access().foreign(headers)
    assert access.Access("192.0.2.7").foreign(headers) is None
    assert access.Access("192.0.2.7").foreign(headers | {"Host": "192.0.2.8:8800"})


def test_sizes_of_pages() -> None:
    assert cells("132", 80) == 132
    assert cells("", 80) == cells("-1", 80) == cells("1e3", 80) == cells("9" * 99, 80) == cells("²", 80) == 80
    assert cells("99999", 80) == 1000
    assert cells("0", 80) == 1
