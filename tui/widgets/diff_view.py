"""What can be done with the lines of a diff: go from change to change, fold, select, point at them with the mouse."""

from __future__ import annotations

from bisect import bisect_left
from typing import ClassVar

from textual import events
from textual.binding import BindingType

from tui.present import actions, patch
from tui.present.row import Row
from tui.present.selection import Selected, raw_lines, selected
from tui.widgets.diff_lines import DiffLines


class DiffView(DiffLines):
    """The lines of a diff with their keys."""

    BINDINGS: ClassVar[list[BindingType]] = actions.bindings("diff")

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(widget_id=widget_id)
        self._match = -1
        self._go_when_found = False

    # Jumps

    def action_next_hunk(self) -> None:
        """To the next hunk."""
        self._jump_hunk(1)

    def action_previous_hunk(self) -> None:
        """To the hunk before."""
        self._jump_hunk(-1)

    def _jump_hunk(self, step: int) -> None:
        place = self._place()
        if self.shown is None or self._visible is None or place is None:
            return
        found = self.shown.patch
        row = place
        while (following := found.next_hunk(row, step)) != row:
            row = following
            if found.file_at(row) not in self.folded:
                self.move_to(self._visible.of(self.shown.arranged.row_of(row)), center=True)
                return

    def action_next_file(self) -> None:
        """To the next file."""
        self.to_file(self.file_number + 1)

    def action_previous_file(self) -> None:
        """To the beginning of this file, or to the file before."""
        if self._visible is not None and self.shown is not None:
            here = self.file_number
            begins = self._visible.of(self.shown.arranged.files[here]) if self.row_count() else 0
            self.to_file(here if begins < self.cursor else here - 1)

    def to_file(self, number: int) -> None:
        """Put the heading of a file at the top."""
        if self.shown is not None and self._visible is not None and self.shown.patch.files:
            number = min(max(0, number), len(self.shown.patch.files) - 1)
            self.move_to(self._visible.of(self.shown.arranged.files[number]))
            self.go(self.cursor)

    def to_comment(self, comment_id: str) -> bool:
        """To a comment; False when its file is not in the patch any more."""
        if self.changes is None or self.shown is None or comment_id not in self.changes.places:
            return False
        row = self.shown.row_of(self.changes.places[comment_id])
        self.folded.discard(self.shown.arranged.file_at(row))
        self._lay_out()
        ids = [comment.id for comment, _ in self._said.get(row, ())]
        if self._visible is not None:
            self.move_to(self._visible.of(row, ids.index(comment_id) + 1 if comment_id in ids else 0), center=True)
        return True

    # Folding

    def action_fold_file(self) -> None:
        """Fold or unfold the file at the cursor; on a comment, edit it."""
        if self.comment is not None:
            self.post_message(self.CommentWanted())
        elif self.row_count():
            self.fold(self.folded ^ {self.file_number})

    def action_fold_files(self) -> None:
        """Fold every file, or unfold all when all are."""
        if self.shown is not None:
            every = set(range(len(self.shown.patch.files)))
            self.fold(set() if self.folded == every else every)

    def fold(self, folded: set[int]) -> None:
        """Let exactly these files be folded; the cursor goes to the heading of its file when that is one of them."""
        self.folded = set(folded)
        self._lay_out()
        self.move_to(self.cursor)

    # Matches of a search

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a search its keys are free for what they do elsewhere."""
        return bool(self.needle) if action in ("next_match", "previous_match") else True

    def action_next_match(self) -> None:
        """To the next line that has what is looked for; after the last one, to the first."""
        here = self._matches_here()
        self._to_match(max(here) + 1 if here else bisect_left(self.matches, self._place() or 0))

    def action_previous_match(self) -> None:
        """To the line before that has what is looked for; before the first one, to the last."""
        here = self._matches_here()
        self._to_match((min(here) if here else bisect_left(self.matches, self._place() or 0)) - 1)

    def to_first_match(self) -> None:
        """To the first line from here on that has what is looked for, as soon as it is found."""
        self._go_when_found = self.searching
        here = self._matches_here()
        self._to_match(min(here) if here else bisect_left(self.matches, self._place() or 0))

    def search_ended(self) -> None:
        """Go where the user wanted to before it was known."""
        if self._go_when_found:
            self.to_first_match()

    @property
    def match_number(self) -> int:
        """Which of the lines that were found the cursor is on, from 1; 0 when it is on none."""
        return min(self._matches_here(), default=-1) + 1

    def _to_match(self, number: int) -> None:
        if self.matches:
            self._match = number % len(self.matches)
            self.go_to_patch_row(self.matches[self._match])
            self.move_to(self.cursor, center=True)

    def _matches_here(self) -> list[int]:
        """Which of the lines that were found are at the cursor: of two, the one that was gone to last."""
        if self.shown is None or not self.row_count() or self.at[1]:
            return []
        found = [(bisect_left(self.matches, row), row) for row in self.shown.sides(self.at[0])]
        here = [at for at, row in found if at < len(self.matches) and self.matches[at] == row]
        return [self._match] if self._match in here else here

    # Selecting

    def selected(self) -> Selected | None:
        """The lines at the cursor or in the selection, of one side."""
        if self.shown is None or self._visible is None or not self.row_count():
            return None
        rows = [self._visible.at(row)[0] for row in self.selected_rows]
        return selected(self.shown, rows, self.at[0], old=self.old_side)

    def to_copy(self) -> list[str]:
        """The selected lines, or the hunk at the cursor, as they stand in the patch."""
        if self.shown is None or self._visible is None or not self.row_count():
            return []
        if self.mark is not None:
            return raw_lines(self.shown, [self._visible.at(row)[0] for row in self.selected_rows])
        found, place = self.shown.patch, self._place() or 0
        first, last = found.hunk_range(place)
        rows = found.read(first, last, patch.WHOLE) if found.kinds[first] == patch.HUNK and place < last else []
        return [data.decode("utf-8", "replace") for data in rows]

    def covered(self, line: Row, over: str) -> Row:
        """In two columns the cursor is on one side, the one that a comment would be about."""
        made = super().covered(line, over)
        if line.beside is None or not made.beside or "missing" in (line.role, line.beside.role):
            return made
        if self.old_side:
            return Row(made.left, made.right, made.role, made.fixed, line.beside)
        return Row(line.left, line.right, line.role, line.fixed, made.beside)

    def action_select(self) -> None:
        """Begin a selection here, or end it."""
        self.toggle_mark()
        self.post_message(self.Changed())

    def action_extend_down(self) -> None:
        """Select one more line below."""
        self.select_on(1)

    def action_extend_up(self) -> None:
        """Select one more line above."""
        self.select_on(-1)

    def action_other_side(self) -> None:
        """The cursor to the other column."""
        self.old_side = not self.old_side
        self.refresh()

    # Mouse

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """In two columns, the side is the one that was clicked."""
        if event.button == 1 and self.shown is not None and self.shown.arranged.split:
            self.old_side = event.x < self.scrollable_content_region.width // 2

    def on_click(self, event: events.Click) -> None:
        """The cursor goes where the mouse points; a heading folds, a second click on a line comments."""
        event.prevent_default()
        row = int(event.y) + self.scroll_offset.y
        if self._dragged or row >= self.row_count():
            return
        self.move_to(row)
        if self.shown is not None and self.shown.arranged.kinds[self.at[0]] == patch.FILE and not self.at[1]:
            self.action_fold_file()
        elif event.chain > 1:
            self.post_message(self.CommentWanted())
