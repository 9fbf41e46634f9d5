"""The workbench driven by keys, on journals that are written while it looks at them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from engine.environment.load import load
from engine.environment.trust import trusted
from engine.tasks import events as ev
from tests.screens import recorded
from tui.app import Workbench
from tui.output.screenful import Screenful
from tui.panes.pane import Pane
from tui.present import actions, words
from tui.screens.bench import BenchScreen
from tui.widgets.prompt_area import PromptArea

if TYPE_CHECKING:
    from tests.screens.conftest import RecordedBench

WIDE, NARROW = (200, 50), (80, 24)
App = Callable[..., Workbench]


def screen_of(pilot: Pilot[int]) -> BenchScreen:
    """The bench, whatever lies over it."""
    found = pilot.app.screen_stack[0]
    assert isinstance(found, BenchScreen)
    return found


def text_of(pilot: Pilot[int]) -> str:
    """What is on the screen."""
    return "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())


async def until(pilot: Pilot[int], said: str, *, seconds: float = 30) -> str:
    """Wait until the screen says something."""
    for _ in range(int(seconds / 0.05)):
        await pilot.pause(0.05)
        if said in (shown := text_of(pilot)):
            return shown
    raise AssertionError(f"{said!r} did not appear in:\n{text_of(pilot)}")


async def answer(pilot: Pilot[int], key: str, question: str) -> None:
    """Answer a question that came by itself, which takes no key in its first moment."""
    await until(pilot, question)
    while question in text_of(pilot):
        await pilot.press(key)
        await pilot.pause(0.1)


async def until_gone(pilot: Pilot[int], said: str) -> None:
    """Wait until the screen does not say something any more."""
    for _ in range(400):
        if said not in text_of(pilot):
            return
        await pilot.pause(0.05)
    raise AssertionError(f"{said!r} is still in:\n{text_of(pilot)}")


async def test_the_five_panes_and_the_newest_task(app: App) -> None:
    recorded.everything()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "2 Environment ─ web")
        shown = await until(pilot, "rg -n proxies= src")
        for said in ("1 Tasks", "3 Cache", "4 Log ─ bump httpx", "5 Diff", "1 running"):
            assert said in shown
        shown = await until(pilot, "7h48m left")
        assert "1.2 GB · made 4h12m ago" in shown
        assert "2 Environment ─ web" in shown
        assert "NPM_TOKEN (setup only)" in shown


async def test_a_finished_task_shows_answer_and_diff(app: App) -> None:
    recorded.everything()
    async with app("aaaa22").run_test(size=WIDE, notifications=True) as pilot:
        shown = await until(pilot, "4 files +10 −2")
        assert "All 15 tests pass." in shown
        assert "AssertionError: assert '//' == '/'" in shown
        assert "✗ network CONNECT pypi.example:443" in shown
        assert "✓ ready" in shown


async def test_a_dead_task_says_so(app: App) -> None:
    recorded.everything()
    async with app("dddd55").run_test(size=WIDE, notifications=True) as pilot:
        shown = await until(pilot, "interrupted in agent")
        assert "◼ interrupted" in shown
        assert "lost" in shown


async def test_it_shows_what_happens_while_it_happens(app: App) -> None:
    task = recorded.running()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "tests/test_client.py ....")
        task.output("0003", b"tests/test_more.py ..\n", 22)
        await until(pilot, "tests/test_more.py ..")
        task.command_finished("0003", 0, 23, 3.0)
        task.at(24, ev.Message(text="The client works again."))
        shown = await until(pilot, "The client works again.")
        assert "tests/test_more.py" not in shown
        assert "✓ pytest -q" in shown
        task.patch(recorded.PATCH)
        task.end("ready", 25)
        await until(pilot, "4 files +10 −2")
        await until(pilot, "none running")


async def test_scrolling_up_pauses_and_the_end_follows(app: App) -> None:
    task = recorded.running()
    task.output("0003", b"".join(b"line %d\n" % n for n in range(500)), 22)
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "line 499")
        await pilot.press("4", "pageup")
        task.output("0003", b"".join(b"more %d\n" % n for n in range(30)), 23)
        shown = await until(pilot, "paused · +30 new")
        assert "more 29" not in shown
        await pilot.press("G")
        await until(pilot, "more 29")
        task.output("0003", b"the last line\n", 24)
        await until(pilot, "the last line")
        await pilot.press("k")
        await until(pilot, "G to the end")
        await pilot.press("j")
        await until(pilot, "following")


async def test_what_is_read_does_not_fold_when_it_ends(app: App) -> None:
    task = recorded.running()
    task.output("0003", b"".join(b"line %d\n" % n for n in range(200)), 22)
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "line 199")
        await pilot.press("4", "pageup")
        task.command_finished("0003", 0, 23, 3.0)
        await pilot.pause(0.5)
        assert "line 160" in text_of(pilot)


async def test_folding_by_key_and_by_mouse(app: App) -> None:
    recorded.finished()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "AssertionError")
        await pilot.press("4", "g", "left_square_bracket", "right_square_bracket", "enter")
        await until_gone(pilot, "E       AssertionError")
        await pilot.press("space")
        await until(pilot, "AssertionError")
        await pilot.press("o")
        await until_gone(pilot, "E       AssertionError")


async def test_a_long_failed_output_shows_its_end_first(app: App) -> None:
    task = recorded.Recording("aaaa22")
    task.begin("long")
    task.command("make", 1, 5, b"".join(b"step %d\n" % n for n in range(5000)), 2)
    task.end("ready", 9)
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "step 4999")
        await pilot.press("4", "g")
        await until(pilot, "4,950 lines above · enter shows all")
        await pilot.press("j", "j", "enter", "g")
        await until(pilot, "step 0 ")


async def test_filter_shows_only_what_contains_it(app: App) -> None:
    recorded.finished()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "All 15 tests pass.")
        await pilot.press("4", "ampersand", *"assert")
        await until(pilot, 'only "assert" 2 matches')
        await until_gone(pilot, "collected 15 items")
        await until(pilot, "E       AssertionError")
        await pilot.press("enter", "k", "escape", "G")
        await until(pilot, "All 15 tests pass.")


async def test_zoom_and_tabs(app: App) -> None:
    recorded.finished()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "4 files +10 −2")
        await pilot.press("5", "plus")
        await until_gone(pilot, "1 Tasks ─")
        assert "def join(*parts: str)" in text_of(pilot)
        await pilot.press("underscore")
        await until(pilot, "1 Tasks ─")


async def test_one_pane_at_a_time_when_narrow(app: App) -> None:
    recorded.finished()
    async with app().run_test(size=NARROW, notifications=True) as pilot:
        shown = await until(pilot, "fix the failing test")
        assert "2 Env" in shown
        assert "All 15 tests pass." not in shown
        for key, said in (
            ("2", "off after setup"),
            ("3", "7h48m left"),
            ("4", "All 15 tests pass."),
            ("5", "src/urls.py"),
        ):
            await pilot.press(key)
            await until(pilot, said)
        await pilot.press("tab", "tab", "tab")
        await until(pilot, "enter open")
        await pilot.press("enter")
        await until(pilot, "All 15 tests pass.")


async def test_hunks_and_files(app: App) -> None:
    recorded.finished()
    async with app().run_test(size=(200, 40), notifications=True) as pilot:
        await until(pilot, "4 files +10 −2")
        view = screen_of(pilot).query_one("#diff-view")
        await pilot.press("5", "right_square_bracket", "right_square_bracket")
        await until(pilot, "def test_join_spaces")
        row = view.cursor  # type: ignore[attr-defined]
        await pilot.press("left_square_bracket")
        assert view.cursor < row  # type: ignore[attr-defined]
        await pilot.press("left_curly_bracket", "left_curly_bracket")
        await pilot.press("right_curly_bracket")
        await until(pilot, "def join(*parts: str)")


async def test_help_lists_the_registry(app: App) -> None:
    async with app().run_test(size=(120, 160), notifications=True) as pilot:
        await until(pilot, "No tasks yet")
        await pilot.press("question_mark")
        shown = await until(pilot, "esc closes")
        for action in actions.ACTIONS:
            assert action.tooltip in shown
        assert "there is no task" in shown
        await pilot.press("escape")
        await until_gone(pilot, "esc closes")


async def test_the_footer_names_what_works_here(app: App) -> None:
    recorded.finished()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "4 files +10 −2")
        await pilot.press("1")
        shown = await until(pilot, "enter open")
        assert "a apply" in shown
        assert "x cancel" not in shown
        await pilot.press("5")
        await until(pilot, "] next hunk")


async def test_every_action_has_a_method(app: App) -> None:
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        screen = screen_of(pilot)
        for action in actions.ACTIONS:
            pane = "log" if action.group == "list" else actions.PANE_OF.get(action.group, action.group)
            by_screen = action.by_screen or pane == "everywhere"
            target = screen if by_screen else screen.query_one(f"#{pane}", Pane).view_of(action.group)
            assert callable(getattr(target, f"action_{action.id}")), action.id


async def test_new_task(app: App, bench: RecordedBench) -> None:
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "2 Environment ─ web")
        await pilot.press("n", *"fix it", "tab", "tab", "tab", *"dev")
        await until(pilot, "dev/login")
        await pilot.press(*"logt", "enter")
        await until(pilot, "‹ dev/logout ›")
        await pilot.press("escape")
        await until_gone(pilot, "New task")
        assert bench.calls == [("branches", "web")]
        await pilot.press("n")
        await until(pilot, "fix it")
        await pilot.press("ctrl+s")
        await until(pilot, "rg -n proxies= src")
        assert bench.calls[1:] == [("start", "web", "fix it", "dev/logout", "replay", 1)]


async def test_an_environment_is_trusted_before_it_runs(app: App, bench: RecordedBench, project: Path) -> None:
    file = project / "fumehood.toml"
    evil = recorded.ENVIRONMENT.replace("'''", '"""').replace(
        "python3 -m venv", r"echo \u001b[2J\u202e; python3 -m venv"
    )
    file.write_text(evil)
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "2 Environment ─ web")
        await pilot.press("n", *"fix it", "ctrl+s")
        shown = await until(pilot, "Run this file?")
        assert "* setup.script" in shown
        assert "echo ␛[2J⟨202E⟩; python3 -m venv .venv" in shown
        assert "secrets.NPM_TOKEN" in shown
        await pilot.press("enter")
        assert "Run this file?" in text_of(pilot)
        await pilot.press("n")
        await until(pilot, "Not started")
        assert bench.calls == []
        await pilot.press("n", "ctrl+s")
        await until(pilot, "Run this file?")
        await pilot.press("y")
        await until(pilot, "rg -n proxies= src")
        assert bench.calls == [("start", "web", "fix it", "", "replay", 1)]
    assert trusted(load(file))


async def test_a_task_that_does_not_start_keeps_what_was_written(app: App, bench: RecordedBench) -> None:
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "2 Environment ─ web")
        await pilot.press("n", "ctrl+s")
        await until(pilot, "write what to do first")
        await pilot.press(*"go", "tab", "tab", "tab", *"gone")
        await until(pilot, "as it is written")
        await pilot.press("enter")
        await until(pilot, "‹ gone ›")
        await pilot.press("ctrl+s")
        await until(pilot, "it has: 'main'")
        await pilot.press("n")
        await until(pilot, "go")
        assert bench.calls[1][2:] == ("go", "gone", "replay", 1)


async def test_what_cannot_be_undone_is_asked(app: App, bench: RecordedBench) -> None:
    recorded.running()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "rg -n proxies= src")
        await pilot.press("x")
        await until(pilot, "Stop “bump httpx")
        await pilot.press("n")
        assert bench.calls == []
        await pilot.press("x", "y")
        await until(pilot, "Stopping …")
        await pilot.press("R")
        await until(pilot, "Reset the cache of web?")
        await pilot.press("y")
        await until(pilot, "1 snapshot removed")
        assert bench.calls == [("cancel", "bbbb33"), ("reset", "web")]


async def test_apply_that_fails_says_what_to_do(app: App) -> None:
    recorded.finished()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "4 files +10 −2")
        await pilot.press("a")
        await until(pilot, "Apply 4 files +10 −2 to your checkout?")
        await pilot.press("y")
        await pilot.pause(0.5)
        assert pilot.app.is_running


async def test_moving_over_tasks_shows_them(app: App) -> None:
    recorded.everything()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "4 Log ─ bump httpx")
        await pilot.press("j")
        await until(pilot, "4 Log ─ fix the failing test")
        await pilot.press("j", "enter")
        await until(pilot, "4 Log ─ migrate settings")
        assert screen_of(pilot).current == "log"


async def test_broken_environment_files(app: App, bench: RecordedBench) -> None:
    (bench.cwd / "fumehood.toml").write_text('name = "web"\ncolour = "red"\n')
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        shown = await until(pilot, "problem")
        assert "colour" in shown
        assert "n new" not in shown
        (bench.cwd / "fumehood.toml").write_text(recorded.ENVIRONMENT)
        await pilot.press("2", "r")
        await until(pilot, "off after setup")


@pytest.mark.parametrize("size", [(20, 5), (10, 3), (1, 1), (119, 40), (121, 12)])
async def test_any_size(app: App, size: tuple[int, int]) -> None:
    recorded.everything()
    async with app().run_test(size=size, notifications=True) as pilot:
        for key in "12345+_?":
            await pilot.press({"+": "plus", "_": "underscore", "?": "question_mark"}.get(key, key))
            await pilot.pause()
        await pilot.resize_terminal(200, 50)
        await pilot.press("escape")
        await until(pilot, "1 Tasks")


async def test_nothing_is_painted_when_nothing_happens(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded.finished()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "4 files +10 −2")
        await pilot.pause(1.0)
        monkeypatch.setattr(words, "now", lambda: recorded.START + 7200)
        painted: list[object] = []
        monkeypatch.setattr(pilot.app, "_display", lambda *what: painted.append(what))
        await asyncio.sleep(2.5)
        assert painted == []


async def test_behind_a_dialog_only_what_changes_is_painted(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded.finished()
    async with app().run_test(size=WIDE) as pilot:
        await until(pilot, "All 15 tests pass.")
        await pilot.press("question_mark")
        await until(pilot, "Everywhere")
        frames: list[object] = []
        monkeypatch.setattr(pilot.app, "_display", lambda _screen, frame: frames.append(frame))
        screen_of(pilot).log_pane.refresh()
        await pilot.pause(0.5)
        assert frames
        await pilot.pause(0.5)
        frames.clear()
        await pilot.pause(1.0)
        assert frames == []


async def test_the_cache_is_looked_at_when_a_task_has_made_a_snapshot(
    app: App, bench: RecordedBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = recorded.Recording("dddd55")
    task.begin("with setup")
    task.at(0.8, ev.PhaseStarted(phase="setup"))
    async with app().run_test(size=WIDE) as pilot:
        await until(pilot, "with setup")
        await until(pilot, "1.2 GB")
        environment = bench.entry().environment
        assert environment is not None
        made = replace(bench.cache.explain(environment), age_seconds=3.0)
        monkeypatch.setattr(bench.cache, "explain", lambda _environment: made)
        task.phase("snapshot", 13.5, 1.31)
        await until(pilot, "made less than 1m ago")


async def test_a_key_in_a_dialog_is_painted_while_the_log_behind_it_changes(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.finished()
    async with app().run_test(size=WIDE) as pilot:
        await until(pilot, "All 15 tests pass.")
        await pilot.press("n")
        await until(pilot, "New task")
        written = Screenful()
        monkeypatch.setattr(pilot.app, "_display", lambda _screen, frame: written.paint(frame, *WIDE, None))
        pilot.app.screen.refresh()
        await pilot.pause(0.2)
        prompt = pilot.app.screen.query_one(PromptArea)
        prompt.text = "typed"
        for _ in range(1000):
            await asyncio.sleep(0)
            if prompt in pilot.app.screen._dirty_widgets:
                break
        # Its turn comes with the next frame; that of what is behind it comes before.
        bench = screen_of(pilot)
        bench.query_one("#head").refresh()
        bench._compositor.update_widgets({bench.query_one("#head")})
        bench._compositor_refresh()
        await pilot.pause(0.3)
        assert any("typed" in "".join(cell[0] for cell in row) for row in written._rows)


async def test_the_open_task_comes_before_everything_else(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    read = BenchScreen.read_environments

    def noted(screen: BenchScreen) -> object:
        shown.append("\n".join(strip.text for strip in screen._compositor.render_strips()))
        return read(screen)

    monkeypatch.setattr(BenchScreen, "read_environments", noted)
    recorded.finished()
    async with app().run_test(size=WIDE) as pilot:
        await until(pilot, "2 Environment ─ web")
    assert len(shown) == 1
    assert "All 15 tests pass." in shown[0]
    assert "def join(*parts: str)" in shown[0]


async def test_a_new_task_asked_for_before_environments_are_read_is_asked_for_then(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = BenchScreen.read_environments
    monkeypatch.setattr(BenchScreen, "read_environments", lambda screen: None)
    recorded.finished()
    async with app().run_test(size=WIDE) as pilot:
        await until(pilot, "All 15 tests pass.")
        await pilot.press("n")
        assert "New task" not in text_of(pilot)
        read(screen_of(pilot))
        await until(pilot, "New task")
