"""What lines of a diff the user means: for a comment on them, or to copy them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from engine.tasks.comments import AROUND, Comment, Side, new_comment
from tui.present.arrange import NONE
from tui.present.diff_page import DiffPage
from tui.present.patch import ADDED, CONTEXT, REMOVED, WHOLE


class Selected(Struct, frozen=True):
    """Lines of one side of one hunk that follow one another, and what stands around them."""

    path: str
    side: Side
    line: int
    text: tuple[str, ...]
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    def comment(self) -> Comment:
        """A comment on these lines that says nothing yet."""
        return new_comment(self.path, self.side, self.line, self.text, before=self.before, after=self.after)


def selected(page: DiffPage, rows: Sequence[int], at: int, *, old: bool = False) -> Selected | None:
    """The lines at some rows of an arrangement, as far as they are of the side and the hunk of the row `at`.

    Args:
        at: the row with the cursor; without a line of a file there, nothing is selected.
        old: in two columns, the old side is meant.
    """
    found = page.patch
    cursor = _line_at(page, at, old)
    if cursor is None:
        return None
    side: Side = "old" if found.kinds[cursor] == REMOVED or (old and page.arranged.split) else "new"
    kinds = (CONTEXT, REMOVED) if side == "old" else (CONTEXT, ADDED)
    hunk, end = found.hunk_range(cursor)
    wanted = {row for number in rows for row in page.sides(number) if hunk < row < end and found.kinds[row] in kinds}
    first, last = min(wanted | {cursor}), max(wanted | {cursor})
    chosen = [row for row in range(first, last + 1) if found.kinds[row] in kinds]
    around = range(max(hunk + 1, first - 4 * AROUND), min(end, last + 1 + 4 * AROUND))
    before = [row for row in around if row < first and found.kinds[row] in kinds][-AROUND:]
    after = [row for row in around if row > last and found.kinds[row] in kinds][:AROUND]
    texts = [_text(data) for data in found.read_rows([*before, *chosen, *after])]
    parts = texts[: len(before)], texts[len(before) : len(before) + len(chosen)], texts[len(before) + len(chosen) :]
    path, number = found.files[found.file_at(cursor)].path, found.numbers(first)[side == "new"]
    return Selected(path, side, number, tuple(parts[1]), tuple(parts[0]), tuple(parts[2]))


def _line_at(page: DiffPage, number: int, old: bool) -> int | None:
    """The row of the patch with the line that a row of the arrangement shows, on the side that is meant."""
    left, right = page.sides(number)
    wanted = (left, right) if old and page.arranged.split else (right, left)
    lines = [row for row in wanted if row != NONE and page.patch.kinds[row] in (CONTEXT, ADDED, REMOVED)]
    return lines[0] if lines else None


def raw_lines(page: DiffPage, rows: Sequence[int]) -> list[str]:
    """The lines at some rows as they stand in the patch, with the sign before each."""
    wanted = sorted({row for number in rows for row in page.sides(number) if row != NONE})
    return [data.decode("utf-8", "replace") for data in page.patch.read_rows(wanted, WHOLE) if data]


def _text(data: bytes) -> str:
    return data[1:].decode("utf-8", "replace")
