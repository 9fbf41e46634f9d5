"""Text in columns, as wide as a terminal draws it."""

from __future__ import annotations

from collections.abc import Sequence

from wcwidth import wcswidth


def aligned(rows: Sequence[Sequence[str]], gap: int = 2) -> list[str]:
    """Each row as one line; a column is as wide as its widest cell, and `gap` blanks lie between two."""
    widths = [max(wcswidth(cell) for cell in column) for column in zip(*rows)]
    return [(" " * gap).join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
