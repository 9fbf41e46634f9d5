"""What is done with tasks by keys: find, repeat, stop, compare, pick, remove, bring back; the palette and the keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual import events

from engine.state import config_dir, private_dir, tasks_dir
from tests.screens import recorded
from tests.screens.conftest import RecordedBench
from tests.screens.test_bench import NARROW, WIDE, screen_of, text_of, until, until_gone
from tui.app import Workbench

App = Callable[..., Workbench]
pytestmark = pytest.mark.usefixtures("still_clock")


async def test_the_list_is_filtered(app: App) -> None:
    recorded.everything()
    recorded.attempts("eeee77")
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "bump httpx")
        await pilot.press("slash", *"fail")
        await until(pilot, "2 of 5 with “fail”")
        shown = text_of(pilot)
        assert "✗ migrate settings" in shown
        assert "✓ leave empty parts" not in shown
        await pilot.press("enter", "escape")
        await until(pilot, "✓ leave empty parts")
        await pilot.press("slash", *"zork")
        await until(pilot, "No task has “zork”.")
        await pilot.press("escape")
        await until(pilot, "● bump httpx")


async def test_retry_asks_for_the_same(app: App, bench: RecordedBench, project: Path) -> None:
    recorded.attempts(path=str(project / "fumehood.toml"))
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "4 Log ─ leave empty parts")
        await until(pilot, "2 Environment ─ web")
        await pilot.press("1", "r")
        await until(pilot, "rg -n proxies= src")
        assert bench.calls == [("start", "web", "leave empty parts out of join", "main", "replay", 3)]


async def test_retry_without_the_environment_says_so(app: App, bench: RecordedBench) -> None:
    recorded.finished(path="/elsewhere/fumehood.toml")
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "4 files +10 −2")
        await pilot.press("1", "r")
        await until(pilot, "is not within reach")
        assert bench.calls == []


async def test_a_removed_task_is_brought_back(app: App) -> None:
    recorded.finished("aaaa22")
    recorded.attempts("dddd55")
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "4 Log ─ leave empty parts")
        await pilot.press("1", "D")
        await until(pilot, "u brings it back")
        await until(pilot, "4 Log ─ fix the failing test")
        assert [path.name for path in tasks_dir().iterdir()] == ["aaaa22"]
        await pilot.press("u")
        await until(pilot, "4 Log ─ leave empty parts")
        assert (tasks_dir() / "dddd55").is_dir()
        await pilot.press("u")
        await until(pilot, "nothing to take back")


async def test_a_task_that_works_is_not_removed(app: App) -> None:
    recorded.running()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "rg -n proxies= src")
        await pilot.press("1", "D")
        await until(pilot, "this task still works")
        assert "D remove" not in text_of(pilot)


async def test_the_key_is_about_the_task_at_the_cursor(app: App, bench: RecordedBench) -> None:
    recorded.running("bbbb33")
    recorded.finished("aaaa22")
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "rg -n proxies= src")
        await pilot.press("1", "j", "x")
        await until(pilot, "This task does not run.")
        await pilot.press("k", "x", "y")
        await until(pilot, "Stopping …")
        assert bench.calls == [("cancel", "bbbb33")]


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_attempts_are_compared_and_one_is_picked(app: App, size: tuple[int, int]) -> None:
    recorded.attempts("dddd55")
    async with app().run_test(size=size, notifications=True) as pilot:
        await until(pilot, "leave empty parts")
        await until(pilot, "×3")
        await pilot.press("V")
        shown = await until(pilot, "Attempts · leave empty parts")
        assert "✗ 0 of 1" in shown
        await pilot.press("j")
        await until(pilot, "All tests pass.")
        await pilot.press("j")
        await until(pilot, "the model refused")
        await pilot.press("k", "p")
        await until(pilot, "Attempt 2 is meant from now on.")
        await pilot.press("5")
        await until(pilot, "two")
        await until(pilot, "attempt 2/3" if size == WIDE else "+ two")
        await pilot.press("1")
        await until(pilot, "×3 +3 −1")


async def test_comments_deleted_come_back(app: App) -> None:
    recorded.finished()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "4 files +10 −2")
        await pilot.press("5", "right_square_bracket", "j", "c", *"why so", "ctrl+s")
        await until(pilot, "why so")
        await pilot.press("j", "d")
        await until(pilot, "Comment deleted")
        await until_gone(pilot, "why so")
        await pilot.press("u")
        await until(pilot, "why so")


# Finding


async def test_the_palette_finds_everything(app: App) -> None:
    recorded.everything()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "bump httpx")
        await pilot.press("colon", *"give pane")
        await until(pilot, "Give this pane the whole screen")
        await pilot.press("enter")
        await until_gone(pilot, "4 Log ─")
        assert screen_of(pilot).has_class("zoomed")
        await pilot.press("escape", "ctrl+p", *"migr sett", "enter")
        await until(pilot, "4 Log ─ migrate settings")
        await pilot.press("ctrl+o", *"web", "enter")
        await until(pilot, "2 Environment ─ web")
        assert screen_of(pilot).current == "environment"


async def test_what_does_not_work_is_not_in_the_palette(app: App) -> None:
    recorded.finished()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "4 files +10 −2")
        await pilot.press("colon", *"stop this")
        await until(pilot, "nothing fits")
        await pilot.press("enter", "escape")
        await until_gone(pilot, "Palette")


async def test_colours_are_seen_while_moving_over_them(app: App) -> None:
    recorded.finished()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "4 files +10 −2")
        before = pilot.app.theme
        await pilot.press("T")
        await until(pilot, "Theme: Dark")
        await pilot.press(*["up"] * 6)
        seen = {pilot.app.theme}
        for _ in range(5):
            await pilot.press("down")
            await pilot.pause()
            seen.add(pilot.app.theme)
        assert seen == {"dark", "light", "high-contrast", "colour-blind", "ansi16", "ember"}
        await pilot.press("escape")
        await pilot.pause()
        assert pilot.app.theme == before
        await pilot.press("T", *"high", "enter")
        await until(pilot, 'theme = "high-contrast" in config.toml')
        assert pilot.app.theme == "high-contrast"


async def test_a_theme_that_is_saved_is_seen(app: App) -> None:
    path = private_dir(config_dir() / "themes") / "mine.toml"
    path.write_text("name = 'mine'\nextends = 'dark'\n[colours]\naccent = '#010203'\n")
    recorded.finished()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "4 files +10 −2")
        pilot.app.theme = "mine"
        path.write_text("name = 'mine'\nextends = 'dark'\n[colours]\naccent = '#040506'\n# longer\n")
        await until(pilot, "Theme mine: read again")
        assert pilot.app.get_css_variables()["accent"] == "#040506"
        path.write_text("name = 'mine'\nextends = 'dark'\n[colours]\naccent = 'blurple'\n# longer still\n")
        await until(pilot, "blurple")
        assert pilot.app.get_css_variables()["accent"] == "#040506"


# Keys


async def test_the_users_keys(app: App, bench: RecordedBench) -> None:
    private_dir(config_dir()).joinpath("config.toml").write_text(
        '[keys]\ncancel_task = "f8"\nfilter_tasks = ["f", "/"]\nlist_down = ["e", "down"]\nzork = "a"\n'
    )
    recorded.running("bbbb33")
    recorded.finished("aaaa22")
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "there is no such action")
        await until(pilot, "f8 cancel")
        await pilot.press("1", "x")
        await pilot.pause()
        assert "Stop “bump" not in text_of(pilot)
        await pilot.press("f8")
        await until(pilot, "Stop “bump")
        await pilot.press("n", "f", *"FIX", "enter")
        await until(pilot, "1 of 2 with “FIX”")
        await pilot.press("question_mark")
        shown = await until(pilot, "esc closes")
        assert "f /" in shown
        await pilot.press("escape", "escape", "e")
        await until(pilot, "4 Log ─ fix the failing test")


async def test_two_keys_change_places(app: App, bench: RecordedBench) -> None:
    private_dir(config_dir()).joinpath("config.toml").write_text('[keys]\ncancel_task = "a"\napply = "x"\n')
    recorded.running("bbbb33")
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "rg -n proxies= src")
        await until(pilot, "2 Environment ─ web")
        await pilot.press("a")
        await until(pilot, "Stop “bump")
        await pilot.press("escape", "x")
        await until(pilot, "no result to apply")


# Writing prompts


async def test_earlier_prompts(app: App, bench: RecordedBench) -> None:
    recorded.everything()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "2 Environment ─ web")
        await pilot.press("n", *"mine", "up")
        await until(pilot, "bump httpx to 0.28 and adapt the client")
        await pilot.press("up")
        await until(pilot, "It fails since parts may be empty.")
        # Now on the last of several lines: up goes through them first.
        await pilot.press("down", "down")
        await until(pilot, "mine")
        await pilot.press("up", "ctrl+s")
        await until(pilot, "rg -n proxies= src")
        assert bench.calls[-1][2] == "bump httpx to 0.28 and adapt the client"


async def test_the_form_says_what_an_agent_lacks(app: App) -> None:
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "2 Environment ─ web")
        await pilot.press("n", "tab", "tab", *"codex")
        await until(pilot, "not installed")
        await pilot.press("enter")
        await until(pilot, "‹ codex ›  cannot start: not installed")


async def test_an_editor_that_does_not_start_loses_nothing(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "/nonexistent/editor")
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "2 Environment ─ web")
        await pilot.press("n", *"mine", "ctrl+e")
        await until(pilot, "there is no terminal for the editor")
        assert "mine" in text_of(pilot)


# Being told


async def test_the_end_of_a_task_is_told_to_who_does_not_look(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("TMUX", "STY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    recorded.finished("aaaa22")
    runs = recorded.running("bbbb33")
    async with app("aaaa").run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "4 files +10 −2")
        written: list[str] = []
        assert pilot.app._driver is not None
        monkeypatch.setattr(pilot.app._driver, "write", written.append)
        pilot.app.post_message(events.AppBlur())
        await pilot.pause()
        runs.end("ready", 40)
        await until(pilot, "✓ ready: bump httpx")
        assert written == ["\x1b]9;fumehood: ✓ ready: bump httpx to 0.28 and adapt the client\x07\x07"]


async def test_who_looks_is_not_rung_for(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded.finished("aaaa22")
    runs = recorded.running("bbbb33")
    async with app("aaaa").run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "4 files +10 −2")
        written: list[str] = []
        assert pilot.app._driver is not None
        monkeypatch.setattr(pilot.app._driver, "write", written.append)
        runs.end("error", 40, "the agent failed")
        await until(pilot, "✗ error: bump httpx")
        assert written == []
