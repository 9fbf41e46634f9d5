"""Pane 3: what the next task would find in the cache, and why; what is being done to keep it fresh."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.errors import EngineError
from tui.panes.pane import Pane
from tui.present import actions, cache, words
from tui.present.row import Row, row
from tui.widgets.line_view import Summary

if TYPE_CHECKING:
    from engine.tasks.model import TaskState
    from tui.live.keeping import CareNow

# Rows at most, where panes stand one above another.
_MOST = 10


class CacheView(Summary):
    """The decision in words; its actions are done by the screen."""

    BINDINGS: ClassVar[list[BindingType]] = actions.bindings("cache")


class CachePane(Pane):
    """Hit or miss, why, how long the snapshot lives, and what runs for it; more of it when it has the whole screen."""

    NUMBER, NAME, GROUP = 3, "Cache", "cache"

    def __init__(self) -> None:
        super().__init__()
        self.found: Any = None
        self._looked_at = 0.0
        self.kept: CareNow | None = None
        self._state: TaskState | None = None
        self._last: Mapping[str, float] = {}

    def compose(self) -> ComposeResult:
        """The summary."""
        yield CacheView(widget_id="cache-view")

    def looking(self) -> None:
        """The answer is on its way; what is known stays until then."""
        if self.found is None:
            self.query_one(CacheView).show(list(cache.LOOKING))

    def show(self, found: Any) -> None:
        """Show an `Explanation`, the error that came instead of it, or None when there is no environment."""
        self.found, self._looked_at = found, words.now()
        self.tick()

    def show_kept(self, kept: CareNow | None) -> None:
        """Show what the keeper does."""
        self.kept = kept
        self.tick()

    def show_task(self, state: TaskState | None, last: Mapping[str, float]) -> None:
        """Show the setup or maintenance of a task of this environment; `last`: seconds each phase took before."""
        self._state, self._last = state, last
        self.tick()

    def tick(self) -> None:
        """Carry the ages on to now; paints only what reads differently."""
        view, now = self.query_one(CacheView), words.now()
        rows = self._decision(now)
        rows += cache.task_rows(self._state, self._last, now, self.inside)
        rows += cache.kept_rows(self.kept, now, self.inside)
        if self.styles.border_top[0] == "" and self._explained:
            rows += self.details(self.inside)
        view.show(rows)
        self.fit(min(_MOST, max(4, view.row_count())))

    def details(self, width: int) -> list[Row]:
        """All that is known of the decision."""
        if not self._explained:
            return self._decision(words.now())
        found = self.found
        names = sorted(found.snapshot.key.components) if found.snapshot else []
        return cache.detail_rows(found, [n for n in names if n != "format"], words.now(), width)

    @property
    def _explained(self) -> bool:
        return self.found is not None and not isinstance(self.found, EngineError)

    @property
    def setup_seconds(self) -> float:
        """What the setup of the snapshot took; 0 when there is none."""
        return float(self.found.snapshot.setup_seconds) if self._explained and self.found.snapshot else 0.0

    def _decision(self, now: float) -> list[Row]:
        if self.found is None:
            return [row((" choose an environment first" if not self._looked_at else " no usable environment", "muted"))]
        if isinstance(self.found, EngineError):
            return cache.error_rows(self.found, self.inside)
        return cache.rows(self.found, self._looked_at, now, self.inside)

    def on_resize(self) -> None:
        """Reasons wrap to the new width; the whole screen has room for more."""
        if self._looked_at:
            self.call_after_refresh(self.tick)
