"""The workbench as an application: themes, keys, signals; everything else is in screens and panes."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from functools import partial
from typing import Any, ClassVar

from textual import events
from textual.app import App
from textual.binding import BindingType
from textual.screen import Screen

from engine.bench import Bench
from tui import preferences
from tui.present import actions, notice, theme
from tui.present.text import clean
from tui.present.theme import FumehoodTheme, Palette
from tui.screens.bench import BenchScreen

_SECONDS_TO_LEAVE = 3.0
_LOOK_AT_THEMES = 1.0
# Seconds without a key after which nobody looks, where the terminal does not say when it is left.
_AWAY_AFTER = 60.0


class Workbench(App[int]):
    """`fumehood` without a command (SPEC L1): opens on the newest task, or on `task`."""

    TITLE = "fumehood"
    # The style sheet of the bench: Textual loads none for the screen an app begins with.
    CSS_PATH = "screens/bench.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = []
    CSS = """
    Toast { background: $panel; color: $foreground; border-left: outer $accent; margin: 0 1; padding: 0 1; }
    Toast.-error { border-left: outer $error; }
    """

    def __init__(self, bench: Bench, task: str | None = None, *, watch: bool = True) -> None:
        self.preferences, problems = preferences.load()
        self._themes, unusable = theme.load_all()
        self._problems = [*problems, *map(str, unusable)]
        # Without colour the terminal's own are kept: Textual's grey would be written as colour too.
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        for name in list(self.available_themes):
            if name not in self._themes:
                self.unregister_theme(name)
        self._theme_files = theme.own_files()
        for found in self._themes.values():
            self.register_theme(found.textual())
        self.animation_level = "none"
        self.bench = bench
        self.opened = task
        self._tells_focus = False
        self._touched = time.monotonic()
        self.watch_environments = watch
        self.theme = self._first_theme()
        actions.use(self.preferences.keys)
        self.set_keymap(actions.keymap())

    def _first_theme(self) -> str:
        if self.no_color or self.console.color_system == "standard":
            return theme.WITHOUT_COLOUR
        wanted = os.environ.get("FUMEHOOD_THEME") or self.preferences.theme or theme.DEFAULT
        return wanted if wanted in self._themes else next(iter(self._themes))

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The variables that our style sheets use beyond Textual's."""
        return {"line": "#444444", "line-focus": "#888888"}

    @property
    def palette(self) -> Palette:
        """The styles rows are painted with."""
        found: FumehoodTheme = self._themes.get(self.theme) or next(iter(self._themes.values()))
        return found.palette

    def _watch_theme(self, theme_name: str) -> None:
        """The colours of programs' output follow the theme."""
        colours = self._themes[theme_name].terminal_theme()
        self.ansi_theme_dark = self.ansi_theme_light = colours
        super()._watch_theme(theme_name)

    @property
    def themes(self) -> list[FumehoodTheme]:
        """Every theme that can be used."""
        return list(self._themes.values())

    def get_default_screen(self) -> Screen[Any]:
        """The bench."""
        return BenchScreen(self.bench, self.opened, watch=self.watch_environments)

    def on_mount(self) -> None:
        """An orderly end when the terminal goes (SPEC W8)."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGHUP, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, partial(self._leave, number))
            except (RuntimeError, ValueError):
                # Not the main thread, as in tests: there is no terminal to restore either.
                break
        for problem in self._problems:
            self.tell(problem, bad=True)
        self.set_interval(_LOOK_AT_THEMES, self._look_at_themes)

    def _look_at_themes(self) -> None:
        """A theme file that was saved counts at once."""
        files = theme.own_files()
        if files == self._theme_files:
            return
        self._theme_files = files
        found, unusable = theme.load_all()
        for problem in unusable:
            self.tell(problem.message, hint=problem.hint, bad=True)
        before = self._themes.get(self.theme)
        # One that cannot be used any more stays as it was while it is shown.
        self._themes = found if self.theme in found or before is None else {**found, self.theme: before}
        for made in found.values():
            self.register_theme(made.textual())
        if found.get(self.theme, before) != before:
            self._watch_theme(self.theme)
            self.tell(f"Theme {self.theme}: read again")

    # Whether somebody looks

    def on_app_blur(self) -> None:
        """The terminal says when it is left, if it can."""
        self._tells_focus = True

    async def on_event(self, event: events.Event) -> None:
        """Remember when the user last did something."""
        if isinstance(event, events.InputEvent):
            self._touched = time.monotonic()
        await super().on_event(event)

    @property
    def away(self) -> bool:
        """Whether the user looks at something else, as far as can be told."""
        if self._tells_focus or not self.app_focus:
            return not self.app_focus
        return time.monotonic() - self._touched > _AWAY_AFTER

    def call_user(self, text: str) -> None:
        """Say something to a user who does not look, in the way that is preferred; the text may come from anywhere."""
        if self.away and self._driver is not None:
            self._driver.write(notice.sequence(self.preferences.notify, text, os.environ))
            self._driver.flush()

    def _fatal_error(self) -> None:
        """As Textual's, without the variables of every frame: they may hold secrets."""
        import rich
        from rich.traceback import Traceback

        self.panic(Traceback(width=None, suppress=[rich]))

    def _leave(self, number: signal.Signals) -> None:
        if number == signal.SIGHUP:
            # Writing to a terminal that is gone may block for ever; all that matters is on disk.
            last_resort = threading.Timer(_SECONDS_TO_LEAVE, os._exit, (128 + number,))
            last_resort.daemon = True
            last_resort.start()
        self.exit(128 + number)

    def tell(self, text: str, *, hint: str = "", bad: bool = False) -> None:
        """A toast; the text may come from anywhere."""
        whole = f"{text}\n{hint}" if hint else text
        self.notify(clean(whole), severity="error" if bad else "information", markup=False, timeout=10 if bad else 4)


def run(bench: Bench, task: str | None = None, *, watch: bool = True) -> int:
    """Open the workbench and stay until the user leaves; returns the exit code.

    With `watch`, the environments within reach are in the keeper's care meanwhile (SPEC C5).

    The terminal must have been checked before (`tui.terminal.check`).
    """
    app = Workbench(bench, task, watch=watch)
    code = app.run(mouse=app.preferences.mouse)
    return code if code is not None else app.return_code or 0
