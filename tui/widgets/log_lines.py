"""The log of a task as rows that follow what happens: commands that unfold to their output, and what the agent says."""

from __future__ import annotations

from textual import events
from textual.message import Message

from tui.live.feed import Feed
from tui.live.page import LogPage, Scope, Spot
from tui.present.needle import Needle
from tui.present.row import Row
from tui.present.story import Command
from tui.widgets.select_view import SelectView
from tui.widgets.wrap_view import WrapView


class LogLines(WrapView, SelectView):
    """The page of a feed: at its end while it grows, or where the user reads."""

    DEFAULT_CSS = """
    LogLines.-following { scrollbar-size-vertical: 0; }
    """

    class Status(Message):
        """What is in sight, or whether it follows, has changed."""

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(widget_id=widget_id)
        self.shown = LogPage(None)
        self.following = True
        self.unseen = 0
        # What to go to once its line is counted.
        self._wanted: Spot | None = None

    @property
    def feed(self) -> Feed | None:
        """What is shown."""
        return self.shown.feed

    def show(self, feed: Feed | None) -> None:
        """Show another task, from its end."""
        if self.feed is not None and self.feed is not feed:
            self.feed.close()
        self.following, self.unseen, self.shift, self.mark, self._wanted = True, 0, 0, None, None
        self._painted.clear()
        self.shown = LogPage(feed, times=self.shown.times, width=self.size.width)
        self.add_class("-following")
        self.rows_changed()
        self._to_end()

    def on_unmount(self) -> None:
        """Nobody looks at it any more."""
        if self.feed is not None:
            self.feed.close()

    def row_count(self) -> int:
        """Rows of all blocks."""
        return self.shown.count

    def rows(self, first: int, last: int) -> list[Row]:
        """The rows in sight."""
        return self.shown.rows(first, last)

    # What changes

    def take(self) -> bool:
        """Show what the feed took in since; True when there was anything. This is where a new frame of a log begins."""
        feed = self.feed
        if feed is None:
            return False
        before = self._standing()
        feed.adopt_heads()
        first = feed.story.changed
        if first is None:
            self.post_message(self.Status())
            return False
        first_row = self.shown.starts[min(first, len(self.shown.starts) - 1)]
        below = self.row_count() - self.cursor
        self.shown.measure(first)
        self.rows_changed(min(first_row, self.row_count()))
        self._stand(before)
        if not self.following and not (feed.needle and feed.needle.only):
            # What a search finds further on is not new.
            self.unseen += max(0, self.row_count() - self.cursor - below)
        self.post_message(self.Status())
        return True

    def _standing(self) -> tuple[Spot, int, Spot | None]:
        """What is at the cursor, how far down in sight, and what a selection begins with."""
        mark = self.shown.spot(self.mark) if self.mark is not None else None
        return self.shown.spot(self.cursor), self.cursor - self.scroll_offset.y, mark

    def _stand(self, before: tuple[Spot, int, Spot | None]) -> None:
        """Be where it was, though rows above came or went; at the end, stay there."""
        spot, down, mark = before
        if mark is not None:
            self.mark = self.shown.row_of(mark)
        if self.following:
            self._to_end()
            return
        if self._wanted is not None and self.shown.counted(self._wanted.number):
            wanted, self._wanted = self._wanted, None
            super().move_to(self.shown.row_of(wanted), center=True)
            return
        row = self.shown.row_of(spot)
        if row != self.cursor:
            self.cursor = row
            self.go(row - down)

    def _show_otherwise(self, page: LogPage) -> None:
        """Show the same feed on another page; what is at the cursor stays there."""
        before = self._standing()
        self.shown, self.mark = page, None
        self._painted.clear()
        self.rows_changed()
        self.refresh()
        self._stand(before)
        self.post_message(self.Status())

    def look_for(self, needle: Needle | None) -> None:
        """Mark what has a text, or show only that."""
        if self.feed is None or needle == self.feed.needle:
            return
        before = self._standing()
        only = bool(self.feed.needle and self.feed.needle.only) or bool(needle and needle.only)
        self.feed.look_for(needle)
        if only:
            self.shown.measure(0)
            self.rows_changed()
            self._stand(before)
        self.refresh()
        self.post_message(self.Status())

    def set_scope(self, scope: Scope) -> None:
        """Show the story, or raw output."""
        if self.feed is not None:
            self.set_following(False)
            self._show_otherwise(LogPage(self.feed, scope=scope, times=self.shown.times, width=self.size.width))
            self.move_to(self.cursor, center=True)

    def set_times(self, times: bool) -> None:
        """Show when each row came, or do not."""
        if times != self.shown.times:
            self._show_otherwise(LogPage(self.feed, scope=self.shown.scope, times=times, width=self.size.width))

    # Following

    def _to_end(self) -> None:
        self.cursor = max(0, self.row_count() - 1)
        self.go(self.row_count())

    def set_following(self, following: bool) -> None:
        """Stay at the end while more comes, or stay where the user reads."""
        if following:
            self.unseen, self._wanted = 0, None
        elif self.feed is not None:
            # What the user is reading does not fold under his eyes.
            for number in self.feed.story.running:
                block = self.feed.story.blocks[number]
                if isinstance(block, Command) and block.unfolded is None:
                    block.unfolded = True
        if following != self.following:
            self.following = following
            self.set_class(following, "-following")
            self.call_after_refresh(self._place_scrollbar)
            self.post_message(self.Status())
        if following:
            self._to_end()

    def _place_scrollbar(self) -> None:
        # A bar that was hidden while the view scrolled does not know where the view is.
        self.vertical_scrollbar.position = self.scroll_y

    def move_to(self, row: int, *, center: bool = False) -> None:
        """Moving away from the end stops following, coming back to it follows again."""
        self._wanted = None
        super().move_to(row, center=center)
        self.set_following(self.cursor >= self.row_count() - 1 and self.mark is None)
        self.post_message(self.Status())

    def to_spot(self, spot: Spot) -> None:
        """Put the cursor on something, unfolded if it has to be; without following, also at the end."""
        block = self.shown.blocks[spot.number]
        if isinstance(block, Command) and not self.shown.reveals(spot):
            block.unfolded = True
            self.shown.measure(spot.number)
            self.rows_changed(self.shown.starts[spot.number])
        counted = spot.place is None or self.shown.counted(spot.number)
        self.set_following(False)
        super().move_to(self.shown.row_of(spot), center=True)
        self._wanted = None if counted else spot
        self.post_message(self.Status())

    # Mouse, size

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel: stop following, the cursor comes along."""
        self._wheel(event, -1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel: at the end, follow again."""
        self._wheel(event, 1)

    def _wheel(self, event: events.MouseEvent, direction: int) -> None:
        if self.wrap:
            # Textual's own scrolling knows only rows.
            event.prevent_default()
            event.stop()
            lines = direction * round(self.app.scroll_sensitivity_y)
            self.go(*self._along(self.scroll_offset.y, self._sub, lines))
        self.call_next(self._scrolled)

    def on_scroll_to(self) -> None:
        """The scrollbar was drawn."""
        self.call_next(self._scrolled)

    def _scrolled(self) -> None:
        if self.wrap:
            self.go(self.scroll_offset.y, self._sub)
        top, last = self.scroll_offset.y, max(0, self.row_under(self.page - 1))
        last = min(last, self.row_count() - 1)
        self.cursor = self.row_count() - 1 if self.at_end else min(max(self.cursor, top), max(0, last))
        self.set_following(self.at_end and self.mark is None)
        self.post_message(self.Status())

    def _keep_in_sight(self) -> None:
        """Texts wrap to the new width; the end stays the end."""
        if self.size.width != self.shown.width:
            before = self._standing()
            self.shown.width = self.size.width
            self.shown.measure(0)
            self.rows_changed()
            self._stand(before)
        if self.following:
            self._to_end()
        else:
            super().move_to(self.cursor)
        self.post_message(self.Status())

    def refresh_running(self) -> None:
        """Paint the clocks of running commands again, if they are in sight."""
        top, last = self.scroll_offset.y, self.scroll_offset.y + self.page
        for number in self.feed.story.running if self.feed else ():
            row = self.shown.starts[min(number, len(self.shown.starts) - 1)]
            if top <= row < last:
                self.refresh() if self.wrap else self.refresh_line(row)
