"""Sizes as people say them."""

from __future__ import annotations


def words(count: float) -> str:
    """Bytes as people say them: `812 B`, `14 kB`, `3.1 MB`, `1.2 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 99.5 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
