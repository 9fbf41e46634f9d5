"""Pane 3: what the next task would find in the cache, and why."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.errors import EngineError
from tui.panes.pane import Pane
from tui.present import actions, cache, words
from tui.present.row import row
from tui.widgets.line_view import Summary


class CacheView(Summary):
    """The decision in words; its actions are done by the screen."""

    BINDINGS: ClassVar[list[BindingType]] = actions.bindings("cache")


class CachePane(Pane):
    """Hit or miss, why, and how long the snapshot lives."""

    NUMBER, NAME, GROUP = 3, "Cache", "cache"

    def __init__(self) -> None:
        super().__init__()
        self._found: Any = None
        self._looked_at = 0.0

    def compose(self) -> ComposeResult:
        """The summary."""
        yield CacheView(widget_id="cache-view")

    def looking(self) -> None:
        """The answer is on its way; what is known stays until then."""
        if self._found is None:
            self.query_one(CacheView).show(list(cache.LOOKING))

    def show(self, found: Any) -> None:
        """Show an `Explanation`, the error that came instead of it, or None when there is no environment."""
        self._found, self._looked_at = found, words.now()
        self.tick()

    def tick(self) -> None:
        """Carry the ages on to now; paints only what reads differently."""
        view = self.query_one(CacheView)
        if self._found is None:
            view.show([row((" choose an environment first", "muted"))])
        elif isinstance(self._found, EngineError):
            view.show(cache.error_rows(self._found, self.inside))
        else:
            view.show(cache.rows(self._found, self._looked_at, words.now(), self.inside))
        self.fit(min(8, max(4, view.row_count())))

    def on_resize(self) -> None:
        """Reasons wrap to the new width."""
        if self._looked_at:
            self.call_after_refresh(self.tick)
