"""A project without an environment: what was found, what would run, what it could reach, who would work (SPEC E3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from tui.present.first import rows
from tui.present.text import content
from tui.screens.frames import Dialog
from tui.widgets.line_view import Summary

if TYPE_CHECKING:
    from engine.environment.first import FirstLook


class FirstStart(Dialog[str | None]):
    """Gives back what to do: `go` writes the file and asks for a prompt, `write` writes it alone; or None."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "answer('go')", "go", priority=True),
        Binding("w", "answer('write')", "write the file"),
        Binding("escape,q", "leave", "not now"),
    ]

    def __init__(self, look: FirstLook) -> None:
        super().__init__()
        self._look = look

    def compose(self) -> ComposeResult:
        """What there is to know, the keys."""
        with Vertical(classes="dialog") as box:
            box.border_title = content(f"First start in {self._look.folder.name}")
            yield Summary(widget_id="first-look")
            keys = (("w", "bold"), " only write it   ", ("esc", "bold"), " not now")
            yield Static(content(("enter", "bold"), " write fumehood.toml and go   ", *keys), classes="keys")

    def on_mount(self) -> None:
        """The keys scroll."""
        view = self.query_one(Summary)
        view.show(rows(self._look))
        view.focus()

    def action_answer(self, answer: str) -> None:
        """Close with the answer."""
        self.dismiss(answer)

    def action_leave(self) -> None:
        """Close; nothing is written."""
        self.dismiss(None)
