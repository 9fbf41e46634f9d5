"""A text over the screen, to read."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from tui.present.row import Row
from tui.screens.frames import Dialog
from tui.widgets.line_view import Summary


class TextDialog(Dialog[None]):
    """Rows made for the width there is; closed with escape."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "dismiss", "close")]

    def __init__(self, title: str, rows: Callable[[int], list[Row]]) -> None:
        super().__init__()
        self._title, self._make = title, rows

    def compose(self) -> ComposeResult:
        """The text."""
        with Vertical(classes="dialog") as box:
            box.border_title = self._title
            box.border_subtitle = "esc closes"
            yield Summary(widget_id="text-view")

    def on_mount(self) -> None:
        """It has the keys."""
        self.query_one(Summary).focus()

    def on_resize(self) -> None:
        """Texts wrap to the new width."""
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        view = self.query_one(Summary)
        rows = self._make(max(20, view.size.width - 1))
        view.show(rows)
        view.styles.height = len(rows)
