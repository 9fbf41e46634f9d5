"""Pane 4: what happens in a task, live."""

from __future__ import annotations

from textual.app import ComposeResult

from tui.live.feed import Feed
from tui.panes.log_reader import LogReader
from tui.panes.pane import Pane
from tui.present import task, timeline, words
from tui.present.row import Row, row
from tui.widgets.bar import Bar
from tui.widgets.line_view import LineView
from tui.widgets.log_view import LogView

_EMPTY = (
    row(""),
    row("  Nothing here yet."),
    row(""),
    row(("  n", "key"), ("      write a prompt and start a task", "muted")),
    row(("  1 enter", "key"), (" open one of the list", "muted")),
)


class LogPane(Pane):
    """Facts and phases on top, then the log."""

    NUMBER, NAME, GROUP = 4, "Log", "log"

    def compose(self) -> ComposeResult:
        """Two bars, the log."""
        yield Bar(widget_id="log-facts")
        yield Bar(widget_id="log-times")
        yield LogReader()

    def on_mount(self) -> None:
        """Nothing is open yet."""
        self.reader.set_empty(*_EMPTY)

    @property
    def view(self) -> LineView:
        """The log has the keys."""
        return self.log_view

    @property
    def log_view(self) -> LogView:
        """The log."""
        return self.query_one(LogView)

    @property
    def reader(self) -> LogReader:
        """The log with its status."""
        return self.query_one(LogReader)

    @property
    def feed(self) -> Feed | None:
        """The task that is shown."""
        return self.log_view.feed

    def show(self, feed: Feed | None) -> None:
        """Show another task."""
        self.reader.show(feed)
        self.tick()

    def on_resize(self) -> None:
        """The phases fill the line there is."""
        self.tick()

    def tick(self) -> None:
        """Bring bars and titles up to date; paints only what reads differently."""
        feed = self.feed
        if feed is None or not feed.state.created_at:
            self.query_one("#log-facts", Bar).show(row(""))
            self.query_one("#log-times", Bar).show(row(""))
            self.set_title("")
            return
        width = self.inside
        facts = tuple(task.facts(feed.state, feed.attempt, words.now()))
        self.query_one("#log-facts", Bar).show(Row(((" ", ""), *facts)))
        self.query_one("#log-times", Bar).show(timeline.line(feed.times, width, finished=feed.state.finished))
        self.set_title(task.title(feed.state)[: max(10, width - 12)])
        self.log_view.refresh_running()
        self.reader.tick()

    def back(self) -> bool:
        """Leave what is innermost in the log."""
        return self.reader.back()
