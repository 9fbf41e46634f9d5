"""What all commands share in printing: JSON lines, tables, a cleaned line."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence


def print_json(value: object) -> None:
    """One JSON value on one line, with escapes only (SPEC L3)."""
    print(json.dumps(value, ensure_ascii=True))


def say(text: str) -> None:
    """A line for people, cleaned of anything that could steer the terminal."""
    from tui.present.text import clean

    print(clean(text))


def progress(text: str) -> None:
    """A line about what is going on, on standard error."""
    from tui.present.text import clean

    print(clean(text), file=sys.stderr, flush=True)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their content, the last one free; what would break a line is shown."""
    from tui.present.text import one_name

    cells = [[one_name(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
