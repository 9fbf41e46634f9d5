"""Figures in words, each with its unit, and the glyphs of states; a state is never colour alone."""

from __future__ import annotations

import time

RUNNING, PENDING, DONE, FAILED, STOPPED, SKIPPED = "●", "◌", "✓", "✗", "◼", "–"

# status of a task, a phase or a command -> (glyph, role)
STATES: dict[str, tuple[str, str]] = {
    "pending": (PENDING, "muted"),
    "in_progress": (RUNNING, "run"),
    "running": (RUNNING, "run"),
    "ready": (DONE, "ok"),
    "applied": (DONE, "ok"),
    "completed": (DONE, "ok"),
    "done": (DONE, "ok"),
    "skipped": (SKIPPED, "muted"),
    "error": (FAILED, "bad"),
    "failed": (FAILED, "bad"),
    "timeout": (FAILED, "bad"),
    "cancelled": (STOPPED, "muted"),
    "killed": (STOPPED, "warn"),
    "lost": (STOPPED, "warn"),
    "interrupted": (STOPPED, "warn"),
}


def state(status: str) -> tuple[str, str]:
    """Glyph and role of a status; one this version does not know is shown as a question."""
    return STATES.get(status, ("?", "muted"))


def short_time(seconds: float) -> str:
    """How long something took: `0.04s`, `2.4s`, `41s`, `3m05s`, `2h07m`."""
    if seconds < 0.995:
        return f"{max(0.0, seconds):.2f}s"
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    return span(seconds)


def span(seconds: float) -> str:
    """A duration as people say it: `42s`, `3m05s`, `4h12m`, `2d3h`."""
    total = max(0, int(seconds + 0.5))
    if total < 60:
        return f"{total}s"
    for large, small, unit, part in ((86400, 3600, "d", "h"), (3600, 60, "h", "m")):
        if total >= large:
            rest = total % large // small
            digits = 1 if unit == "d" else 2
            return f"{total // large}{unit}" + (f"{rest:0{digits}d}{part}" if rest else "")
    return f"{total // 60}m{total % 60:02d}s"


def clock(seconds: float) -> str:
    """A running time: `0:42`, `12:07`, `1:02:33`."""
    total = max(0, int(seconds))
    hours, rest = divmod(total, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def ago(seconds: float) -> str:
    """An age that need not be redrawn every second: `now`, `5m`, `3h`, `2d`."""
    if seconds < 60:
        return "now"
    if seconds < 3600:
        return f"{int(seconds // 60)}m"
    return f"{int(seconds // 3600)}h" if seconds < 86400 else f"{int(seconds // 86400)}d"


def memory(count: float) -> str:
    """Bytes as limits are given, in powers of 1,024: `512 MiB`, `4 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.4g} {unit}"
        count /= 1024
    return f"{count:.4g} TiB"


def count(number: int, one: str, many: str = "") -> str:
    """`1 file`, `2 files`, `12,345 lines`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def bar(part: float, width: int) -> tuple[str, str]:
    """A bar of `width` cells of which `part` (0 to 1) is full: the full and the empty piece."""
    full = min(width, max(0, round(part * width)))
    return "█" * full, "░" * (width - full)


def now() -> float:
    """Unix seconds."""
    return time.time()
