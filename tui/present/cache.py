"""The cache of an environment: hit or miss, why, how old, how long it still lives."""

from __future__ import annotations

from typing import Any

from engine import sizes
from engine.errors import EngineError
from tui.present import words
from tui.present.row import Row, Span, row, wrap

_RESULT: dict[str, tuple[str, str]] = {"hit": ("✓", "ok"), "miss": ("○", "warn"), "off": ("–", "muted")}
_MEANS = {
    "hit": "a task starts from the snapshot",
    "miss": "the next task runs setup first",
    "off": "every task runs setup",
}
LOOKING = (row((" looking …", "muted")),)


def rows(explanation: Any, looked_at: float, now: float, width: int) -> list[Row]:
    """What `Bench.cache_explain` found at `looked_at`, with its age carried on to `now` (Unix seconds)."""
    passed = max(0.0, now - looked_at)
    glyph, role = _RESULT.get(explanation.result, ("?", "muted"))
    head: list[Span] = [(f" {glyph} {explanation.result}", f"strong {role}")]
    if explanation.size_bytes:
        head.append((f" · {sizes.words(explanation.size_bytes)}", "muted"))
    if explanation.age_seconds is not None:
        head.append((f" · made {_minutes(explanation.age_seconds + passed)} ago", "muted"))
    lines = [Row(tuple(head))]
    left = explanation.expires_in_seconds
    if left is not None and explanation.age_seconds is not None:
        lines.append(_bar(left - passed, explanation.age_seconds + left, width))
    elif explanation.reason:
        reason = explanation.reason.split(" · age ")[0]
        lines += [row("   ", part) for part in wrap(reason, width - 5)]
    if explanation.changed and explanation.result != "hit":
        known = explanation.reason
        lines += [row("   ", (f"changed: {c}", "warn")) for c in explanation.changed if c not in known]
    return [*lines, row(("   " + _MEANS.get(explanation.result, ""), "muted"))]


def _bar(left: float, life: float, width: int) -> Row:
    text = f"{_minutes(left)} left " if left > 0 else "expired "
    full, empty = words.bar(left / life if life else 0, max(4, width - len(text) - 6))
    return row("   ", (full, "accent"), (empty, "faint"), right=((text, "muted"),))


def _minutes(seconds: float) -> str:
    return "less than 1m" if seconds < 60 else words.span(seconds // 60 * 60).removesuffix("00s")


def error_rows(error: EngineError, width: int) -> list[Row]:
    """Why the cache cannot be looked at, and what to do."""
    lines = [row((" ✗ ", "bad"), ("cannot look at the cache", "bad"))]
    lines += [row("   ", part) for part in wrap(error.message, width - 5)]
    return lines + [row("   ", (part, "muted")) for part in (wrap(error.hint, width - 5) if error.hint else ())]
