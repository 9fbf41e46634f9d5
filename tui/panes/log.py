"""Pane 4: what happens in a task, live."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult

from tui.live.feed import Feed
from tui.panes.pane import Pane
from tui.present import task, timeline, words
from tui.present.row import Row, Span, row
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
    """Facts and phases on top, the log, and below it what is in sight of it."""

    NUMBER, NAME, GROUP = 4, "Log", "log"

    def compose(self) -> ComposeResult:
        """Two bars, the log, the status; the filter comes when it is asked for."""
        yield Bar(widget_id="log-facts")
        yield Bar(widget_id="log-times")
        yield LogView(widget_id="log-view")
        yield Bar(widget_id="log-status")

    def on_mount(self) -> None:
        """Nothing is open yet."""
        self.log_view.set_placeholder(*_EMPTY)

    @property
    def view(self) -> LineView:
        """The log has the keys."""
        return self.log_view

    @property
    def log_view(self) -> LogView:
        """The log."""
        return self.query_one(LogView)

    @property
    def feed(self) -> Feed | None:
        """The task that is shown."""
        return self.log_view.feed

    def show(self, feed: Feed | None) -> None:
        """Show another task."""
        self._remove_filter()
        self.log_view.show(feed)
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
        place: tuple[Span, ...] = ((f"{self._place()} ", "muted"),)
        self.query_one("#log-facts", Bar).show(Row(((" ", ""), *facts), place))
        self.query_one("#log-times", Bar).show(timeline.line(feed.times, width, finished=feed.state.finished))
        self.set_title(task.title(feed.state)[: max(10, width - 12)])
        self.query_one("#log-status", Bar).show(Row(((" ", ""), *place)))
        self.log_view.refresh_running()

    def _place(self) -> str:
        view = self.log_view
        count = view.row_count()
        words_ = [f"{min(view.cursor + 1, count):,}/{count:,}"]
        if view.following:
            words_.append("following" if view.feed and not view.feed.state.finished else "end")
        else:
            words_.append(f"paused · +{view.unseen:,} new · G follows" if view.unseen else "G to the end")
        if view.feed and view.feed.filter:
            words_.append(f'only "{view.feed.filter}" · esc shows all')
        return " · ".join(words_)

    @on(LogView.Status)
    def _status_changed(self) -> None:
        self.tick()

    # Filter

    def open_filter(self) -> None:
        """Ask what to look for."""
        from tui.widgets.filter import FilterField

        if self.feed is not None:
            fields = self.query(FilterField)
            if fields:
                fields.first().focus()
            else:
                self.mount(FilterField(self.feed.filter), after="#log-view")

    def back(self) -> bool:
        """Show everything again; False when there was no filter."""
        if not self._remove_filter() and not (self.feed and self.feed.filter):
            return False
        self.set_filter("")
        self.log_view.focus()
        return True

    def _remove_filter(self) -> bool:
        found = self.query(".filter")
        found.remove()
        return bool(found)

    def filter_entered(self) -> None:
        """Back to the log, the filter stays."""
        if self.feed is not None and not self.feed.filter:
            self._remove_filter()
        self.log_view.focus()

    def set_filter(self, text: str) -> None:
        """Show only what contains the text."""
        self.log_view.filter(text)
        self.tick()
