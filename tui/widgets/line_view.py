"""The base of every list and text of the workbench: rows with a cursor, made only when they are seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from msgspec.structs import replace
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from tui.present import actions
from tui.present.row import EMPTY, Row, paint
from tui.present.theme import Palette

if TYPE_CHECKING:
    from tui.app import Workbench

_SIDEWAYS = 16


class LineView(ScrollView, can_focus=True):
    """Shows `row_count()` rows, each made by `rows(first, last)` when it comes into sight."""

    DEFAULT_CSS = """
    LineView {
        overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1;
        background: $background; color: $foreground;
        &.-whole { scrollbar-size-vertical: 0; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = actions.bindings("list")
    HAS_CURSOR: ClassVar[bool] = True
    TAB: ClassVar[int] = 8

    cursor: reactive[int] = reactive(0, repaint=False)

    class _AtRow(Message):
        def __init__(self, view: LineView, row: int) -> None:
            super().__init__()
            self.view = view
            self.row = row

        @property
        def control(self) -> LineView:
            """The view the row is in."""
            return self.view

    class Opened(_AtRow):
        """A row was chosen, by key or by mouse."""

    class Moved(_AtRow):
        """The cursor is on another row."""

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(id=widget_id)
        self.shift = 0
        self._placeholder: tuple[Row, ...] = ()
        self._seen: dict[int, Row] = {}
        self._painted: LRUCache[tuple[Row, int, int], Strip] = LRUCache(1024)
        self._base = Style.null()

    # What a subclass says

    def row_count(self) -> int:
        """How many rows there are."""
        return 0

    def rows(self, first: int, last: int) -> list[Row]:
        """The rows from `first` up to `last`; they are asked for once a frame."""
        return []

    def set_placeholder(self, *rows: Row) -> None:
        """What to show while there is no row: what this place is for and what to do."""
        if rows != self._placeholder:
            self._placeholder = rows
            self.refresh()

    # Painting

    @property
    def palette(self) -> Palette:
        """The styles of the theme in use."""
        return cast("Workbench", self.app).palette

    def notify_style_update(self) -> None:
        """The theme changed: nothing painted so far is of use."""
        super().notify_style_update()
        self._painted.clear()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Make the rows in sight, then paint them."""
        top = self.scroll_offset.y + crop.y
        last = min(top + crop.height, self.row_count())
        self._seen = dict(enumerate(self.rows(top, last), top)) if top < last else {}
        if not self.row_count():
            self._seen = dict(enumerate(self._placeholder))
        self._base = self.rich_style
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """The strip at this line of the view."""
        number = y + self.scroll_offset.y
        line = self._with_cursor(number, self._seen.get(number, EMPTY))
        width = self.scrollable_content_region.width
        key = (line, width, self.shift)
        strip = self._painted.get(key)
        if strip is None:
            strip = paint(line, width, self.palette, self._base, shift=self.shift, tab=self.TAB)
            self._painted[key] = strip
        return strip

    def _with_cursor(self, number: int, line: Row) -> Row:
        over = self.over(number) if number < self.row_count() else ""
        return self.covered(line, over) if over else line

    def over(self, number: int) -> str:
        """The role that a row has for being where the cursor is."""
        if not self.HAS_CURSOR or number != self.cursor:
            return ""
        return "cursor" if self.has_focus else "cursor-blurred"

    def covered(self, line: Row, over: str) -> Row:
        """A row with that role instead of its own."""
        beside = replace(line.beside, role=over) if line.beside else None
        return replace(line, role=over, beside=beside)

    def scrolled_height(self) -> int:
        """How far there is to scroll, in rows."""
        return self.row_count()

    def rows_changed(self, first: int = 0) -> None:
        """Rows from number `first` on are different, more or fewer than before."""
        count = self.row_count()
        if (height := self.scrolled_height()) != self.virtual_size.height:
            self.virtual_size = Size(1, height)
        if self.cursor >= count:
            self.cursor = max(0, count - 1)
        top = self.scroll_offset.y
        height = self.scrollable_content_region.height
        if first < top + height:
            shown = max(0, first - top)
            self.refresh(Region(0, shown, self.size.width, max(1, height - shown)))

    # Moving

    @property
    def page(self) -> int:
        """How many rows are in sight."""
        return max(1, self.scrollable_content_region.height)

    def row_under(self, y: int) -> int:
        """The row at a line of the view."""
        return y + self.scroll_offset.y

    def move_to(self, row: int, *, center: bool = False) -> None:
        """Put the cursor on a row and bring it into sight."""
        self.cursor = min(max(0, row), max(0, self.row_count() - 1))
        top = self.scroll_offset.y
        if center:
            self.go(self.cursor - self.page // 3)
        elif self.cursor < top:
            self.go(self.cursor)
        elif self.cursor >= top + self.page:
            self.go(self.cursor - self.page + 1)

    def go(self, top: int) -> None:
        """Make row `top` the first in sight, at once."""
        self.scroll_to(y=max(0, min(top, self.max_scroll_y)), animate=False, force=True)

    def watch_cursor(self, old: int, new: int) -> None:
        """Only the two rows concerned are painted again."""
        for row in (old, new):
            self.refresh(Region(0, row - self.scroll_offset.y, self.size.width, 1))
        self.post_message(self.Moved(self, new))

    def _step(self, rows: int, *, turn: bool = False) -> None:
        """Move by rows; with `turn` what is in sight moves as far as the cursor."""
        if turn or not self.HAS_CURSOR:
            self.go(self.scroll_offset.y + rows)
        if self.HAS_CURSOR:
            self.move_to(self.cursor + rows)

    def action_list_down(self) -> None:
        """One row down."""
        self._step(1)

    def action_list_up(self) -> None:
        """One row up."""
        self._step(-1)

    def action_list_page_down(self) -> None:
        """One page down."""
        self._step(self.page - 1, turn=True)

    def action_list_page_up(self) -> None:
        """One page up."""
        self._step(1 - self.page, turn=True)

    def action_list_half_down(self) -> None:
        """Half a page down."""
        self._step(self.page // 2, turn=True)

    def action_list_half_up(self) -> None:
        """Half a page up."""
        self._step(-(self.page // 2), turn=True)

    def action_list_top(self) -> None:
        """To the first row."""
        self._step(-self.row_count())

    def action_list_end(self) -> None:
        """To the last row."""
        self._step(self.row_count())

    def action_list_right(self) -> None:
        """Show what is further right."""
        self._sideways(_SIDEWAYS)

    def action_list_left(self) -> None:
        """Show what is further left."""
        self._sideways(-_SIDEWAYS)

    def _sideways(self, cells: int) -> None:
        before, self.shift = self.shift, max(0, self.shift + cells)
        if before != self.shift:
            self.refresh()

    def action_list_open(self) -> None:
        """Choose the row at the cursor."""
        if self.row_count():
            self.post_message(self.Opened(self, self.cursor))

    def on_click(self, event: events.Click) -> None:
        """The cursor goes where the mouse points; a second click chooses."""
        row = self.row_under(int(event.y))
        if not self.HAS_CURSOR or row >= self.row_count():
            return
        again = row == self.cursor
        self.move_to(row)
        if again or event.chain > 1:
            self.action_list_open()

    def _on_focus(self, event: events.Focus) -> None:
        """As Textual's, but only the cursor's row looks different."""
        event.prevent_default()
        self._has_keys(events.DescendantFocus(self), focus=True)

    def _on_blur(self, event: events.Blur) -> None:
        event.prevent_default()
        self._has_keys(events.DescendantBlur(self), focus=False)

    def _has_keys(self, told: Message, *, focus: bool) -> None:
        self.has_focus = focus
        self.refresh(Region(0, self.cursor - self.scroll_offset.y, self.size.width, 1))
        if isinstance(self.parent, Widget):
            self.parent.post_message(told)

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self.call_after_refresh(self._keep_in_sight)

    def _keep_in_sight(self) -> None:
        if self.HAS_CURSOR:
            self.move_to(self.cursor)


class RowList(LineView):
    """A view of rows that were made beforehand: lists and summaries of a screen or two."""

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(widget_id=widget_id)
        self._rows: list[Row] = []

    def row_count(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def rows(self, first: int, last: int) -> list[Row]:
        """The rows in sight."""
        return self._rows[first:last]

    def show(self, rows: list[Row]) -> None:
        """Show these rows; only those that are different are painted."""
        before, self._rows = self._rows, rows
        if len(rows) != len(before):
            same = next((n for n, (a, b) in enumerate(zip(rows, before, strict=False)) if a != b), None)
            self.rows_changed(same if same is not None else min(len(rows), len(before)))
            return
        for number, (line, was) in enumerate(zip(rows, before, strict=True)):
            if line != was:
                self.refresh(Region(0, number - self.scroll_offset.y, self.size.width, 1))


class Summary(RowList):
    """Rows to read, without a cursor."""

    HAS_CURSOR = False
