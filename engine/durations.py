"""Durations as people say them."""

from __future__ import annotations


def words(seconds: float) -> str:
    """A duration as people say it: `42s`, `3m05s`, `4h12m`, `2d3h`."""
    total = max(0, int(seconds))
    if total < 60:
        return f"{total}s"
    if total < 3600:
        return f"{total // 60}m{total % 60:02d}s"
    if total < 86400:
        return f"{total // 3600}h{total % 3600 // 60:02d}m"
    return f"{total // 86400}d{total % 86400 // 3600}h"
