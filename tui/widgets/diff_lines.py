"""A patch as one long list of lines: arranged, folded, commented on; coloured where it is looked at."""

from __future__ import annotations

from array import array
from typing import ClassVar

from textual import on, work
from textual.message import Message

from engine.tasks.comments import Comment
from tui.live.changes import Changes, search
from tui.present import patch
from tui.present.arrange import Arrangement, arrange
from tui.present.diff import comment_rows, heading_row
from tui.present.diff_page import DiffPage
from tui.present.patch import PatchIndex
from tui.present.row import Row
from tui.present.visible import Visible
from tui.widgets.select_view import SelectView

# Two columns are used by themselves from so many cells on, and not below so few whatever the user wants.
_SPLIT_FROM, _SPLIT_AT_LEAST = 110, 60
# Patches of so few rows are arranged in a few milliseconds.
_AT_ONCE = 4000


class DiffLines(SelectView):
    """All files of a patch, one under another, in one column or two."""

    TAB: ClassVar[int] = 4

    class Arranged(Message):
        """A thread has arranged the patch."""

        def __init__(self, arranged: Arrangement) -> None:
            super().__init__()
            self.arranged = arranged

    class Searched(Message):
        """A thread has found these rows of the patch."""

        def __init__(self, found: PatchIndex, needle: str, rows: array[int]) -> None:
            super().__init__()
            self.found, self.needle, self.rows = found, needle, rows

    class Changed(Message):
        """What the lines around the view say of it is different now."""

    class CommentWanted(Message):
        """A line, or a comment, was chosen with the mouse or with enter."""

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(widget_id=widget_id)
        self.changes: Changes | None = None
        self.shown: DiffPage | None = None
        self.folded: set[int] = set()
        self.split_wanted: bool | None = None
        self.hide_space = False
        self.old_side = False
        self.needle = ""
        self.matches: array[int] = array("L")
        self.searching = False
        self._visible: Visible | None = None
        self._said: dict[int, list[tuple[Comment, Row]]] = {}
        self._arranged_as = (False, False)

    # What is shown

    def show(self, changes: Changes | None) -> None:
        """Show another patch from its beginning, or a newer state of the same from where the cursor is."""
        before, self.changes = self.changes, changes
        self.mark = None
        if changes is None:
            self.shown = self._visible = None
            self.folded = set()
            self.rows_changed()
            return
        if before is None or before.patch.path != changes.patch.path:
            self.shift = 0
            self.cursor = 0
            self.go(0)
            self.shown = self._visible = None
            self.folded = {n for n, file in enumerate(changes.patch.files) if changes.viewed(file)}
            self.search("")
        elif before.patch is not changes.patch:
            folded = {before.patch.files[number].path for number in self.folded}
            viewed = {before.patch.files[n].path for n in self.folded if before.viewed(before.patch.files[n])}
            files = changes.patch.files
            self.folded = {n for n, file in enumerate(files) if changes.viewed(file) or (
                file.path in folded and file.path not in viewed)}  # fmt: skip
            self.search(self.needle)
        self.arrange_again()

    @property
    def split(self) -> bool:
        """Whether there are two columns, by what the user wants and by the room."""
        width = self.size.width
        if self.split_wanted is None:
            return width >= _SPLIT_FROM
        return self.split_wanted and width >= _SPLIT_AT_LEAST

    def arrange_again(self) -> None:
        """Arrange the patch as it is wanted now; where that takes time, in a thread."""
        if self.changes is None:
            return
        wanted = self.split, self.hide_space
        if self.shown is not None and self.shown.patch is self.changes.patch and self._arranged_as == wanted:
            self._lay_out()
        elif wanted == (False, False) or len(self.changes.patch.kinds) <= _AT_ONCE:
            self._use(arrange(self.changes.patch, split=self.split, hide_space=self.hide_space))
        else:
            self._arrange_in_thread(self.changes.patch, *wanted)

    @work(thread=True, exclusive=True, group="arrange", exit_on_error=False)
    def _arrange_in_thread(self, found: PatchIndex, split: bool, hide_space: bool) -> None:
        self.post_message(self.Arranged(arrange(found, split=split, hide_space=hide_space)))

    @on(Arranged)
    def _arranged(self, event: Arranged) -> None:
        event.stop()
        if self.changes is not None and event.arranged.patch is self.changes.patch:
            self._use(event.arranged)

    def _use(self, arranged: Arrangement) -> None:
        place, offset = self._place(), self.cursor - self.scroll_offset.y
        self._arranged_as = (arranged.split, self.hide_space)
        self.shown = DiffPage(arranged)
        self.shown.needle = self.needle
        self._painted.clear()
        self._visible = None
        self._lay_out()
        if place is not None and self.cursor:
            self.go_to_patch_row(min(place, len(arranged.patch.kinds) - 1), unfold=False)
            self.go(self.cursor - offset)

    def _lay_out(self) -> None:
        """Find out which rows are seen; the cursor stays where it is in the patch."""
        page, changes = self.shown, self.changes
        if page is None or changes is None:
            return
        at = self._visible.at(self.cursor) if self._visible and self._visible.count else None
        offset = self.cursor - self.scroll_offset.y
        self._said = {}
        for comment in changes.review.comments:
            if comment.id in changes.places:
                outdated = comment.id in changes.outdated
                rows = comment_rows(comment, self.size.width, outdated=outdated)
                said = self._said.setdefault(page.row_of(changes.places[comment.id]), [])
                said += [(comment, row) for row in rows]
        self._visible = Visible(page.arranged, self.folded, {row: len(said) for row, said in self._said.items()})
        self.mark = None
        self.rows_changed()
        if at is not None:
            row, extra = at
            self.cursor = min(self._visible.of(row, min(extra, len(self._said.get(row, ())))), self.row_count() - 1)
            self.go(self.cursor - offset)
        self.refresh()
        self.post_message(self.Changed())

    def row_count(self) -> int:
        """Rows that are not folded away."""
        return self._visible.count if self._visible else 0

    def rows(self, first: int, last: int) -> list[Row]:
        """The rows in sight."""
        visible, page = self._visible, self.shown
        if visible is None or page is None:
            return []
        made = []
        for place in range(first, last):
            row, extra = visible.at(place)
            if extra:
                made.append(self._said[row][extra - 1][1])
            elif page.arranged.kinds[row] == patch.FILE:
                made.append(self._heading(page.arranged.file_at(row)))
            else:
                made.append(page.row(row))
        return made

    def _heading(self, number: int) -> Row:
        assert self.changes is not None
        file = self.changes.patch.files[number]
        comments = self.changes.counts().get(file.path, 0) if number in self.folded else 0
        viewed = self.changes.viewed(file)
        return heading_row(file, folded=number in self.folded, viewed=viewed, comments=comments)

    def on_resize(self) -> None:
        """The number of columns follows the room, and so do the lines of comments."""
        if self.shown is not None and self.shown.arranged.split != self.split:
            self.arrange_again()
        elif self._said:
            self._lay_out()

    # Where the cursor is

    @property
    def at(self) -> tuple[int, int]:
        """The row of the arrangement at the cursor, and the number of the row of ours under it, or 0."""
        return self._visible.at(self.cursor) if self._visible and self._visible.count else (0, 0)

    def _place(self) -> int | None:
        if self.shown is None or not self.row_count():
            return None
        arranged, row = self.shown.arranged, self.at[0]
        return arranged.key(row) if row < len(arranged.kinds) else None

    @property
    def file_number(self) -> int:
        """The file at the cursor."""
        return self.shown.arranged.file_at(self.at[0]) if self.shown else 0

    @property
    def comment(self) -> Comment | None:
        """The comment at the cursor."""
        row, extra = self.at
        return self._said[row][extra - 1][0] if extra else None

    def go_to_patch_row(self, row: int, *, unfold: bool = True) -> None:
        """Put the cursor on a row of the patch; a file that is folded is unfolded for it, if that is wanted."""
        if self.shown is None or self._visible is None:
            return
        number = self.shown.row_of(row)
        file = self.shown.arranged.file_at(number)
        if unfold and file in self.folded and self.shown.patch.files[file].row != row:
            self.folded.discard(file)
            self._lay_out()
        self.move_to(self._visible.of(number))

    # Searching

    def search(self, needle: str) -> None:
        """Look for a text in all lines; what is found so far is marked at once."""
        self.needle = needle
        self.matches = array("L")
        self.searching = bool(needle)
        if self.shown is not None:
            self.shown.needle = needle
            self._painted.clear()
            self.refresh()
        if needle and self.changes is not None:
            self._search_in_thread(self.changes.patch, needle)
        else:
            self.post_message(self.Changed())

    def search_ended(self) -> None:
        """All lines were looked at."""

    @work(thread=True, exclusive=True, group="search", exit_on_error=False)
    def _search_in_thread(self, found: PatchIndex, needle: str) -> None:
        self.post_message(self.Searched(found, needle, search(found, needle)))

    @on(Searched)
    def _searched(self, event: Searched) -> None:
        event.stop()
        if self.changes is not None and event.found is self.changes.patch and event.needle == self.needle:
            self.matches, self.searching = event.rows, False
            self.post_message(self.Changed())
            self.search_ended()
