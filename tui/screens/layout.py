"""Where the panes stand: columns whose dividers can be moved, panes that share a place, one pane alone."""

from __future__ import annotations

from msgspec.structs import asdict
from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical

from engine.bench import Bench
from tui.live.preferences import Preferences
from tui.panes.cache import CachePane
from tui.panes.diff import DiffPane
from tui.panes.environment import EnvironmentPane
from tui.panes.log import LogPane
from tui.panes.network import NetworkPane
from tui.panes.tasks import TasksPane
from tui.panes.time import TimePane
from tui.present.layout import WIDE, WIDEST, Divider, Sizes
from tui.screens.engine import EngineScreen
from tui.widgets.bar import Bar, Choices

SHARED = ("diff", "network", "time")
"""The panes that stand in one place, of which one is seen, unless the window is wide enough for all."""


# Rows of the head above the panes and of the keys below, when they are side by side.
_ABOVE, _BELOW = 1, 1


class LayoutScreen(EngineScreen):
    """Three columns in the widest windows, two in wide ones, else one pane; what was chosen is kept."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide"), (WIDEST, "-huge")]

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.preferences = Preferences.read()
        self._dragged: Divider | None = None
        self._time_rows = 0

    def compose(self) -> ComposeResult:
        """Head, tabs, the open task, panes, keys."""
        yield Bar(widget_id="head")
        yield Choices(widget_id="tabs")
        yield Bar(widget_id="state")
        with Horizontal(id="panes"):
            with Vertical(id="left"):
                yield TasksPane()
                yield EnvironmentPane()
                yield CachePane()
            with Container(id="right"):
                yield LogPane()
                yield TimePane()
                yield NetworkPane()
                yield DiffPane(self.preferences)
        yield Choices(widget_id="keys")

    def keep_place(self, pane: str) -> None:
        """Remember for the next time which pane had the keys, and whether it had the whole screen."""
        place = (pane, self.has_class("zoomed"))
        if (self.preferences.pane, bool(self.preferences.zoomed)) != place:
            self.preferences.keep(pane=place[0], zoomed=place[1])

    @property
    def single(self) -> bool:
        """Whether one pane has the whole screen."""
        return self.has_class("-narrow") or self.has_class("zoomed")

    @property
    def sharing(self) -> bool:
        """Whether some panes share one place."""
        return self.has_class("-wide") and not self.single

    def fit_window(self) -> None:
        """Take the classes of the window's width, which Textual gives only when the first frame has been painted."""
        fitting = [name for width, name in self.HORIZONTAL_BREAKPOINTS if self.app.size.width >= width]
        self.set_class(True, fitting[-1], update=False)

    def lay_out(self) -> None:
        """Give columns and rows their sizes; a pane by itself has all there is."""
        left, right = self.query_one("#left"), self.query_one("#right")
        self._time_rows = self.query_one(TimePane).rows
        if self.single:
            left.styles.clear_rule("width")
            for rule in ("grid_rows", "grid_columns"):
                right.styles.clear_rule(rule)
            return
        sizes, width = self.preferences.sizes, self.size.width
        left.styles.width = sizes.left_cells(width)
        lower = sizes.lower_rows(self._height)
        if self.has_class("-huge"):
            # Log and diff beside time and network: the time is as high as it needs, the middle row evens that out.
            above = min(self._time_rows, self._height - lower - 1)
            right.styles.grid_rows = f"{above} 1fr {lower}"
            right.styles.grid_columns = f"1fr {sizes.aside_cells(width)}"
        else:
            right.styles.grid_rows = f"1fr {lower}"
            right.styles.grid_columns = "1fr"

    def fit_time(self) -> None:
        """Lay out again when the time needs another height."""
        if self.query_one(TimePane).rows != self._time_rows:
            self.lay_out()

    def share(self, name: str) -> None:
        """Let a pane be the one that is seen of those in its place."""
        for other in SHARED:
            self.set_class(other == name, f"shares-{other}")

    @property
    def _height(self) -> int:
        return max(2, self.size.height - _ABOVE - _BELOW)

    def on_resize(self) -> None:
        """Sizes are cut to the new window."""
        self.lay_out()

    # Dividers, by key

    def move_divider(self, divider: Divider, steps: int) -> None:
        """Move a divider to the right or down; it stays there for the next time."""
        if not self.single:
            self._set_sizes(self.preferences.sizes.moved(divider, steps, self.size.width, self._height))
            self._keep_sizes()

    def forget_sizes(self) -> None:
        """From now on sizes are what fits the window."""
        self._set_sizes(Sizes())
        self._keep_sizes()

    def _keep_sizes(self) -> None:
        self.preferences.keep(**asdict(self.preferences.sizes))

    def _set_sizes(self, sizes: Sizes) -> None:
        if sizes != self.preferences.sizes:
            self.preferences.sizes = sizes
            self.lay_out()

    def _near(self, name: str) -> Divider:
        """The divider beside a pane."""
        return "aside" if self.has_class("-huge") and name in ("time", "network") else "left"

    # Dividers, by mouse

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of the divider at the mouse, if there is one."""
        self._dragged = self._divider_at(event.screen_x, event.screen_y)
        if self._dragged:
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """The divider goes along."""
        if self._dragged:
            at = event.screen_y - _ABOVE if self._dragged == "lower" else event.screen_x
            self._set_sizes(self.preferences.sizes.placed(self._dragged, at, self.size.width, self._height))

    def on_mouse_up(self) -> None:
        """Let go; it stays there for the next time."""
        if self._dragged:
            self._dragged = None
            self.release_mouse()
            self._keep_sizes()

    def _divider_at(self, x: int, y: int) -> Divider | None:
        if self.single or not _ABOVE <= y < self.size.height - _BELOW:
            return None
        log = self.query_one(LogPane).region
        if x in (log.x - 1, log.x):
            return "left"
        if self.has_class("-huge") and x in (log.right - 1, log.right):
            return "aside"
        return "lower" if log.x < x < log.right and y in (log.bottom - 1, log.bottom) else None
