"""Pane 7: where the time of the open task went, and what its containers used."""

from __future__ import annotations

from pathlib import Path

from textual.app import ComposeResult

from engine.tasks import resources
from engine.tasks.resources import Resources
from tui.live.feed import Feed
from tui.panes.pane import Pane
from tui.present import resources as curves
from tui.present import timeline, words
from tui.present.row import Row, row
from tui.widgets.line_view import Summary

_EMPTY = (row(""), row("  Where the time of a task goes is shown here."))


class TimePane(Pane):
    """The phases as bars, then CPU, memory, disk and processes as curves."""

    NUMBER, NAME, GROUP = 7, "Time", "time"

    def __init__(self) -> None:
        super().__init__()
        self._feed: Feed | None = None
        self._stamp: tuple[Path, int, int] | None = None
        self._used: Resources | None = None

    def compose(self) -> ComposeResult:
        """The rows."""
        yield Summary(widget_id="time-view")

    def on_mount(self) -> None:
        """Nothing is open yet."""
        self.set_title("")
        self.query_one(Summary).set_placeholder(*_EMPTY)

    @property
    def rows(self) -> int:
        """The height it needs, its frame included."""
        return max(6, self.query_one(Summary).row_count() + 2)

    def show(self, feed: Feed | None) -> None:
        """Show another task."""
        self._feed, self._stamp, self._used = feed, None, None
        self.tick()

    def tick(self) -> None:
        """Bring everything up to date, if it is seen; paints only what reads differently."""
        feed = self._feed
        if not self.is_on_screen:
            return
        if feed is None or not feed.state.phases:
            self.set_title("")
            self.query_one(Summary).show([])
            return
        times = feed.times
        self._look(feed)
        lines: list[Row] = timeline.rows(times, self.inside)
        lines += [row(""), *curves.rows(self._used, live=not feed.state.finished, width=self.inside)]
        self.query_one(Summary).show(lines)
        self.set_title(words.short_time(sum(time.seconds for time in times)) if feed.state.finished else "")

    def _look(self, feed: Feed) -> None:
        """Read the samples again when there are more."""
        path = resources.path_of(feed.folder, feed.attempt)
        try:
            found = path.stat()
        except OSError:
            return
        stamp = (path, found.st_ino, found.st_size)
        if stamp != self._stamp:
            self._stamp, self._used = stamp, resources.read(path)

    def on_resize(self) -> None:
        """Bars are made for the new width, and for a pane that comes into sight."""
        self.call_after_refresh(self.tick)
