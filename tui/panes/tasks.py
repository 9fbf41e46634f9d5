"""Pane 1: every task, the newest on top."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.tasks.model import TaskState
from tui.panes.pane import Pane
from tui.present import actions, task, words
from tui.widgets.line_view import RowList


class TaskList(RowList):
    """The tasks; the cursor stays on its task when others come and go."""

    BINDINGS: ClassVar[list[BindingType]] = actions.bindings("tasks")

    def action_open_task(self) -> None:
        """Open the task at the cursor."""
        self.action_list_open()


class TasksPane(Pane):
    """The list of tasks."""

    NUMBER, NAME, GROUP = 1, "Tasks", "tasks"

    def __init__(self) -> None:
        super().__init__()
        self._ids: list[str] = []

    def compose(self) -> ComposeResult:
        """The list."""
        yield TaskList(widget_id="task-list")

    def show(self, states: list[TaskState]) -> None:
        """Show these tasks; the cursor stays on the task it was on."""
        view = self.query_one(TaskList)
        at = self.selected
        self._ids = [state.id for state in states]
        view.set_placeholder(*task.EMPTY_LIST)
        now = words.now()
        view.show([task.list_row(state, now) for state in states])
        if at in self._ids and self._ids.index(at) != view.cursor:
            self.select(at)
        self.set_title(f"{len(states):,}" if states else "")

    @property
    def selected(self) -> str:
        """The id of the task at the cursor; empty when there is none."""
        cursor = self.query_one(TaskList).cursor
        return self._ids[cursor] if cursor < len(self._ids) else ""

    def select(self, task_id: str) -> None:
        """Put the cursor on a task."""
        if task_id in self._ids:
            self.query_one(TaskList).move_to(self._ids.index(task_id))
