"""The field that asks what is to be looked for in a pane."""

from __future__ import annotations

from typing import Protocol, cast

from textual import on
from textual.widgets import Input


class Searched(Protocol):
    """What a field does to the pane it is in."""

    def set_filter(self, text: str) -> None:
        """Another text is wanted."""

    def filter_entered(self) -> None:
        """The user has typed it all."""


class FilterField(Input):
    """Filters while it is typed; enter goes back to what is searched, escape shows everything again."""

    def __init__(self, text: str, *, placeholder: str = "show only lines that contain …") -> None:
        super().__init__(text, classes="filter", placeholder=placeholder, compact=True)
        self.found = ""
        """How much has the text, for where the title of the pane is not seen."""

    def on_mount(self) -> None:
        """Type at once, if it is there to be seen; nothing blinks."""
        self.cursor_blink = False
        if self.display:
            self.focus()

    @property
    def _pane(self) -> Searched:
        return cast("Searched", self.parent)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        # It comes after keys that were typed since: what the field says by now counts, and nothing once it is gone.
        if self.display:
            self._pane.set_filter(self.value)

    async def action_submit(self) -> None:
        """At once, with all that was typed: what is typed next is not for this field."""
        self._pane.set_filter(self.value)
        self._pane.filter_entered()
