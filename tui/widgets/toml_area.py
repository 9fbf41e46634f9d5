"""The editor of an environment file: Textual's text area, coloured as TOML, with problems marked and keys completed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widgets import TextArea

from engine.environment.complete import complete
from tui.present import editing
from tui.widgets.completions import Completions

if TYPE_CHECKING:
    from tui.app import Workbench


class TomlArea(TextArea):
    """Edits TOML; while a popup of completions is open it has the keys that move, choose and leave."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+space,ctrl+@", "complete", "complete", priority=True)]

    class Completing(Message):
        """Completions are to be shown (or, without any, not any more)."""

    def __init__(self, text: str) -> None:
        super().__init__(
            text, id="toml", show_line_numbers=True, tab_behavior="indent", soft_wrap=False, highlight_cursor_line=True
        )
        self.cursor_blink = False
        self.indent_width = 4
        self._text = ""
        self._spans: list[list[tuple[int, int, str]]] = []
        self._problem_lines: dict[int, str] = {}
        self.popup: Completions | None = None

    # Painting

    def render_lines(self, crop: Region) -> list[Strip]:
        """Colour anew what was edited, once for all lines in sight."""
        text = "\n".join(self.document.lines)
        if text != self._text:
            self._text, self._spans = text, editing.coloured(self.document.lines)
        return super().render_lines(crop)

    def get_line(self, line_index: int) -> Text:
        """A line with its colours; what could steer the terminal is shown as a sign instead (SPEC W11)."""
        shown = Text(editing.visible(self.document.get_line(line_index)), end="", no_wrap=True)
        palette = cast("Workbench", self.app).palette
        for begin, end, role in self._spans[line_index] if line_index < len(self._spans) else ():
            shown.stylize(palette.style(role), begin, end)
        if line_index in self._problem_lines:
            shown.stylize(palette.style(self._problem_lines[line_index]))
            shown.stylize("underline")
        return shown

    def mark(self, problems: dict[int, str]) -> None:
        """Mark lines (from 0) that have a problem, each with the role of its colour."""
        if problems != self._problem_lines:
            self._problem_lines = problems
            self.notify_style_update()
            self.refresh()

    # Completion

    def action_complete(self) -> None:
        """Offer what could be written here."""
        row, column = self.cursor_location
        if self.popup is not None:
            self.popup.show_completion(complete(self.document.lines, row, column), row)
            self.post_message(self.Completing())

    async def on_key(self, event: events.Key) -> None:
        """Keys of the popup; while a key is typed it opens by itself."""
        popup = self.popup
        if popup is not None and popup.is_open:
            taken = True
            match event.key:
                case "down" | "up":
                    popup.step(1 if event.key == "down" else -1)
                case "enter" | "tab":
                    self._insert(popup)
                case _:
                    taken = False
            if taken:
                event.prevent_default()
                event.stop()
                return
        if popup is not None and (event.is_printable or event.key == "backspace"):
            self.call_after_refresh(self._typed)
        elif popup is not None:
            popup.close()

    def _typed(self) -> None:
        """Offer while a word is written."""
        row, column = self.cursor_location
        if self.popup is not None and (self.popup.is_open or self.document.get_line(row)[:column].strip()):
            self.action_complete()

    def _insert(self, popup: Completions) -> None:
        chosen, start = popup.chosen()
        row, column = self.cursor_location
        line = self.document.get_line(row)
        end = column
        # What the text brings along at its end may stand there already.
        for closing in ('"', "]"):
            if chosen.endswith(closing) and line[end : end + 1] == closing:
                end += 1
        self.replace(chosen, (row, start), (row, end), maintain_selection_offset=False)
        self.move_cursor((row, start + len(chosen)))
        popup.close()
        if chosen.endswith("= "):
            self.action_complete()
