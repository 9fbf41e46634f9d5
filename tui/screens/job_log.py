"""The log of a refresh or rebuild of the keeper, live while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from engine.errors import EngineError
from tui.live.feed import Feed
from tui.panes.log_reader import LogReader
from tui.present import pacing, timeline
from tui.present.row import Row, row
from tui.screens.frames import PacedScreen
from tui.widgets.bar import Bar

if TYPE_CHECKING:
    from tui.app import Workbench


class JobLog(PacedScreen[None]):
    """Its phases on top, then the log; closed with escape."""

    CSS_PATH = "editor.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", "close"), Binding("q", "dismiss", "close")]

    def __init__(self, title: str, feed: Feed) -> None:
        super().__init__()
        self._title, self._feed = title, feed

    def compose(self) -> ComposeResult:
        """Title, phases, log."""
        yield Bar(widget_id="job-title")
        yield Bar(widget_id="job-phases")
        yield LogReader()

    def on_mount(self) -> None:
        """Read what there is, then go on reading."""
        reader = self.query_one(LogReader)
        reader.show(self._feed)
        reader.log_view.focus()
        self.query_one("#job-title", Bar).show(
            Row(((f" {self._title}", "strong"),), (("esc ", "key"), ("back ", "muted")), "bar")
        )
        self._tick_phases()
        self._timer = self.set_interval(pacing.FAST, self._tick)
        self._tick()

    def action_back(self) -> None:
        """Out of what is innermost, then out of here."""
        if not self.query_one(LogReader).back():
            self.dismiss()

    def _tick(self) -> None:
        try:
            grown = self._feed.poll()
        except EngineError as error:
            self._timer.stop()
            cast("Workbench", self.app).tell(error.message, hint=error.hint, bad=True)
            return
        if grown:
            self.query_one(LogReader).log_view.take()
            self._tick_phases()
        elif any(phase.status == "running" for phase in self._feed.state.phases):
            self._tick_phases()

    def _tick_phases(self) -> None:
        shown = timeline.line(self._feed.times, self.size.width)
        self.query_one("#job-phases", Bar).show(shown if self._feed.state.phases else row(" nothing has begun yet"))
