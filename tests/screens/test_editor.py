"""The environment file in the editor, and the forms for single values of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from engine.secrets.store import Store
from tests.screens import recorded
from tests.screens.conftest import RecordedBench
from tests.screens.test_bench import text_of, until, until_gone
from tui.app import Workbench
from tui.screens.editor import Editor
from tui.widgets.toml_area import TomlArea

App = Callable[..., Workbench]
WIDE, NARROW = (120, 40), (80, 24)


async def in_the_pane(pilot: Pilot[int], *keys: str) -> None:
    """Press these in the pane of the one environment."""
    await until(pilot, "web")
    await pilot.press("2")
    await until(pilot, "repository")
    await pilot.press(*keys)


async def opened(pilot: Pilot[int]) -> TomlArea:
    """The editor on the one environment."""
    await in_the_pane(pilot, "e")
    await until(pilot, "nothing to save")
    return editor(pilot).area


def editor(pilot: Pilot[int]) -> Editor:
    """The editor, which may have a question over it."""
    return next(screen for screen in pilot.app.screen_stack if isinstance(screen, Editor))


def put(area: TomlArea, old: str, new: str) -> None:
    """Replace a text in the editor, as a user who selects it and types does."""
    before, found, _ = "\n".join(area.document.lines).partition(old)
    assert found
    row, column = before.count("\n"), len(before) - before.rfind("\n") - 1
    end = row + old.count("\n")
    stop = len(old) - old.rfind("\n") - 1 if "\n" in old else column + len(old)
    area.replace(new, (row, column), (end, stop))


async def test_a_problem_is_shown_then_solved_and_the_bytes_are_exact(app: App, project: Path) -> None:
    path = project / "fumehood.toml"
    mixed = recorded.ENVIRONMENT.replace("[image]\n", "[image] # kept\r\n").replace(
        "[secrets", "# \u2028 too\n[secrets"
    )
    path.write_bytes(mixed.encode())
    async with app().run_test(size=WIDE) as pilot:
        area = await opened(pilot)
        put(area, "[maintenance]\nscript", "[maintenance]\nscrip")
        shown = await until(pilot, "✗ line 15  maintenance.scrip: unknown key · did you mean script?")
        assert "1 problem" in shown
        assert "● not saved" in shown
        await pilot.press("ctrl+e", "enter")
        assert area.cursor_location == (14, 0)
        put(area, "scrip =", "script =")
        await until(pilot, "nothing to save")
        put(area, '"3.12"', '"3.13"')
        await until(pilot, "this invalidates the snapshot: version python changed")
        await pilot.press("ctrl+s")
        await until(pilot, "✓ saved")
        assert path.read_bytes() == mixed.replace("3.12", "3.13").encode()
        await pilot.press("escape")
        await until(pilot, "python 3.13")


async def test_what_saving_does_to_the_snapshot(app: App) -> None:
    async with app().run_test(size=WIDE) as pilot:
        area = await opened(pilot)
        put(area, "python3 -m venv .venv\n", "python3 -m venv .venv\nmake\n")
        await until(pilot, "saving: this invalidates the snapshot: setup script changed (1 line)")
        put(area, "python3 -m venv .venv\nmake\n", "python3 -m venv .venv\n")
        put(area, '["pyproject.toml"]', '["setup.py"]')
        await until(pilot, "maintenance will run again: it watches other files")
        put(area, '["setup.py"]', '["pyproject.toml"] # why')
        await until(pilot, "no effect on the snapshot")


async def test_what_another_wrote_meanwhile_is_asked_about(app: App, project: Path) -> None:
    path = project / "fumehood.toml"
    async with app().run_test(size=WIDE) as pilot:
        area = await opened(pilot)
        put(area, '"3.12"', '"3.13"')
        path.write_text(recorded.ENVIRONMENT + "# of another\n")
        await pilot.press("ctrl+s")
        await until(pilot, "changed by somebody else meanwhile. Write over it?")
        await pilot.press("n")
        await until(pilot, "^r shows what it says now")
        assert path.read_text() == recorded.ENVIRONMENT + "# of another\n"
        await pilot.press("ctrl+r")
        await until(pilot, "Throw your changes away?")
        await pilot.press("y")
        await until(pilot, "# of another")
        assert "3.13" not in text_of(pilot)
        put(area, "# of another", "# mine")
        await pilot.press("ctrl+s")
        await until(pilot, "✓ saved")
        assert path.read_text() == recorded.ENVIRONMENT + "# mine\n"


async def test_leaving_with_changes_asks(app: App, project: Path) -> None:
    async with app().run_test(size=NARROW) as pilot:
        area = await opened(pilot)
        put(area, '"3.12"', '"3.13"')
        await pilot.press("escape")
        await until(pilot, "Leave without saving?")
        await pilot.press("n")
        await until_gone(pilot, "Leave without saving?")
        await pilot.press("escape")
        await until(pilot, "Leave without saving?")
        await pilot.press("y")
        await until(pilot, "python 3.12")
    assert (project / "fumehood.toml").read_text() == recorded.ENVIRONMENT


async def test_completion_of_keys_and_choices(app: App) -> None:
    async with app().run_test(size=WIDE) as pilot:
        area = await opened(pilot)
        area.move_cursor(area.document.end)
        await pilot.press(*"[netw")
        await until(pilot, "What the agent may reach.")
        await pilot.press("enter", "end", "enter", *"ag")
        await until(pilot, "Internet of the agent: none")
        await pilot.press("tab")
        await until(pilot, '"limited"')
        await pilot.press("down", "enter", "end")
        assert area.text.endswith('[network]\nagent = "limited"')
        await until(pilot, "no effect on the snapshot")
        await pilot.press("enter", "ctrl+@")
        await until(pilot, "allow =")
        await pilot.press("escape")
        await until_gone(pilot, "Domains and presets")
        assert editor(pilot).is_current


async def test_hostile_text_cannot_steer_the_terminal(app: App, project: Path) -> None:
    path = project / "fumehood.toml"
    hostile = recorded.ENVIRONMENT + "# \u202egnp \x9b31m [red] \u200b\n"
    path.write_text(hostile)
    async with app().run_test(size=WIDE) as pilot:
        area = await opened(pilot)
        area.move_cursor(area.document.end)
        shown = await until(pilot, "[red]")
        assert not {"\u202e", "\x9b", "\x1b", "\u200b"} & set(shown)
        put(area, '"3.12"', '"3.13"')
        await pilot.press("ctrl+s")
        await until(pilot, "✓ saved")
    assert path.read_text() == hostile.replace("3.12", "3.13")


async def test_a_file_that_is_no_text_is_not_opened(app: App, project: Path) -> None:
    (project / "fumehood.toml").write_bytes(b'name = "\xff"\n')
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "1 problem")
        await pilot.press("2", "e")
        await until(pilot, "is not UTF-8")


async def test_secrets_are_set_without_echo(app: App, project: Path, bench: RecordedBench) -> None:
    async with app().run_test(size=NARROW, notifications=True) as pilot:
        await in_the_pane(pilot, "s")
        await until(pilot, "no value yet")
        await pilot.press("enter")
        await until(pilot, "not shown")
        await pilot.press(*"s3cr3t-value")
        assert "s3cr3t" not in text_of(pilot)
        await pilot.press("enter")
        await until(pilot, "NPM_TOKEN is set")
        assert "s3cr3t" not in text_of(pilot)
        await pilot.press("a", *"API_KEY", "enter")
        await until(pilot, "value of API_KEY")
        await pilot.press(*"another-value", "enter")
        await until(pilot, "API_KEY is set")
        await pilot.press("escape")
    environment = bench.environments.load()
    assert list(environment.secrets) == ["NPM_TOKEN", "API_KEY"]
    values = Store(environment).values(["NPM_TOKEN", "API_KEY"])
    assert [value.reveal() for value in values.values()] == [b"s3cr3t-value", b"another-value"]
    assert (project / "fumehood.toml").read_text().startswith(recorded.ENVIRONMENT)


async def test_the_network_is_opened_in_a_form(app: App, project: Path, bench: RecordedBench) -> None:
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await in_the_pane(pilot, "s", "tab")
        await until(pilot, "‹ off ›")
        await pilot.press("enter")
        await until(pilot, "‹ limited ›")
        await pilot.press("a", *"X.org", "enter")
        await until(pilot, "stored as x.org")
        await pilot.press("a", *"https://x.org/p", "enter")
        await until(pilot, "was refused")
        await pilot.press("down", "d")
        await until(pilot, "X.org is removed")
    assert bench.environments.load().network.allow == ()
    added = '\n[network]\nagent = "limited"\nallow = []\n'
    assert (project / "fumehood.toml").read_text() == recorded.ENVIRONMENT + added


async def test_variables_in_a_form(app: App, bench: RecordedBench) -> None:
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await in_the_pane(pilot, "s", "tab", "tab")
        await until(pilot, "none yet")
        await pilot.press("a", *"A B=1", "enter")
        await until(pilot, "is not the name of a variable")
        await pilot.press("a", *"DEBUG=1", "enter")
        await until(pilot, "this invalidates the snapshot: variable DEBUG added")
        await pilot.press("enter", *"00", "enter")
        await until(pilot, "variable DEBUG changed")
        await pilot.press("tab", "enter", "backspace", "3", "enter")
        await until(pilot, "version python changed")
    environment = bench.environments.load()
    assert (environment.variables, environment.versions) == ({"DEBUG": "100"}, {"python": "3.13"})
