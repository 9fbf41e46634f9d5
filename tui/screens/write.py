"""A small editor for a text of a few lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static, TextArea

from tui.present.text import content


class Writer(ModalScreen[str | None]):
    """Gives back what was written, or None when nothing is to change."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "keep", "keep", priority=True),
        Binding("escape", "leave", "leave", priority=True),
    ]

    def __init__(self, title: str, text: str, *, quoted: Sequence[str] = (), verb: str = "keep") -> None:
        super().__init__()
        self._about, self._text, self._quoted, self._verb = title, text, quoted, verb
        self._warned = False

    def compose(self) -> ComposeResult:
        """What it is about, the text, the keys."""
        with Vertical(classes="dialog") as box:
            box.border_title = content(self._about)
            if self._quoted:
                yield Static(content("\n".join(self._quoted).replace("\t", "    ")), classes="muted quoted")
            yield TextArea(self._text, tab_behavior="focus")
            yield Static(content(("^s", "bold"), f" {self._verb}    ", ("esc", "bold"), " leave"), classes="keys")

    def on_mount(self) -> None:
        """Write at once; nothing blinks."""
        area = self.query_one(TextArea)
        area.cursor_blink = False
        area.move_cursor(area.document.end)
        area.focus()

    def action_keep(self) -> None:
        """Close with what is written."""
        self.dismiss(self.query_one(TextArea).text)

    def action_leave(self) -> None:
        """Close without it; what was written is thrown away only when the user says so twice."""
        text = self.query_one(TextArea).text
        if text != self._text and text.strip() and not self._warned:
            self._warned = True
            self.query_one(".dialog").border_subtitle = "esc again throws the text away"
            return
        self.dismiss(None)
