"""A view in which several rows can be selected, by keys or by drawing over them with the mouse."""

from __future__ import annotations

from typing import ClassVar

from textual import events

from tui.widgets.line_view import LineView


class SelectView(LineView):
    """A selection goes from its mark to the cursor."""

    # Textual's own selection knows only what was painted.
    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(widget_id=widget_id)
        self.mark: int | None = None
        self._pressed: int | None = None
        self._dragged = False

    @property
    def selected_rows(self) -> range:
        """The selected rows, or that at the cursor."""
        mark = self.cursor if self.mark is None else self.mark
        return range(min(mark, self.cursor), max(mark, self.cursor) + 1)

    def over(self, number: int) -> str:
        """The selection is seen beside the cursor."""
        if self.mark is not None and number != self.cursor and number in self.selected_rows:
            return "selected"
        return super().over(number)

    def watch_cursor(self, old: int, new: int) -> None:
        """With a selection, all rows between are painted again."""
        super().watch_cursor(old, new)
        if self.mark is not None:
            self.refresh()

    def select_on(self, rows: int) -> None:
        """Move the cursor, with what it passes over selected."""
        if self.mark is None:
            self.mark = self.cursor
        self.move_to(self.cursor + rows)
        self.refresh()

    def toggle_mark(self) -> None:
        """Begin a selection here, or end it."""
        self.mark = self.cursor if self.mark is None else None
        self.refresh()

    def unselect(self) -> bool:
        """End the selection; False when there was none."""
        was, self.mark = self.mark, None
        if was is not None:
            self.refresh()
        return was is not None

    # Mouse

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """A selection may begin here."""
        row = self.row_under(int(event.y))
        self._dragged = False
        if event.button == 1 and row < self.row_count():
            self.unselect()
            self._pressed = row
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """With the button held, lines are selected."""
        if self._pressed is None or not event.button:
            return
        row = self.row_under(int(event.y))
        if row != self._pressed or self._dragged:
            self._dragged = True
            if self.mark is None:
                self.mark = self._pressed
            self.move_to(row)
            self.refresh()

    def on_mouse_up(self) -> None:
        """The selection is made."""
        self._pressed = None
        self.release_mouse()

    def on_click(self, event: events.Click) -> None:
        """What ends a selection is no choice of a row."""
        if self._dragged:
            event.prevent_default()
