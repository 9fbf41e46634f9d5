"""Pane 2: the environment the next task runs in."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.bench.environments import EnvironmentEntry
from tui.panes.pane import Pane
from tui.present import actions, environment
from tui.widgets.line_view import Summary


class EnvironmentView(Summary):
    """The environment in words; its actions are done by the screen."""

    BINDINGS: ClassVar[list[BindingType]] = actions.bindings("environment")


class EnvironmentPane(Pane):
    """A readable summary of the environment file, or its problems."""

    NUMBER, NAME, GROUP = 2, "Environment", "environment"

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[EnvironmentEntry | None, int, int] = (None, 0, 0)

    def compose(self) -> ComposeResult:
        """The summary."""
        yield EnvironmentView(widget_id="environment-view")

    def show(self, entry: EnvironmentEntry | None, number: int, of: int) -> None:
        """Show environment `number` (from 0) of `of`."""
        self._shown = (entry, number, of)
        view = self.query_one(EnvironmentView)
        if entry is None:
            view.set_placeholder(*environment.no_environment())
            view.show([])
        elif entry.environment is None:
            view.show(environment.problem_rows(entry.path, entry.problems, self.inside))
        else:
            view.show(environment.rows(entry.environment, self.inside))
        self.fit(min(15, max(7, view.row_count())))
        self.set_title(entry.name if entry else "", note=f"{number + 1} of {of}" if of > 1 else "")

    def on_resize(self) -> None:
        """Problems wrap to the new width."""
        self.call_after_refresh(lambda: self.show(*self._shown))
