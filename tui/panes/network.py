"""Pane 6: what the open task asked of the network."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from tui.live.feed import Feed
from tui.panes.pane import Pane
from tui.present import actions, requests
from tui.present.requests import Host, Key, Line
from tui.present.row import Row, row
from tui.widgets.bar import Bar
from tui.widgets.filter import FilterField
from tui.widgets.line_view import LineView, RowList


class RequestList(RowList):
    """The hosts; the cursor stays on its host when others come."""

    BINDINGS: ClassVar[list[BindingType]] = actions.bindings("network")

    def action_fold_host(self) -> None:
        """Show or hide the single requests of the host at the cursor."""
        self.action_list_open()


class NetworkPane(Pane):
    """What the agent may reach, then the hosts that were asked for."""

    NUMBER, NAME, GROUP = 6, "Network", "network"

    def __init__(self) -> None:
        super().__init__()
        self._feed: Feed | None = None
        self._lines: list[Line] = []
        self._unfolded: set[Key] = set()
        self._needle = ""
        self._width = 0

    def compose(self) -> ComposeResult:
        """The policy, the list; the filter comes when it is asked for."""
        yield Bar(widget_id="network-policy")
        yield RequestList(widget_id="request-list")

    @property
    def requests(self) -> RequestList:
        """The list."""
        return self.query_one(RequestList)

    @property
    def host(self) -> Host | None:
        """The host at the cursor."""
        at = self.requests.cursor
        return self._lines[at].host if at < len(self._lines) else None

    def show(self, feed: Feed | None) -> None:
        """Show another task."""
        self._feed, self._needle = feed, ""
        self._unfolded.clear()
        self._remove_field()
        self._fill()

    def tick(self) -> None:
        """Bring the list up to date with what was asked for since."""
        if self._feed is not None and self._feed.traffic.changed:
            self._fill()

    def _fill(self) -> None:
        feed, view = self._feed, self.requests
        state, traffic = (feed.state, feed.traffic) if feed else (None, None)
        at, self._width = self._at, self.inside
        self._lines = requests.lines(traffic, self._unfolded, self._needle, self._width) if traffic else []
        view.set_placeholder(*requests.empty_rows(state, traffic, self._needle, self._width))
        view.show([line.row for line in self._lines])
        self._to(at)
        policy = requests.policy_row(state, traffic) if state and traffic else row("")
        said = requests.summary(traffic) if traffic else ()
        framed = bool(self.styles.border_top[0])
        self.query_one("#network-policy", Bar).show(policy if framed else Row(policy.left, (*said, (" ", ""))))
        self.query_one("#network-policy").display = bool(self._lines)
        if traffic is not None:
            traffic.changed = False
        self.set_title("".join(text for text, _ in said))

    @property
    def _at(self) -> tuple[Key, int] | None:
        """The host at the cursor, and how many rows below its first the cursor is."""
        host, at = self.host, self.requests.cursor
        if host is None:
            return None
        return host.key, at - next(n for n, line in enumerate(self._lines) if line.host.key == host.key)

    def _to(self, at: tuple[Key, int] | None) -> None:
        """Put the cursor where it was."""
        if at is None:
            return
        key, below = at
        rows = [number for number, line in enumerate(self._lines) if line.host.key == key]
        if rows and self.requests.cursor != rows[min(below, len(rows) - 1)]:
            self.requests.move_to(rows[min(below, len(rows) - 1)])

    @on(LineView.Opened, "#request-list")
    def _opened(self) -> None:
        host = self.host
        if host is not None:
            self._unfolded ^= {host.key}
            if host.key not in self._unfolded:
                self._to((host.key, 0))
            self._fill()

    def go_to(self, key: Key) -> None:
        """Put the cursor on a host, whatever was filtered."""
        self._needle = ""
        self._remove_field()
        self._fill()
        self._to((key, 0))

    # Filter

    def open_filter(self) -> None:
        """Ask what to look for."""
        fields = self.query(FilterField)
        if fields:
            fields.first().focus()
        else:
            self.mount(FilterField(self._needle, placeholder="show only requests that contain …"))

    def set_filter(self, text: str) -> None:
        """Show only what contains the text."""
        self._needle = text
        self._fill()

    def filter_entered(self) -> None:
        """Back to the list, the filter stays."""
        if not self._needle:
            self._remove_field()
        self.requests.focus()

    def back(self) -> bool:
        """Show everything again; False when there was no filter."""
        if not self._remove_field() and not self._needle:
            return False
        self.set_filter("")
        self.requests.focus()
        return True

    def _remove_field(self) -> bool:
        found = self.query(FilterField)
        found.remove()
        return bool(found)

    def on_resize(self) -> None:
        """Reasons wrap to the new width."""
        if self.inside != self._width:
            self.call_after_refresh(self._fill)
