"""The workbench in a real browser: it opens, shows tasks, takes clicks and keys, and asks no other host for anything."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from engine.environment.load import load
from engine.environment.trust import trust
from tests.screens import recorded
from tests.serve.browser import Page, browser, program
from tests.serve.served import Served, runs

pytestmark = [
    pytest.mark.skipif(program() is None, reason="needs chromium (scripts/prepare test installs it, as root on Debian)")
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with recorded tasks."""
    folder = tmp_path / "web"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / "fumehood.toml").write_text(recorded.ENVIRONMENT)
    (folder / "replay.json").write_text('[{"final": "ok"}]')
    trust(load(folder / "fumehood.toml"))
    recorded.finished(path=str(folder / "fumehood.toml"))
    return folder


async def colours(page: Page, png: bytes) -> list[int]:
    """How many colours a picture has, and how many pixels are not of the most frequent one; counted by the browser."""
    picture = base64.b64encode(png).decode()
    counted: list[int] = await page.evaluate(
        f"""(async () => {{
          const bytes = Uint8Array.from(atob("{picture}"), (c) => c.charCodeAt(0));
          const bitmap = await createImageBitmap(new Blob([bytes]));
          const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
          canvas.drawImage(bitmap, 0, 0);
          const pixels = new Uint32Array(canvas.getImageData(0, 0, bitmap.width, bitmap.height).data.buffer);
          const counts = new Map();
          for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
          return [counts.size, pixels.length - Math.max(...counts.values())];
        }})()"""
    )
    return counted


async def test_open_click_and_leave(project: Path, tmp_path: Path) -> None:
    with Served(project) as served:
        async with browser(tmp_path / "profile") as open_page:
            page = await open_page(served.link)
            await page.until_said("fix the failing test")
            await page.until_said("quit")
            assert "token" not in await page.evaluate("location.href")
            assert await page.evaluate("document.cookie") == ""

            await page.until_said("src/urls.py")
            await page.click("7 Time")
            await page.until_said("slowest")
            await page.press("5")
            await page.until_said("M src/urls.py")
            blank = await open_page("about:blank")
            await page.ask("Page.bringToFront")
            many, drawn = await colours(blank, await page.picture())
            assert many > 50, "text has many shades"
            assert drawn > 10_000, "most of a diff is not background"
            assert {urlsplit(url).netloc for url in page.requested if not url.startswith("data:")} == {served.address}

            # The link has been used up: whoever finds it later gets nothing.
            again = await open_page(served.link)
            await again.until(lambda: _says(again, "Not allowed"), "refused")

            await page.press("q")
            await page.until(lambda: page.socket_closed, "the workbench has ended")
            await page.until(lambda: _says(page, "This workbench has ended"), "the page says so")
            assert served.workbenches() == []

            await page.ask("Page.reload")
            await page.until(lambda: not page.socket_closed or bool(served.workbenches()), "another one")
            await page.until(lambda: bool(served.workbenches()), "another workbench")
            inside = served.workbenches()
            assert await asyncio.to_thread(served.end) == 0
            assert not any(runs(pid) for pid in inside)
            assert "Traceback" not in served.told


async def _says(page: Page, said: str) -> bool:
    return said in (await page.evaluate("document.body ? document.body.innerText : ''"))
