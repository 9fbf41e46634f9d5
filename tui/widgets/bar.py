"""One line across a pane or the screen; parts of it can be clicked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from rich.cells import cell_len
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.present.row import EMPTY, Row, Span, paint

if TYPE_CHECKING:
    from tui.app import Workbench


class Bar(Widget):
    """Shows one row; nothing is painted when it is given the same again."""

    DEFAULT_CSS = "Bar { height: 1; background: $background; color: $foreground; }"

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(id=widget_id)
        self._row: Row = EMPTY

    def show(self, row: Row) -> None:
        """Show this row."""
        if row != self._row:
            self._row = row
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The row as cells."""
        if y:
            return Strip.blank(self.size.width, self.rich_style)
        return paint(self._row, self.size.width, cast("Workbench", self.app).palette, self.rich_style)


class Choices(Bar):
    """A bar of parts that can be chosen with the mouse: keys in the footer, tabs."""

    class Chosen(Message):
        """This part was clicked."""

        def __init__(self, bar: Choices, part: str) -> None:
            super().__init__()
            self.bar = bar
            self.part = part

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(widget_id=widget_id)
        self._parts: list[tuple[str, Sequence[Span]]] = []

    def show_parts(self, parts: Sequence[tuple[str, Sequence[Span]]], *, right: tuple[Span, ...] = ()) -> None:
        """Show parts, each with its id; those that do not fit before the last one are left out."""
        self._parts = _fitting(list(parts), self.size.width - sum(cell_len(text) for text, _ in right) - 2)
        spans = [span for _, part in self._parts for span in part]
        self.show(Row(tuple(spans), right, "bar"))

    def on_click(self, event: events.Click) -> None:
        """Find the part at the mouse."""
        position = 0
        for part, spans in self._parts:
            position += sum(cell_len(str(text)) for text, _ in spans)
            if event.x < position:
                self.post_message(self.Chosen(self, part))
                return


def _fitting(parts: list[tuple[str, Sequence[Span]]], width: int) -> list[tuple[str, Sequence[Span]]]:
    """The last two parts always stay: in the footer they are the help and the way out."""
    cells = [sum(cell_len(str(text)) for text, _ in spans) for _, spans in parts]
    while len(parts) > 2 and sum(cells) > width > 0:
        del parts[-3], cells[-3]
    return parts
