"""Every pane and dialog at two sizes in three themes, as it was when somebody looked (`--update-pictures` keeps new ones)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from engine.keeper.clients import keeper_dir
from engine.state import private_dir
from engine.tasks import events as ev
from engine.tasks import journal
from tests.screens import album, recorded, tour
from tests.screens.conftest import RecordedBench
from tests.screens.test_bench import until
from tests.screens.test_care import Keeper
from tests.screens.test_diff import PATCH
from tui.app import Workbench
from tui.present import words

SIZES = {"narrow": (80, 24), "wide": (200, 50)}
THEMES = ("dark", "light", "ansi16")
pytestmark = pytest.mark.usefixtures("still_clock")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder whose path is as long on every machine, so that lines with it break at the same place."""
    with TemporaryDirectory(prefix="picture-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    """Whether the pictures are to be kept as they are now."""
    return bool(request.config.getoption("--update-pictures"))


async def settled(pilot: Pilot[int]) -> list[list[Any]]:
    """The screen once nothing on it changes any more."""
    for typed in pilot.app.screen.query(Input):
        typed.cursor_blink = False
    for area in pilot.app.screen.query(TextArea):
        area.cursor_blink = False
    before: list[list[Any]] = []
    alike = 0
    while alike < 2:
        await pilot.pause(0.1)
        now = album.screen(pilot.app)
        alike = alike + 1 if now == before else 0
        before = now
    return before


# Seconds of work, and minutes of the clock where a machine has other things to do.
@pytest.mark.timeout(400)
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
async def test_the_whole_walk(
    bench: RecordedBench, project: Path, tmp_path: Path, size: str, theme: str, update: bool
) -> None:
    """What stands on the screen is kept once for themes in which dialogs let the screen below be seen."""
    tour.tasks(str(project / "fumehood.toml"))
    bench.publishing = tour.Planning(bench.cwd, bench.environments, bench.tasks)
    made = album.Album(tmp_path.name)
    async with Workbench(bench, "aaaa22").run_test(size=SIZES[size], notifications=True) as pilot:
        pilot.app.theme = theme
        await until(pilot, "5 shows the diff")
        await until(pilot, "7h48m left" if size == "wide" else "1 Tasks")
        for stop in tour.STOPS:
            await pilot.press(*stop.keys)
            await until(pilot, stop.said)
            if stop.wide or size == "narrow":
                made.add(stop.name, await settled(pilot))
            await pilot.press(*stop.back)
    album.check(f"{size}-{theme}", made.looks(), update=update)
    texts = f"{size}-plain" if theme == "ansi16" else size
    album.check(texts, made.texts(), update=update and theme != "light")


@pytest.fixture
def taken(bench: RecordedBench, tmp_path: Path, update: bool) -> Callable[..., Any]:
    """Takes pictures of one screen at both sizes in all themes, in one run."""

    async def take(name: str, said: str, *keys: str) -> None:
        made = album.Album(tmp_path.name)
        async with Workbench(bench).run_test(size=SIZES["wide"], notifications=True) as pilot:
            await until(pilot, "fumehood")
            await pilot.press(*keys)
            for size, cells in reversed(SIZES.items()):
                await pilot.resize_terminal(*cells)
                # What a pane says anew for its new width, it says with its next look at the time.
                await pilot.pause(1.0)
                for theme in THEMES:
                    pilot.app.theme = theme
                    await until(pilot, said)
                    made.add(f"{name} {size} {theme}", await settled(pilot))
        album.check(name, made.texts(), update=update)
        album.check(f"{name}-looks", made.looks(), update=update)

    return take


async def test_first_start(taken: Callable[..., Any], project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("fumehood.toml", "replay.json"):
        (project / name).unlink()
    (project / "requirements.txt").write_text("httpx\n")
    for variable in ("PATH", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "CODEX_HOME"):
        monkeypatch.setenv(variable, "")
    await taken("first-start", "First start in web")


async def test_nothing_yet(taken: Callable[..., Any]) -> None:
    await taken("nothing-yet", "No tasks yet", "1")


async def test_consent(taken: Callable[..., Any], project: Path) -> None:
    (project / "fumehood.toml").write_text(recorded.ENVIRONMENT.replace("python3 -m venv", "make; python3 -m venv"))
    await taken("consent", "Run this file?", "n", *"fix it", "ctrl+s")


async def test_a_diff_of_everything(taken: Callable[..., Any]) -> None:
    recorded.finished().patch(PATCH)
    await taken("diff", "src/app/main.py", "5", "right_curly_bracket", "right_curly_bracket", *"jjjj")


@asynccontextmanager
async def refreshing(project: Path) -> AsyncIterator[None]:
    """A refresh that runs at the still clock."""
    keeper = Keeper(project / "fumehood.toml")
    job = private_dir(keeper_dir() / "jobs" / "j1")
    now = words.now()
    lines = [
        (keeper_dir(), ev.Kept(environment="web", environment_path=str(project / "fumehood.toml"), action="refresh",
                               status="started", reason="pyproject.toml changed", job="j1", seq=1, ts=now - 12)),
        (job, ev.PhaseStarted(phase="maintenance", seq=1, ts=now - 11)),
    ]  # fmt: skip
    for folder, event in lines:
        with (folder / journal.JOURNAL).open("ab") as file:
            file.write(journal.encode(event) + b"\n")
    try:
        yield
    finally:
        keeper.lock.release()


async def test_the_cache_while_it_is_refreshed(taken: Callable[..., Any], project: Path) -> None:
    async with refreshing(project):
        await taken("refreshing", "maintenance 0:11", "3")
