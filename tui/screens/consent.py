"""The question before an environment file of a repository runs for the first time, or after a change (SPEC E7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from tui.present.text import content
from tui.present.trust import lines
from tui.screens.frames import Dialog

if TYPE_CHECKING:
    from engine.environment.trust import Review


class Consent(Dialog[bool]):
    """True when the user agrees; enter does not, for it is pressed too easily."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "trust it"),
        Binding("n,escape,q", "answer(False)", "not now"),
    ]

    def __init__(self, review: Review) -> None:
        super().__init__()
        self._lines = lines(review, script_lines=200)

    def compose(self) -> ComposeResult:
        """What the file says, to scroll through, and the keys."""
        first, *facts = self._lines
        with Vertical(classes="dialog") as box:
            box.border_title = "Run this file?"
            yield Static(content((first, "bold")))
            with VerticalScroll():
                yield Static(content("\n".join(facts)))
            yield Static(content(("y", "bold"), " trust it and start    ", ("n", "bold"), " not now    ",
                                 ("↑↓", "bold"), " scroll"), classes="keys")  # fmt: skip

    def on_mount(self) -> None:
        """The arrow keys scroll at once."""
        self.query_one(VerticalScroll).focus()

    def action_answer(self, yes: bool) -> None:
        """Close with the answer."""
        self.dismiss(yes)
