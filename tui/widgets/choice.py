"""A field with a few values on one line: `‹ web ›`."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive

from tui.present.row import row
from tui.widgets.bar import Bar


class Choice(Bar, can_focus=True):
    """One of several values; left and right, space and the mouse change it."""

    DEFAULT_CSS = "Choice { background: $surface; } Choice:focus { background: $panel; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l,space,down", "step(1)", "next"),
        Binding("left,h,up", "step(-1)", "previous"),
    ]

    number: reactive[int] = reactive(0)

    class Changed(Message):
        """Another value is chosen."""

        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

    def __init__(self, values: list[str], number: int, *, widget_id: str | None = None) -> None:
        super().__init__(widget_id=widget_id)
        self._values = values
        self.set_reactive(Choice.number, number)

    def on_mount(self) -> None:
        """Show the value."""
        self._show()

    def watch_number(self) -> None:
        """Show the new value."""
        self._show()

    def _show(self) -> None:
        several = len(self._values) > 1
        left, right = ("‹ ", " ›") if several else ("  ", "")
        self.show(row((f" {left}", "key"), (self._values[self.number], "strong"), (right, "key")))

    def action_step(self, step: int) -> None:
        """Choose the next or previous value, round and round."""
        self.number = (self.number + step) % len(self._values)
        self.post_message(self.Changed(self))

    def on_click(self) -> None:
        """The next value."""
        self.focus()
        self.action_step(1)
