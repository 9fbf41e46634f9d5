"""Rows of a diff: the heading of a file, its lines with their numbers, what git says beside them."""

from __future__ import annotations

from collections.abc import Sequence

from tui.present import patch
from tui.present.patch import FileDiff, PatchIndex
from tui.present.row import Row, Span, row
from tui.present.text import clean, one_line

_STATUS = {"A": "ok", "D": "bad", "M": "warn", "R": "accent", "C": "accent", "T": "muted"}
_SIGN = {patch.ADDED: ("+", "added", "added-line"), patch.REMOVED: ("-", "removed", "removed-line")}


def file_row(file: FileDiff, *, heading: bool = False) -> Row:
    """A file: the letter of its status, its name, how many lines were added and removed."""
    right: list[Span] = [("⚠ ", "warn")] if file.hidden else []
    if file.binary:
        right.append(("binary", "muted"))
    right += [(f" +{file.added}", "added")] if file.added else []
    right += [(f" −{file.removed}", "removed")] if file.removed else []
    right.append((" ", ""))
    name = clean(file.path).replace("\n", "␊").replace("\t", "␉")
    if not heading and len(name) > 24:
        name = f"…/{name.rpartition('/')[2]}" if "/" in name else name
    return row((f" {file.status} ", _STATUS.get(file.status, "muted")), (name, "strong" if heading else ""),
               right=tuple(right), role="file" if heading else "")  # fmt: skip


def line_row(found: PatchIndex, number: int, text: str, spans: Sequence[Span]) -> Row:
    """One line of a patch; `spans` are its text in syntax colours when it is a line of the file."""
    kind, digits = found.kinds[number], found.digits
    blank = " " * (2 * digits + 2)
    if kind == patch.NOTE:
        return row(blank, (text, "warn" if text.startswith("⚠") else "muted"))
    if kind == patch.HUNK:
        return row((f"{'⋯':>{digits}} ", "faint"), (one_line(text), "hunk"))
    if kind == patch.NO_NEWLINE:
        return row(blank, ("  no newline at the end of the file", "muted"))
    old = "" if kind == patch.ADDED else str(found.old[number])
    new = "" if kind == patch.REMOVED else str(found.new[number])
    sign, role, line_role = _SIGN.get(kind, (" ", "", ""))
    numbers = (f"{old:>{digits}} {new:>{digits}} ", "faint")
    carriage: tuple[Span, ...] = (("␍", "faint"),) if text.endswith("\r") else ()
    length = found.lengths[number]
    cut: tuple[Span, ...] = ((f"… {length - 4000:,} bytes not shown", "warn"),) if length > 4000 else ()
    return Row((numbers, (f"{sign} ", role), *spans, *carriage, *cut), (), line_role, 2 * digits + 4)


def title(found: PatchIndex) -> list[tuple[str, str]]:
    """How much a patch changes, in parts of text and role."""
    files = len(found.files)
    return [
        (f"{files:,} file{'s' * (files != 1)} ", ""),
        (f"+{found.added:,}", "added"),
        (f" −{found.removed:,}", "removed"),
    ]
