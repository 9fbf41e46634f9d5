"""Pane 5: what the agent changed."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal

from engine.tasks.model import TaskState
from tui.panes.pane import Pane
from tui.present import diff
from tui.present.patch import PatchIndex
from tui.present.row import row
from tui.widgets.diff_view import DiffView, FileList
from tui.widgets.line_view import LineView

_FILES_FROM = 90


class DiffPane(Pane):
    """The files at the left when there is room, the lines at the right."""

    NUMBER, NAME, GROUP = 5, "Diff", "diff"

    def __init__(self) -> None:
        super().__init__()
        self._wanted: bool | None = None

    def compose(self) -> ComposeResult:
        """Files and lines."""
        with Horizontal():
            yield FileList(widget_id="diff-files")
            yield DiffView(widget_id="diff-view")

    @property
    def view(self) -> LineView:
        """The lines have the keys."""
        return self.diff_view

    @property
    def diff_view(self) -> DiffView:
        """The lines."""
        return self.query_one(DiffView)

    def show(self, found: PatchIndex | None, state: TaskState | None, fault: str = "") -> None:
        """Show a patch, or say why there is none."""
        lines = [fault] if fault else _why_none(state)
        self.diff_view.set_placeholder(row(""), *(row(f"  {line}" if line else "", role="") for line in lines))
        self.diff_view.show(found if found and found.files else None)
        self.query_one(FileList).show(found)
        self._place_files()
        self.set_title("".join(text for text, _ in diff.title(found)) if found and found.files else "")

    def toggle_files(self) -> None:
        """Show or hide the list of files."""
        self._wanted = not self.query_one(FileList).display
        self._place_files()

    def _place_files(self) -> None:
        files = self.query_one(FileList)
        several = files.row_count() > 1
        files.display = several and (self._wanted if self._wanted is not None else self.size.width >= _FILES_FROM)

    def on_resize(self) -> None:
        """The list of files comes and goes with the room."""
        self._place_files()

    @on(LineView.Moved, "#diff-view")
    def _moved(self, event: LineView.Moved) -> None:
        patch = self.diff_view.patch
        if patch and patch.files and not self.query_one(FileList).has_focus:
            self.query_one(FileList).move_to(patch.file_at(event.row))

    @on(LineView.Moved, "#diff-files")
    def _chosen(self, event: LineView.Moved) -> None:
        if self.query_one(FileList).has_focus:
            self.diff_view.to_file(event.row)

    @on(LineView.Opened, "#diff-files")
    def _opened(self, event: LineView.Opened) -> None:
        self.diff_view.to_file(event.row)
        self.diff_view.focus()


def _why_none(state: TaskState | None) -> list[str]:
    if state is None:
        return ["The changes of a task are shown here."]
    if not state.finished:
        return ["The diff comes when the agent is done.", "", "Until then the log (4) shows what it does."]
    if state.status in ("ready", "applied"):
        return ["Nothing was changed."]
    return [f"There is no diff: the task is {state.status}.", "", "The log (4) says why."]
