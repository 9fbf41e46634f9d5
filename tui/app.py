"""The workbench as an application: themes, signals, the palette; everything else is in screens and panes."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.screen import Screen

from engine.bench import Bench
from engine.errors import EngineError
from tui import preferences
from tui.live import clipboard
from tui.present import actions, theme
from tui.present.text import clean
from tui.present.theme import FumehoodTheme, Palette
from tui.screens.bench import BenchScreen

_SECONDS_TO_LEAVE = 3.0


class Workbench(App[int]):
    """`fumehood` without a command (SPEC L1): opens on the newest task, or on `task`."""

    TITLE = "fumehood"
    # The style sheet of the bench: Textual loads none for the screen an app begins with.
    CSS_PATH = "screens/bench.tcss"
    ENABLE_COMMAND_PALETTE = True
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
        for found in self._themes.values():
            self.register_theme(found.textual())
        self.animation_level = "none"
        self.bench = bench
        self.opened = task
        self.watch_environments = watch
        self.theme = self._first_theme()

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

    def next_theme(self) -> None:
        """Use the theme that comes after this one."""
        names = list(self._themes)
        self.theme = names[(names.index(self.theme) + 1) % len(names)]
        self.clear_notifications()
        self.tell(f"Theme: {self._themes[self.theme].title}")

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

    def copy(self, text: str, what: str, *, note: str = "") -> None:
        """Copy text, cleaned, and say so; `note` says where it is as it was, should it hold what is invisible."""
        if not text:
            self.tell("There is nothing to copy here.")
            return
        cleaned = clean(text)
        try:
            path = clipboard.copy(self, cleaned)
        except EngineError as error:
            self.tell(error.message, hint=error.hint, bad=True)
            return
        self.tell(f"Copied {what}, also to {path}" + (f"\n{note}" if note and cleaned != text else ""))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: every action of the registry, and the themes."""
        if isinstance(screen, BenchScreen):
            for action in actions.ACTIONS:
                if action.group != "list" and action.id != "palette" and not screen.why_not(action.id):
                    name = (action.label or action.id.replace("_", " ")).capitalize()
                    yield SystemCommand(f"{name} ({action.key})", action.tooltip, partial(screen.perform, action.id))
        for found in self._themes.values():
            use = partial(setattr, self, "theme", found.name)
            yield SystemCommand(f"Theme: {found.title}", "Use these colours", use)


def run(bench: Bench, task: str | None = None, *, watch: bool = True) -> int:
    """Open the workbench and stay until the user leaves; returns the exit code.

    With `watch`, the environments within reach are in the keeper's care meanwhile (SPEC C5).

    The terminal must have been checked before (`tui.terminal.check`).
    """
    app = Workbench(bench, task, watch=watch)
    code = app.run(mouse=app.preferences.mouse)
    return code if code is not None else app.return_code or 0
