"""Pictures of the editor, the forms and the cache pane that must not change by accident."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.keeper.clients import keeper_dir
from engine.state import private_dir
from engine.tasks import events as ev
from engine.tasks import journal
from tests.screens import recorded
from tests.screens.test_bench import until
from tests.screens.test_care import Keeper
from tests.screens.test_editor import opened, put
from tui.app import Workbench
from tui.present import words

Compare = Callable[..., bool]
App = Callable[..., Workbench]
pytestmark = pytest.mark.usefixtures("still_clock")
SIZES = {"narrow": (80, 24), "wide": (200, 50)}


async def editing(pilot: Pilot[int]) -> None:
    """A completion over a text with a problem."""
    area = await opened(pilot)
    pilot.app.theme = "dark"
    put(area, 'default_branch = "main"', 'default_brunch = "main"')
    await until(pilot, "1 problem")
    area.move_cursor(area.document.end)
    await pilot.press(*"[net", "enter", "enter", *"a")
    await until(pilot, "Internet of the agent")
    await pilot.pause(0.5)


async def saving(pilot: Pilot[int]) -> None:
    """What saving does."""
    area = await opened(pilot)
    pilot.app.theme = "dark"
    put(area, "python3 -m venv .venv\n", "python3 -m venv .venv\nmake\n")
    await until(pilot, "setup script changed (1 line)")


def form(*keys: str, said: str) -> Callable[[Pilot[int]], Any]:
    """A page of the forms."""

    async def before(pilot: Pilot[int]) -> None:
        await until(pilot, "web")
        pilot.app.theme = "dark"
        await pilot.press("2")
        await until(pilot, "repository")
        await pilot.press("s", *keys)
        await until(pilot, said)

    return before


def cache(*keys: str, said: str) -> Callable[[Pilot[int]], Any]:
    """The cache pane."""

    async def before(pilot: Pilot[int]) -> None:
        await until(pilot, "web")
        pilot.app.theme = "dark"
        await pilot.press("3")
        await until(pilot, said)
        await pilot.press(*keys)
        await pilot.pause(0.5)

    return before


@pytest.fixture
def refreshing(project: Path, still_clock: None) -> Any:
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
    yield keeper
    keeper.lock.release()


@pytest.mark.parametrize("size", SIZES)
def test_editor(snap_compare: Compare, app: App, size: str) -> None:
    assert snap_compare(app(), terminal_size=SIZES[size], run_before=editing)


def test_editor_before_saving(snap_compare: Compare, app: App) -> None:
    assert snap_compare(app(), terminal_size=SIZES["narrow"], run_before=saving)


@pytest.mark.parametrize("size", SIZES)
def test_form(snap_compare: Compare, app: App, size: str) -> None:
    assert snap_compare(app(), terminal_size=SIZES[size], run_before=form("tab", "enter", said="‹ limited ›"))


@pytest.mark.usefixtures("refreshing")
@pytest.mark.parametrize("size", SIZES)
def test_cache_while_it_is_refreshed(snap_compare: Compare, app: App, size: str) -> None:
    recorded.finished()
    assert snap_compare(app(), terminal_size=SIZES[size], run_before=cache(said="maintenance 0:11"))


def test_cache_explained(snap_compare: Compare, app: App) -> None:
    assert snap_compare(app(), terminal_size=SIZES["wide"], run_before=cache("e", said="7h48m left"))
