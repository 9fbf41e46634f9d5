"""A field with one of several values on one line: `‹ web ›`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive

from tui.present.row import row
from tui.widgets.bar import Bar


class Choice(Bar, can_focus=True):
    """One of several values; left, right, space and the mouse change it, enter or a letter asks for a list."""

    DEFAULT_CSS = "Choice { background: $surface; } Choice:focus { background: $panel; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,space,down", "step(1)", "next"),
        Binding("left,up", "step(-1)", "previous"),
        Binding("enter", "list", "list"),
    ]

    number: reactive[int] = reactive(0)

    class Changed(Message):
        """Another value is chosen."""

        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

    class ListWanted(Message):
        """The values are to be shown in a list, those that fit what was typed."""

        def __init__(self, choice: Choice, typed: str) -> None:
            super().__init__()
            self.choice, self.typed = choice, typed

    def __init__(self, values: Sequence[str], number: int, *, widget_id: str | None = None) -> None:
        super().__init__(widget_id=widget_id)
        self._values = list(values)
        self._notes: Mapping[str, str] = {}
        self.set_reactive(Choice.number, number)

    @property
    def value(self) -> str:
        """The value that is chosen."""
        return self._values[self.number]

    @property
    def values(self) -> list[str]:
        """All values, in order."""
        return self._values

    def choose(self, value: str) -> None:
        """Choose this value; one that was not there yet is added."""
        if value not in self._values:
            self._values.append(value)
        self.go_to(self._values.index(value))

    def go_to(self, number: int) -> None:
        """Choose the value with this number."""
        self.number = number
        self._show()
        self.post_message(self.Changed(self))

    def set_notes(self, notes: Mapping[str, str]) -> None:
        """What there is to say about values, such as what they lack."""
        self._notes = notes
        self._show()

    def on_mount(self) -> None:
        """Show the value."""
        self._show()

    def watch_number(self) -> None:
        """Show the new value."""
        self._show()

    def _show(self) -> None:
        several = len(self._values) > 1
        left, right = ("‹ ", " ›") if several else ("  ", "")
        note = self._notes.get(self.value) or ""
        self.show(row((f" {left}", "key"), (self.value, "strong"), (right, "key"), (f"  {note}", "warn")))

    def action_step(self, step: int) -> None:
        """Choose the next or previous value, round and round."""
        self.number = (self.number + step) % len(self._values)
        self.post_message(self.Changed(self))

    def action_list(self) -> None:
        """Ask for the list."""
        self.post_message(self.ListWanted(self, ""))

    def on_key(self, event: events.Key) -> None:
        """A letter begins to look for a value."""
        if event.is_printable and event.character and event.character != " ":
            event.stop()
            event.prevent_default()
            self.post_message(self.ListWanted(self, event.character))

    def on_click(self) -> None:
        """The next value."""
        self.focus()
        self.action_step(1)
