"""Rows of a diff: the heading of a file, its lines with their numbers, what is said beside them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from engine.tasks.comments import Comment
from tui.present import patch
from tui.present.file_tree import STATUS
from tui.present.patch import PatchIndex
from tui.present.patch_header import FileDiff
from tui.present.row import Row, Span, row, wrap
from tui.present.text import one_line, one_name

_QUOTED = 4
_SIGN = {patch.ADDED: ("+", "added", "added-line"), patch.REMOVED: ("-", "removed", "removed-line")}


class Line(Struct, frozen=True):
    """One side of a line of a diff; `missing` bytes at its end are not shown."""

    kind: int
    number: int
    spans: tuple[Span, ...]
    missing: int = 0


def heading_row(file: FileDiff, *, folded: bool = False, viewed: bool = False, comments: int = 0) -> Row:
    """The heading of a file: how it changed, its name, by how much, what was done about it."""
    right: list[Span] = [("⚠ ", "warn")] if file.hidden else []
    right += [(f"▍{comments} ", "accent")] if comments else []
    right += [("binary ", "muted")] if file.binary else []
    right += [(f"+{file.added} ", "added")] if file.added else []
    right += [(f"−{file.removed} ", "removed")] if file.removed else []
    right += [("✓ viewed ", "ok")] if viewed else []
    status = (f"{file.status} ", STATUS.get(file.status, "muted"))
    name = (one_name(file.path), "muted" if viewed else "strong")
    return row(("▸ " if folded else "▾ ", "muted"), status, name, right=tuple(right), role="file")


def note_row(found: PatchIndex, text: str) -> Row:
    """What changed in a file besides its lines."""
    return row(" " * (2 * found.digits + 2), (text, "warn" if text.startswith("⚠") else "muted"))


def hunk_row(found: PatchIndex, text: str) -> Row:
    """Where a hunk begins."""
    return row((f"{'⋯':>{found.digits}} ", "faint"), (one_line(text), "hunk"))


def said_row(found: PatchIndex, text: str) -> Row:
    """Something about the lines above, such as that no newline follows."""
    return row(" " * (2 * found.digits + 4), (text, "muted"))


def unified_row(digits: int, line: Line, old: int, new: int) -> Row:
    """A line in one column, with its number on the side or the sides that have it."""
    sign, role, line_role = _SIGN.get(line.kind, (" ", "", ""))
    old_number = "" if line.kind == patch.ADDED else str(old)
    new_number = "" if line.kind == patch.REMOVED else str(new)
    numbers = f"{old_number:>{digits}} {new_number:>{digits}} "
    return Row(((numbers, "faint"), (f"{sign} ", role), *_text(line)), (), line_role, 2 * digits + 4)


def split_row(digits: int, left: Line | None, right: Line | None) -> Row:
    """The old and the new side beside one another."""
    first, second = _half(digits, left), _half(digits, right)
    edge = Row((("│", "faint"), *second.left), (), second.role, second.fixed + 1)
    return Row(first.left, first.right, first.role, first.fixed, edge)


def _half(digits: int, line: Line | None) -> Row:
    if line is None:
        return Row((), (), "missing")
    sign, role, line_role = _SIGN.get(line.kind, (" ", "", ""))
    return Row(((f"{line.number:>{digits}} ", "faint"), (f"{sign} ", role), *_text(line)), (), line_role, digits + 3)


def _text(line: Line) -> tuple[Span, ...]:
    cut: tuple[Span, ...] = ((f"… {line.missing:,} bytes not shown", "warn"),) if line.missing > 0 else ()
    return (*line.spans, *cut)


def comment_rows(comment: Comment, width: int, *, outdated: bool = False) -> list[Row]:
    """A comment under its line, with a bar at its side."""
    lines = f"line {comment.line}" if len(comment.text) == 1 else f"lines {comment.line}–{comment.last_line}"
    about = ["sent"] if comment.sent else []
    about.append(lines + (", before the change" if comment.side == "old" else ""))
    bar: Span = ("  ▍ ", "muted" if comment.sent else "accent")
    rows = []
    if outdated:
        code = one_line(next(filter(str.strip, comment.text), "(an empty line)"), 120)
        rows.append(row(bar, (f"outdated · {about[-1]} is not in this diff: ", "warn"), (code, "muted")))
    body = wrap(comment.body.strip() or "(empty)", max(20, min(width, 104) - 6))
    rows += [row(bar, (line, "muted" if comment.sent else "")) for line in body]
    rows[-1] = row(*rows[-1].left, right=() if outdated else ((f"{' · '.join(about)} ", "muted"),))
    return [Row(made.left, made.right, "remark") for made in rows]


def quoted_lines(comment: Comment) -> list[str]:
    """The first of the lines that a comment is about, with their numbers."""
    sign = "−" if comment.side == "old" else " "
    lines = [f"{comment.line + n:>5} {sign} {line[:200]}" for n, line in enumerate(comment.text[:_QUOTED])]
    more = len(comment.text) - _QUOTED
    return [*lines, f"      … {more} more lines"] if more > 0 else lines


def title(found: PatchIndex) -> list[tuple[str, str]]:
    """How much a patch changes, in parts of text and role."""
    files = len(found.files)
    return [
        (f"{files:,} file{'s' * (files != 1)} ", ""),
        (f"+{found.added:,}", "added"),
        (f" −{found.removed:,}", "removed"),
    ]


def place_words(file: FileDiff, words: Sequence[str]) -> str:
    """Where the cursor is, and how the diff is shown, for the line under the diff."""
    return " · ".join([one_name(file.path), *filter(None, words)])
