"""The workbench as an application: themes, keys, signals; everything else is in screens and panes."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import time
from functools import partial
from typing import Any, ClassVar

from textual import constants, events
from textual._compositor import ChopsUpdate, CompositorUpdate
from textual.app import App
from textual.binding import BindingType
from textual.css.query import NoMatches
from textual.driver import Driver
from textual.screen import Screen

from engine.bench import Bench
from engine.errors import EngineError
from tui import preferences, terminal
from tui.live import clipboard
from tui.output import pace
from tui.output.driver import TerminalDriver
from tui.output.frame import Written
from tui.present import actions, notice, theme
from tui.present.text import clean
from tui.present.theme import FumehoodTheme, Palette
from tui.screens.bench import BenchScreen

_SECONDS_TO_LEAVE = 3.0
# Bytes that may wait for the terminal before the next frame is left out, and how long until it is looked at again.
_BACKLOG, _LOOK_AGAIN = 1 << 16, 0.05
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

    def __init__(
        self, bench: Bench, task: str | None = None, *, watch: bool = True, low_bandwidth: bool = False
    ) -> None:
        self.preferences, problems = preferences.load()
        self.low_bandwidth = low_bandwidth or self.preferences.low_bandwidth
        self.pace = pace.chosen(self.preferences.log_hz, self.low_bandwidth, os.environ)
        self._behind = False
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
        self.set_class(self.low_bandwidth, "-low-bandwidth", update=False)
        self.bench = bench
        self.opened = task
        self._tells_focus = False
        self._touched = time.monotonic()
        self.watch_environments = watch
        self._begin_with(self._first_theme())
        actions.use(self.preferences.keys)
        self.set_keymap(actions.keymap())

    def _first_theme(self) -> str:
        if self.no_color or self.console.color_system == "standard" or self.low_bandwidth:
            return theme.WITHOUT_COLOUR
        wanted = os.environ.get("FUMEHOOD_THEME") or self.preferences.theme or theme.DEFAULT
        return wanted if wanted in self._themes else next(iter(self._themes))

    def _begin_with(self, name: str) -> None:
        # As `self.theme = name` would, without having every style sheet parsed a second time.
        colours = self._themes[name].terminal_theme()
        self.set_reactive(App.theme, name)
        self.set_reactive(App.ansi_theme_dark, colours)
        self.set_reactive(App.ansi_theme_light, colours)
        dark = self._themes[name].dark
        self.set_class(True, f"-theme-{name}", "-dark-mode" if dark else "-light-mode", update=False)
        self._refresh_truecolor_filter(colours)
        self.stylesheet.set_variables(self.get_css_variables())

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

    # What is written to the terminal

    def get_driver_class(self) -> type[Driver]:
        """Our own, unless the workbench is shown somewhere else than in a terminal."""
        return super().get_driver_class() if constants.DRIVER else TerminalDriver

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        """Write only what is different from what the terminal shows; nothing while it is far behind."""
        driver = self._driver
        if not isinstance(driver, TerminalDriver) or not isinstance(renderable, CompositorUpdate) or self._batch_count:
            super()._display(screen, renderable)
            return
        if driver.backlog > _BACKLOG:
            if not self._behind:
                self._behind = True
                self.set_timer(_LOOK_AGAIN, self._catch_up)
            return
        if isinstance(renderable, ChopsUpdate) and not driver.screenful.known:
            stack = self._background_screens
            renderable = screen._compositor.render_update(full=True, screen_stack=stack)
        sequence = driver.screenful.paint(renderable, *self.size, self.console._color_system)
        if sequence:
            super()._display(screen, Written(sequence + self.pace.wrote(len(sequence))))

    def _catch_up(self) -> None:
        self._behind = False
        self.screen.refresh()

    def on_cursor_position(self, event: events.CursorPosition) -> None:
        """The terminal has shown what was written before it was asked."""
        event.stop()
        question = self.pace.answered()
        if question and self._driver is not None:
            self._driver.write(question)

    def redraw(self) -> None:
        """Write the whole screen again."""
        if isinstance(self._driver, TerminalDriver):
            self._driver.screenful.forget()
        self.screen.refresh()

    # From the start to the end

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
        self.call_after_refresh(self._started)
        self.set_interval(_LOOK_AT_THEMES, self._look_at_themes)

    def _started(self) -> None:
        # What was loaded so far stays: it is not looked through again.
        gc.freeze()
        gc.enable()

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

    def terminal_lost(self) -> None:
        """There is nobody to show anything to any more."""
        self._leave(signal.SIGHUP)

    def _leave(self, number: signal.Signals) -> None:
        # What Textual prints at the end would wait for a terminal that takes nothing; all that matters is on disk.
        last_resort = threading.Timer(_SECONDS_TO_LEAVE, self._end, (128 + number,))
        last_resort.daemon = True
        last_resort.start()
        self.exit(128 + number)

    def _end(self, code: int) -> None:
        if not self.is_headless:
            terminal.restore()
        os._exit(code)

    def _handle_exception(self, error: Exception) -> None:
        """As Textual's; a screen that was being made while the workbench was left finds none of its widgets."""
        if not (self._exit and isinstance(error, NoMatches)):
            super()._handle_exception(error)

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


def run(bench: Bench, task: str | None = None, *, watch: bool = True, low_bandwidth: bool = False) -> int:
    """Open the workbench and stay until the user leaves; returns the exit code.

    With `watch`, the environments within reach are in the keeper's care meanwhile (SPEC C5).

    The terminal must have been checked before (`tui.terminal.check`).
    """
    app = Workbench(bench, task, watch=watch, low_bandwidth=low_bandwidth)
    code = app.run(mouse=app.preferences.mouse and not app.low_bandwidth)
    return code if code is not None else app.return_code or 0
