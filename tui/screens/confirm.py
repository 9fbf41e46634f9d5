"""A question before what cannot be undone."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from tui.present.text import content
from tui.screens.frames import Dialog


class Confirm(Dialog[bool]):
    """True when the user says yes."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "answer(True)", "yes"),
        Binding("n,escape,q", "answer(False)", "no"),
    ]

    def __init__(self, question: str, consequence: str, verb: str) -> None:
        super().__init__()
        self._question, self._consequence, self._verb = question, consequence, verb

    def compose(self) -> ComposeResult:
        """The question, what follows from yes, the keys."""
        with Vertical(classes="dialog"):
            yield Static(content((self._question, "bold")))
            yield Static(content(self._consequence), classes="muted")
            yield Static(content("\n", ("y", "bold"), f" {self._verb}    ", ("n", "bold"), " go back"))

    def action_answer(self, yes: bool) -> None:
        """Close with the answer."""
        self.dismiss(yes)
