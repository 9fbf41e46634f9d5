"""A view whose long rows may take several lines of the screen; only those in sight are ever wrapped."""

from __future__ import annotations

from textual.cache import LRUCache
from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.present.row import Row, paint_wrapped
from tui.widgets.line_view import LineView


class WrapView(LineView):
    """Where it stands is a row and, while it wraps, the first of the row's lines in sight.

    The scrollbar and everything else count rows, so nothing of what is out of sight need be known.
    """

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(widget_id=widget_id)
        self.wrap = False
        self._sub = 0
        self._layout: list[tuple[int, Strip]] = []
        self._wrapped: LRUCache[tuple[Row, int], list[Strip]] = LRUCache(512)

    def set_wrap(self, wrap: bool) -> None:
        """Wrap rows that are longer than the view is wide, or do not."""
        if wrap != self.wrap:
            self.wrap, self._sub = wrap, 0
            self.rows_changed()
            self.refresh()
            self._keep_in_sight()

    def forget_painted(self) -> None:
        """Nothing painted so far is of use."""
        self._painted.clear()
        self._wrapped.clear()

    def notify_style_update(self) -> None:
        """The theme changed."""
        super().notify_style_update()
        self._wrapped.clear()

    # Painting

    def render_lines(self, crop: Region) -> list[Strip]:
        """Make the rows in sight and wrap them, then paint them."""
        if not self.wrap or not self.row_count():
            self._layout = []
            return super().render_lines(crop)
        self._base = self.rich_style
        top = self.scroll_offset.y
        height = self.page + self._sub
        layout: list[tuple[int, Strip]] = []
        for number, row in enumerate(self.rows(top, min(top + self.page, self.row_count())), top):
            layout += [(number, strip) for strip in self._strips(self._with_cursor(number, row))]
            if len(layout) >= height:
                break
        self._layout = layout[self._sub : height]
        # Not the one between: it makes the rows of a view that does not wrap.
        return ScrollView.render_lines(self, crop)

    def render_line(self, y: int) -> Strip:
        """The strip at this line of the view."""
        if not self._layout:
            return super().render_line(y)
        if y < len(self._layout):
            return self._layout[y][1]
        return Strip.blank(self.scrollable_content_region.width, self._base)

    def _strips(self, line: Row) -> list[Strip]:
        width = self.scrollable_content_region.width
        strips = self._wrapped.get((line, width))
        if strips is None:
            strips = paint_wrapped(line, width, self.palette, self._base, tab=self.TAB)
            self._wrapped[line, width] = strips
        return strips

    def rows_changed(self, first: int = 0) -> None:
        """Where rows wrap, all in sight may stand elsewhere."""
        super().rows_changed(self.scroll_offset.y if self.wrap and first < self.scroll_offset.y + self.page else first)

    def watch_cursor(self, old: int, new: int) -> None:
        """Only the rows concerned are painted again."""
        super().watch_cursor(old, new)
        if self.wrap:
            self.refresh()

    # Moving

    def scrolled_height(self) -> int:
        """Where rows wrap, the last one may be the only one in sight."""
        return self.row_count() + (self.page - 1 if self.wrap and self.row_count() else 0)

    def row_under(self, y: int) -> int:
        """The row at a line of the view."""
        if not self.wrap:
            return super().row_under(y)
        return self._layout[y][0] if y < len(self._layout) else self.row_count()

    def _height(self, row: int) -> int:
        if not self.wrap:
            return 1
        made = self.rows(row, row + 1)
        return len(self._strips(self._with_cursor(row, made[0]))) if made else 1

    def _along(self, row: int, sub: int, lines: int) -> tuple[int, int]:
        """The place so many lines further down, or up, but not beyond the ends."""
        sub += lines
        while sub < 0 and row > 0:
            row -= 1
            sub += self._height(row)
        while row < self.row_count() - 1 and sub >= (height := self._height(row)):
            sub -= height
            row += 1
        return row, max(0, min(sub, self._height(row) - 1))

    def _last_top(self) -> tuple[int, int]:
        """Where the view stands when it shows the end."""
        last = max(0, self.row_count() - 1)
        return self._along(last, self._height(last) - 1, 1 - self.page)

    @property
    def at_end(self) -> bool:
        """Whether the end is in sight."""
        top = self.scroll_offset.y
        if not self.wrap:
            return top + self.page >= self.row_count()
        return top + self.page >= self.row_count() and (top, self._sub) >= self._last_top()

    def go(self, top: int, sub: int = 0) -> None:
        """Make line `sub` of row `top` the first in sight, at once."""
        if not self.wrap:
            self._sub = 0
            super().go(top)
            return
        place = max((0, 0), (top, sub))
        if top + self.page >= self.row_count():
            place = min(place, self._last_top())
        if place != (self.scroll_offset.y, self._sub):
            self._sub = place[1]
            self.refresh()
            super().go(place[0])

    def move_to(self, row: int, *, center: bool = False) -> None:
        """Put the cursor on a row and bring it into sight; of one that is higher than the view, its beginning."""
        if not self.wrap:
            super().move_to(row, center=center)
            return
        self.cursor = min(max(0, row), max(0, self.row_count() - 1))
        place = (self.scroll_offset.y, self._sub)
        if center:
            self.go(*self._along(self.cursor, 0, -(self.page // 3)))
        elif (self.cursor, 0) < place:
            self.go(self.cursor)
        elif self._height(self.cursor) >= self.page:
            self.go(self.cursor, self._sub if self.cursor == place[0] else 0)
        elif (first := self._along(self.cursor, self._height(self.cursor) - 1, 1 - self.page)) > place:
            self.go(*first)

    def _step(self, rows: int, *, turn: bool = False) -> None:
        if not self.wrap or abs(rows) >= self.row_count():
            super()._step(rows, turn=turn)
        elif turn:
            self._turn(rows)
        elif self._hidden_part(rows):
            self.go(*self._along(self.scroll_offset.y, self._sub, rows))
        else:
            self.move_to(self.cursor + rows)

    def _hidden_part(self, rows: int) -> bool:
        """Whether the row at the cursor goes on out of sight in this direction: it is read to its end first."""
        place = (self.scroll_offset.y, self._sub)
        if rows < 0:
            return self.cursor == place[0] and self._sub > 0
        end = self._along(*place, self.page - 1)
        return self.cursor == end[0] and end[1] < self._height(self.cursor) - 1

    def _turn(self, lines: int) -> None:
        """Move what is in sight by so many lines, the cursor with it; at an end, only the cursor."""
        place = (self.scroll_offset.y, self._sub)
        at = next((y for y, (row, _) in enumerate(self._layout) if row == self.cursor), 0)
        self.go(*self._along(*place, lines))
        here = (self.scroll_offset.y, self._sub)
        if here == place:
            super().move_to(0 if lines < 0 else self.row_count() - 1)
            self.move_to(self.cursor)
        else:
            self.move_to(self._along(*here, at)[0])
