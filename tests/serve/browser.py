"""Chromium without a screen, driven over its debugging socket."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pyte

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--no-proxy-server",
    "--remote-debugging-port=0", "--window-size=1280,800",
)  # fmt: skip


def program() -> str | None:
    """Chromium or a relative of it, where one is installed."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


class Page:
    """One page: what it asked the network for, and what its terminal shows."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._last = 0
        self.requested: list[str] = []
        self.socket_closed = False
        self.screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self.screen)

    async def listen(self) -> None:
        """Take in what the browser tells, until it ends."""
        async for message in self._socket:
            told = json.loads(message.data)
            if answer := self._answers.pop(told.get("id", 0), None):
                answer.set_result(told)
            elif told.get("method", "").startswith("Network."):
                self._network(told["method"], told["params"])

    def _network(self, method: str, told: Any) -> None:
        match method:
            case "Network.requestWillBeSent":
                self.requested.append(told["request"]["url"])
            case "Network.webSocketCreated":
                self.requested.append(told["url"])
                size = parse_qs(urlsplit(told["url"]).query)
                self.screen.resize(int(size["height"][0]), int(size["width"][0]))
            case "Network.webSocketFrameReceived" if told["response"]["opcode"] == 2:
                # The emulator does not know questions for the terminal's abilities.
                data = base64.b64decode(told["response"]["payloadData"])
                for asked in (b"\x1b[?2026$p", b"\x1b[>1u", b"\x1b[<u", b"\x1b[?2048$p"):
                    data = data.replace(asked, b"")
                self._stream.feed(data)
            case "Network.webSocketClosed":
                self.socket_closed = True

    async def ask(self, method: str, **parameters: Any) -> Any:
        """Call a method of the debugging protocol."""
        self._last += 1
        answer = self._answers[self._last] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._last, "method": method, "params": parameters})
        told = await asyncio.wait_for(answer, 30)
        assert "error" not in told, told
        return told["result"]

    async def evaluate(self, expression: str) -> Any:
        """The value of some JavaScript."""
        result = await self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    @property
    def text(self) -> str:
        """What the terminal shows."""
        return "\n".join(self.screen.display)

    async def until(self, true: Callable[[], Awaitable[bool] | bool], what: str) -> None:
        """Wait until something holds."""
        for _ in range(600):
            held = true()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"not so after half a minute: {what}\n{self.text}")

    async def until_said(self, said: str) -> None:
        """Wait until the terminal shows a text."""
        await self.until(lambda: said in self.text, said)

    async def click(self, said: str) -> None:
        """Click on the first place where the terminal shows a text."""
        row, line = next((row, line) for row, line in enumerate(self.screen.display) if said in line)
        box = await self.evaluate(
            "(() => { const box = document.querySelector('.xterm-screen').getBoundingClientRect();"
            " return [box.x, box.y, box.width, box.height] })()"
        )
        x = box[0] + (line.index(said) + 0.5) * box[2] / self.screen.columns
        y = box[1] + (row + 0.5) * box[3] / self.screen.lines
        for kind in ("mousePressed", "mouseReleased"):
            await self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def press(self, key: str) -> None:
        """Type a character."""
        await self.ask("Input.dispatchKeyEvent", type="keyDown", text=key, key=key)
        await self.ask("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def picture(self) -> bytes:
        """What is seen, as PNG."""
        return base64.b64decode((await self.ask("Page.captureScreenshot", format="png"))["data"])


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Callable[[str], Awaitable[Page]]]:
    """Chromium with a profile in `folder`; gives what opens an address in a page of its own."""
    name = program()
    assert name is not None
    process = await asyncio.create_subprocess_exec(
        name, *FLAGS, f"--user-data-dir={folder}", "about:blank", stdout=DEVNULL, stderr=DEVNULL, start_new_session=True
    )
    listening: list[asyncio.Task[None]] = []
    try:
        port = await _port(folder, process)
        async with aiohttp.ClientSession() as session:

            async def open_(url: str) -> Page:
                async with session.put(f"http://127.0.0.1:{port}/json/new?about:blank") as response:
                    target = await response.json()
                socket = await session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0)
                page = Page(socket)
                listening.append(asyncio.create_task(page.listen()))
                await page.ask("Network.enable")
                await page.ask("Page.enable")
                if url != "about:blank":
                    await page.ask("Page.navigate", url=url)
                return page

            yield open_
    finally:
        for task in listening:
            task.cancel()
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def _port(folder: Path, process: Process) -> int:
    told = folder / "DevToolsActivePort"
    while not (told.exists() and told.read_text().count("\n")):
        assert process.returncode is None, "Chromium ended"
        await asyncio.sleep(0.02)
    return int(told.read_text().splitlines()[0])
