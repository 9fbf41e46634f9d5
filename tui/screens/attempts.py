"""The attempts of a task side by side, to look at and to pick one (SPEC T6)."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from engine.tasks.model import TaskState
from tui.present import attempts
from tui.present.task import title
from tui.present.text import content
from tui.screens.frames import Dialog
from tui.widgets.bar import Bar
from tui.widgets.line_view import LineView, RowList, Summary


class Attempts(Dialog[tuple[str, int] | None]):
    """Gives back `("open", N)` or `("pick", N)`, or None."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,V", "leave", "close"),
        Binding("p", "pick", "pick"),
    ]

    def __init__(self, state: TaskState, first: int) -> None:
        super().__init__()
        self._state, self._first = state, first

    def compose(self) -> ComposeResult:
        """The table, what there is to say about the attempt at the cursor, the keys."""
        with Vertical(classes="dialog") as box:
            box.border_title = content(f"Attempts · {title(self._state)}")
            yield Bar(widget_id="attempts-head")
            yield RowList(widget_id="attempts-list")
            yield Summary(widget_id="attempts-detail")
            pick = (("p", "bold"), " pick it    ") if self._state.finished else ()
            yield Static(
                content(("enter", "bold"), " show its diff    ", *pick, ("esc", "bold"), " close"), classes="keys"
            )

    def on_mount(self) -> None:
        """On the attempt that is shown."""
        self._fill()
        table = self.query_one("#attempts-list", RowList)
        table.focus()
        table.move_to(self._first - 1)
        self._detail()

    def on_resize(self) -> None:
        """As many columns as there is room for."""
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        head, rows = attempts.rows(self._state, self.query_one(Bar).size.width or 80)
        self.query_one(Bar).show(head)
        self.query_one("#attempts-list", RowList).show(rows)

    @property
    def _number(self) -> int:
        return self.query_one("#attempts-list", RowList).cursor + 1

    @on(LineView.Moved, "#attempts-list")
    def _detail(self) -> None:
        self.query_one("#attempts-detail", Summary).show(attempts.detail(self._state.attempts[self._number - 1]))

    @on(LineView.Opened, "#attempts-list")
    def _opened(self) -> None:
        self.dismiss(("open", self._number))

    def action_pick(self) -> None:
        """Prefer this attempt."""
        if self._state.finished:
            self.dismiss(("pick", self._number))
        else:
            self.query_one(".dialog").border_subtitle = "the task still works"

    def action_leave(self) -> None:
        """Close; nothing changes."""
        self.dismiss(None)
