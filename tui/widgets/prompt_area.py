"""Where prompts are written: several lines, earlier prompts on ↑, the user's own editor on ^e."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.widgets import TextArea

from engine.errors import EngineError
from tui.live.external import edit_text

if TYPE_CHECKING:
    from tui.app import Workbench


class PromptArea(TextArea):
    """A text area that knows what was asked before.

    Args:
        text: what is written already.
        earlier: earlier prompts, the last one first.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "earlier", "earlier prompt"),
        Binding("down", "later", "later prompt"),
        Binding("ctrl+e", "edit_outside", "$EDITOR"),
    ]
    KEYS: ClassVar[tuple[str | tuple[str, str], ...]] = (("↑", "bold"), " earlier   ", ("^e", "bold"), " $EDITOR   ")

    def __init__(self, text: str, earlier: Sequence[str] = ()) -> None:
        super().__init__(text, id="prompt", tab_behavior="focus")
        # The prompts one can go through; the first is what is being written.
        self._all = [text, *earlier]
        self._at = 0

    def on_mount(self) -> None:
        """Write at once; nothing blinks."""
        self.cursor_blink = False
        self.move_cursor(self.document.end)
        self.focus()

    def _show(self, number: int) -> None:
        self._all[self._at] = self.text
        self._at = number
        self.load_text(self._all[number])
        self.move_cursor(self.document.end)

    def action_earlier(self) -> None:
        """On the first line the prompt before, else one line up."""
        if self.cursor_location[0] == 0 and self._at + 1 < len(self._all):
            self._show(self._at + 1)
        else:
            self.action_cursor_up()

    def action_later(self) -> None:
        """On the last line the prompt after, back to what was being written; else one line down."""
        if self._at and self.cursor_location[0] == self.document.line_count - 1:
            self._show(self._at - 1)
        else:
            self.action_cursor_down()

    def action_edit_outside(self) -> None:
        """Write it in the user's editor."""
        app = cast("Workbench", self.app)
        try:
            edited = edit_text(app, self.text)
        except EngineError as error:
            app.tell(error.message, hint=error.hint, bad=True)
        else:
            self.load_text(edited)
            self.move_cursor(self.document.end)
