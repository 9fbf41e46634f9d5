"""Where to write something."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from tui.present.text import content
from tui.screens.frames import Dialog


class SaveFile(Dialog[Path | None]):
    """Gives back the name of a file to write; a relative one is meant from where the workbench was started."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "leave", priority=True)]

    def __init__(self, title: str, name: str) -> None:
        super().__init__()
        self._title, self._name = title, name

    def compose(self) -> ComposeResult:
        """The name, the keys."""
        with Vertical(classes="dialog") as box:
            box.border_title = content(self._title)
            yield Input(self._name, compact=True)
            yield Static(content(("enter", "bold"), " write    ", ("esc", "bold"), " leave"), classes="keys")

    def on_mount(self) -> None:
        """Type at once; nothing blinks."""
        field = self.query_one(Input)
        field.cursor_blink = False
        field.focus()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            self.dismiss(Path(event.value.strip()).expanduser())
