"""The popup of what could be written at the cursor."""

from __future__ import annotations

from engine.environment.complete import Completion
from tui.present import editing
from tui.widgets.line_view import RowList

_MOST_ROWS = 8


class Completions(RowList, can_focus=False):
    """A few candidates above or below the cursor's line; the editor has the keys."""

    DEFAULT_CSS = """
    Completions {
        layer: above; display: none; width: 72; max-width: 100%; height: auto; max-height: 8;
        background: $panel; position: absolute;
    }
    Completions.open { display: block; }
    """

    def __init__(self) -> None:
        super().__init__(widget_id="completions")
        self._found: Completion | None = None
        self.row = 0

    @property
    def is_open(self) -> bool:
        """Whether it is on the screen."""
        return self.has_class("open")

    def show_completion(self, found: Completion, row: int) -> None:
        """Offer these for the cursor's line; nothing is shown when there are none."""
        self._found, self.row = found, row
        self.set_class(bool(found.candidates), "open")
        self.styles.height = min(_MOST_ROWS, len(found.candidates)) or 1
        self.show([editing.candidate_row(c.text.strip(), c.doc) for c in found.candidates])
        self.move_to(0)

    def close(self) -> None:
        """Away."""
        self.remove_class("open")

    def step(self, rows: int) -> None:
        """Another candidate, round and round."""
        self.move_to((self.cursor + rows) % max(1, self.row_count()))

    def chosen(self) -> tuple[str, int]:
        """The text to write, and the column it begins at."""
        assert self._found is not None
        return self._found.candidates[self.cursor].text, self._found.start
