"""Pane 1: every task, the newest on top, or those that have some words."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.tasks.model import TaskState
from tui.panes.pane import Pane
from tui.present import actions, task, words
from tui.widgets.filter import FilterField
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
        self._states: list[TaskState] = []
        self._environment = ""
        self.filter = ""

    def compose(self) -> ComposeResult:
        """The list."""
        yield TaskList(widget_id="task-list")

    def show(self, states: list[TaskState], environment: str = "") -> None:
        """Show these tasks; `environment` is the one that a new task would be of."""
        self._states = states
        self._environment = environment or self._environment
        self._show()

    def on_resize(self) -> None:
        """Rows say more where there is room."""
        self._show()

    def _show(self) -> None:
        view = self.query_one(TaskList)
        at = self.selected
        shown = [state for state in self._states if task.fits(state, self.filter)]
        self._ids = [state.id for state in shown]
        view.set_placeholder(*(task.none_fits(self.filter) if self._states else task.empty_list(self._environment)))
        now, several = words.now(), len({state.environment for state in self._states}) > 1
        view.show([task.list_row(state, now, width=view.size.width, several=several) for state in shown])
        if at in self._ids and self._ids.index(at) != view.cursor:
            self.select(at)
        count = f"{len(self._states):,}" if self._states else ""
        self.set_title(f"{len(shown):,} of {count} with “{self.filter}”" if self.filter else count)
        for field in self.query(FilterField):
            field.found = f"{len(shown):,} of {count}" if self.filter else ""

    @property
    def selected(self) -> str:
        """The id of the task at the cursor; empty when there is none."""
        cursor = self.query_one(TaskList).cursor
        return self._ids[cursor] if cursor < len(self._ids) else ""

    def select(self, task_id: str) -> None:
        """Put the cursor on a task, which is shown whatever the filter says."""
        if task_id not in self._ids and self.filter:
            self.back()
        if task_id in self._ids:
            self.query_one(TaskList).move_to(self._ids.index(task_id))

    # Filter

    def open_filter(self) -> None:
        """Ask what to look for."""
        fields = self.query(FilterField)
        if fields:
            fields.first().focus()
        else:
            self.mount(FilterField(self.filter, placeholder="prompt, status, environment …"))

    def set_filter(self, text: str) -> None:
        """Show only tasks that have these words."""
        self.filter = text.strip()
        self._show()

    def filter_entered(self) -> None:
        """Back to the list, the filter stays."""
        if not self.filter:
            self.query(FilterField).remove()
        self.query_one(TaskList).focus()

    def back(self) -> bool:
        """Show everything again; False when there was no filter."""
        fields = self.query(FilterField)
        if not fields and not self.filter:
            return False
        fields.remove()
        self.set_filter("")
        self.query_one(TaskList).focus()
        return True
