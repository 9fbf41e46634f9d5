"""Every key, those of this pane first; what does not work here now says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from tui.present import actions
from tui.present.row import Row, row
from tui.screens.frames import Dialog
from tui.widgets.line_view import Summary


class Help(Dialog[None]):
    """The table of keys, made from the registry of actions."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,enter", "dismiss", "close")]

    def __init__(self, here: str, why_not: Callable[[str], str]) -> None:
        super().__init__()
        self._rows = help_rows(here, why_not)

    def compose(self) -> ComposeResult:
        """The table."""
        with Vertical(classes="dialog") as box:
            box.border_title = "Keys"
            box.border_subtitle = "esc closes"
            yield Summary(widget_id="help-view")

    def on_mount(self) -> None:
        """Fill it."""
        view = self.query_one(Summary)
        view.show(self._rows)
        view.focus()


def help_rows(here: str, why_not: Callable[[str], str]) -> list[Row]:
    """The registry as a table: the pane the user is in, everywhere, lists, then the other panes."""
    first = (here, "everywhere", "list")
    order = [*first, *(group for group in actions.GROUPS if group not in first)]
    rows: list[Row] = []
    for group in order:
        rows += [row(""), row((f" {actions.GROUPS[group]}", "accent strong"))]
        for action in actions.of(group):
            reason = why_not(action.id)
            right = ((f"{reason} ", "muted"),) if reason else ()
            role = "muted" if reason else ""
            keys = (f"   {action.all_keys:<14}", "muted" if reason else "key")
            rows.append(row(keys, (action.tooltip, role), right=right))
    return rows
