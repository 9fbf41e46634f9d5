"""A small editor for a text of a few lines: a comment, a follow-up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from tui.present.text import content
from tui.screens.frames import Dialog
from tui.widgets.prompt_area import PromptArea


class Writer(Dialog[str | None]):
    """Gives back what was written, or None when nothing is to change."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "keep", "keep", priority=True),
        Binding("escape", "leave", "leave", priority=True),
    ]

    def __init__(self, title: str, text: str, *, quoted: Sequence[str] = (), verb: str = "keep",
                 earlier: Sequence[str] = ()) -> None:  # fmt: skip
        super().__init__()
        self._earlier = earlier
        self._about, self._text, self._quoted, self._verb = title, text, quoted, verb
        self._warned = False

    def compose(self) -> ComposeResult:
        """What it is about, the text, the keys."""
        with Vertical(classes="dialog") as box:
            box.border_title = content(self._about)
            if self._quoted:
                yield Static(content("\n".join(self._quoted).replace("\t", "    ")), classes="muted quoted")
            yield PromptArea(self._text, self._earlier)
            more = PromptArea.KEYS if self._earlier else PromptArea.KEYS[2:]
            keys = (("^s", "bold"), f" {self._verb}   ", *more, ("esc", "bold"), " leave")
            yield Static(content(*keys), classes="keys")

    def action_keep(self) -> None:
        """Close with what is written."""
        self.dismiss(self.query_one(PromptArea).text)

    def action_leave(self) -> None:
        """Close without it; what was written is thrown away only when the user says so twice."""
        text = self.query_one(PromptArea).text
        if text != self._text and text.strip() and not self._warned:
            self._warned = True
            self.query_one(".dialog").border_subtitle = "esc again throws the text away"
            return
        self.dismiss(None)
