"""The files of a diff as a tree: folders fold, a filter leaves what is looked for."""

from __future__ import annotations

from bisect import bisect_right
from typing import ClassVar

from textual.binding import BindingType

from tui.live.changes import Changes
from tui.present import actions
from tui.present.file_tree import Node, node_row, seen
from tui.present.row import Row
from tui.widgets.line_view import LineView


class FileTree(LineView):
    """Shows where changes are; the file at the cursor is the one that is looked at."""

    # What is listed first counts: the filter is on the key that searches in the lines.
    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings("files"), *actions.bindings("diff", by_screen=True)]

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(widget_id=widget_id)
        self.changes: Changes | None = None
        self.needle = ""
        self._folded: set[str] = set()
        self._counts: dict[str, int] = {}
        self._lines: list[int] = []

    def show(self, changes: Changes | None) -> None:
        """Show the files of another patch, or a newer state of the same."""
        new = self.changes is None or changes is None or changes.patch.path != self.changes.patch.path
        self.changes = changes
        self._counts = changes.counts() if changes else {}
        if new:
            self._folded, self.needle = set(), ""
            self.set_reactive(FileTree.cursor, 0)
        self._lay_out()

    def filter(self, needle: str) -> None:
        """Show only files whose path contains a text, capital or small."""
        self.needle = needle
        self._lay_out()

    def _lay_out(self) -> None:
        self._lines = seen(self.changes.tree, self._folded, self.needle) if self.changes else []
        self.rows_changed()
        self.refresh()

    def row_count(self) -> int:
        """Files and folders that are not folded away or left out."""
        return len(self._lines)

    def rows(self, first: int, last: int) -> list[Row]:
        """The rows in sight."""
        changes = self.changes
        if changes is None:
            return []
        made = []
        for node in (changes.tree[number] for number in self._lines[first:last]):
            file = changes.patch.files[node.file] if node.file >= 0 else None
            folded = node.path in self._folded and not self.needle
            viewed, comments = file is not None and changes.viewed(file), self._counts.get(node.path, 0)
            made.append(node_row(node, file, folded=folded, viewed=viewed, comments=comments))
        return made

    @property
    def node(self) -> Node | None:
        """What the cursor is on."""
        return self.changes.tree[self._lines[self.cursor]] if self.changes and self.cursor < len(self._lines) else None

    def to_file(self, number: int) -> None:
        """Put the cursor on a file, or on the folded folder that holds it."""
        if self.changes is None or (self.node is not None and self.node.file == number):
            return
        at = next((n for n, node in enumerate(self.changes.tree) if node.file == number), -1)
        # The last line at or before the file: the file itself, or the folded folder it is in.
        line = bisect_right(self._lines, at) - 1
        if line >= 0 and self._lines[line] <= at < self.changes.tree[self._lines[line]].end:
            self.move_to(line)

    def action_fold_folder(self) -> None:
        """Fold or unfold the folder at the cursor, or the one around the file."""
        node = self.node
        if node is None or self.changes is None:
            return
        at = self._lines[self.cursor]
        if node.file >= 0:
            above = [n for n in range(at) if self.changes.tree[n].file < 0 and self.changes.tree[n].end > at]
            if not above:
                return
            at = above[-1]
        self._folded ^= {self.changes.tree[at].path}
        self._lay_out()
        if at in self._lines:
            self.move_to(self._lines.index(at))

    def action_fold_folders(self) -> None:
        """Fold every folder, or unfold all when all are."""
        if self.changes is not None:
            every = {node.path for node in self.changes.tree if node.file < 0}
            self._folded = set() if self._folded == every else every
            self._lay_out()
            self.move_to(self.cursor)
