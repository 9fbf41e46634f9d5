"""The field that asks what the log is to be filtered by."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import on
from textual.widgets import Input

if TYPE_CHECKING:
    from tui.panes.log import LogPane


class FilterField(Input):
    """Filters while it is typed; enter goes back to the log, escape shows everything again."""

    def __init__(self, text: str) -> None:
        super().__init__(text, id="log-filter", placeholder="show only lines that contain …", compact=True)

    def on_mount(self) -> None:
        """Type at once; nothing blinks."""
        self.cursor_blink = False
        self.focus()

    @property
    def _pane(self) -> LogPane:
        return cast("LogPane", self.parent)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._pane.set_filter(event.value)

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self._pane.filter_entered()
