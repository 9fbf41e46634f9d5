"""Pictures of the main screen that must not change by accident (`pytest --snapshot-update` takes new ones)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.screens import recorded
from tests.screens.test_bench import until
from tests.screens.test_diff import PATCH
from tui.app import Workbench

Compare = Callable[..., bool]
App = Callable[..., Workbench]
pytestmark = pytest.mark.usefixtures("still_clock")


def keys(*pressed: str, theme: str = "", said: str = "4 files") -> Callable[[Pilot[int]], Any]:
    """Wait until all is there, then press keys."""

    async def before(pilot: Pilot[int]) -> None:
        await until(pilot, "fix the failing test")
        await until(pilot, said)
        if theme:
            pilot.app.theme = theme
        await pilot.press(*pressed)
        await pilot.pause(0.3)

    return before


def test_wide(snap_compare: Compare, app: App) -> None:
    recorded.everything()
    assert snap_compare(app("aaaa22"), terminal_size=(200, 50), run_before=keys("4", "k", "k", said="7h48m"))


def test_wide_running_in_light(snap_compare: Compare, app: App) -> None:
    recorded.everything()
    assert snap_compare(app(), terminal_size=(200, 50), run_before=keys(theme="light", said="7h48m"))


def test_narrow_log(snap_compare: Compare, app: App) -> None:
    recorded.everything()
    assert snap_compare(app("aaaa22"), terminal_size=(80, 24), run_before=keys("4", said="ready"))


def test_narrow_diff_in_sixteen_colours(snap_compare: Compare, app: App) -> None:
    recorded.finished()
    before = keys("5", "right_square_bracket", theme="ansi16", said="+10 −2")
    assert snap_compare(app(), terminal_size=(80, 24), run_before=before)


def test_side_by_side_with_a_comment(snap_compare: Compare, app: App) -> None:
    recorded.finished().patch(PATCH)
    pressed = ("5", "plus", "right_curly_bracket", "right_curly_bracket", *"jjjjjj", "c", *"why four?", "ctrl+s")
    before = keys(*pressed, "right_square_bracket", theme="dark", said="5 files")
    assert snap_compare(app(), terminal_size=(160, 45), run_before=before)


def test_narrow_tree(snap_compare: Compare, app: App) -> None:
    recorded.finished().patch(PATCH)
    assert snap_compare(app(), terminal_size=(80, 24), run_before=keys("5", "t", "j", theme="light", said="+10 −2"))


def test_palette_in_sixteen_colours(snap_compare: Compare, app: App) -> None:
    recorded.everything()
    before = keys("colon", *"fil", theme="ansi16", said="ready")
    assert snap_compare(app("aaaa22"), terminal_size=(80, 24), run_before=before)


def test_attempts(snap_compare: Compare, app: App) -> None:
    recorded.finished()
    recorded.attempts("eeee77")
    assert snap_compare(app(), terminal_size=(200, 50), run_before=keys("V", "j", said="7h48m"))


def test_narrow_attempts_in_light(snap_compare: Compare, app: App) -> None:
    recorded.finished()
    recorded.attempts("eeee77")
    assert snap_compare(app(), terminal_size=(80, 24), run_before=keys("V", "j", theme="light", said="×3"))


def test_new_task(snap_compare: Compare, app: App) -> None:
    recorded.finished()
    assert snap_compare(app(), terminal_size=(120, 40), run_before=keys("n", *"fix it", said="7h48m"))
