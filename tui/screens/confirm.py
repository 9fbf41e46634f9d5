"""A question before what cannot be undone."""

from __future__ import annotations

import time
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from tui.present.text import content
from tui.screens.frames import Dialog

# Seconds in which nobody has read a question yet.
_UNREAD = 0.7


class Confirm(Dialog[bool]):
    """True when the user says yes.

    Args:
        late: it comes by itself, not at a key: keys of its first moment, and enter, were meant for something else.
    """

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes"),
        Binding("enter", "enter", "yes"),
        Binding("n,escape,q", "answer(False)", "no"),
    ]

    def __init__(self, question: str, consequence: str, verb: str, *, late: bool = False) -> None:
        super().__init__()
        self._late = late
        self._read_at = time.monotonic() + _UNREAD if late else 0.0
        self._question, self._consequence, self._verb = question, consequence, verb

    def compose(self) -> ComposeResult:
        """The question, what follows from yes, the keys."""
        with Vertical(classes="dialog"):
            yield Static(content((self._question, "bold")))
            yield Static(content(self._consequence), classes="muted")
            yield Static(content("\n", ("y", "bold"), f" {self._verb}    ", ("n", "bold"), " go back"))

    def action_answer(self, yes: bool) -> None:
        """Close with the answer."""
        if time.monotonic() >= self._read_at:
            self.dismiss(yes)

    def action_enter(self) -> None:
        """Yes to what a key asked for."""
        if not self._late:
            self.dismiss(True)
