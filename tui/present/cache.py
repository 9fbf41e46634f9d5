"""The cache of an environment: hit or miss, why, how old, how long it still lives, and what the keeper does for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import sizes
from engine.errors import EngineError
from tui.present import timeline, words
from tui.present.environment import near
from tui.present.row import Row, Span, row, wrap
from tui.present.text import one_line

if TYPE_CHECKING:
    from engine.tasks.garbage import Report
    from engine.tasks.model import TaskState
    from tui.live.keeping import CareNow

_RESULT: dict[str, tuple[str, str]] = {"hit": ("✓", "ok"), "miss": ("○", "warn"), "off": ("–", "muted")}
_MEANS = {
    "hit": "a task starts from the snapshot",
    "miss": "the next task runs setup first",
    "off": "every task runs setup",
}
_BUILDS = ("clone", "setup", "snapshot", "maintenance")
_TAIL, _LISTED = 3, 8
_NAME_CELLS = 13
LOOKING = (row((" looking …", "muted")),)


def rows(explanation: Any, looked_at: float, now: float, width: int) -> list[Row]:
    """What `Cache.explain` found at `looked_at`, with its age carried on to `now` (Unix seconds)."""
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


def kept_rows(kept: CareNow | None, now: float, width: int) -> list[Row]:
    """What the keeper does, did, or waits for, in a line or two."""
    if kept is None:
        return []
    care, lines = kept.care, []
    if care.running is not None:
        phase = kept.phase
        lines.append(
            row((f" {words.RUNNING} {care.running.action} ", "run"), (words.clock(now - care.running.ts), "run"))
        )
        if phase is not None:
            at = timeline.progress(now - phase.started_at, kept.expected, max(4, min(24, width - 30)))
            lines.append(row((f"   {phase.name} ", ""), *at))
        lines.append(row("   ", (one_line(care.running.reason), "muted")))
    elif care.last is not None and care.last.status == "failed":
        lines.append(
            row((f" ✗ {care.last.action} failed ", "bad"), (f"{_ago(now - care.last.ts)} · enter shows it", "muted"))
        )
        lines += [row("   ", part) for part in wrap(one_line(care.last.reason), width - 5)]
        lines += [row((" │ ", "faint"), line) for line in care.last.tail.splitlines()[-_TAIL:]]
    elif care.last is not None:
        took = words.short_time(care.last.seconds)
        lines.append(row((f" ✓ {_DONE[care.last.action]} ", "ok"), (f"{_ago(now - care.last.ts)} in {took}", "muted")))
        lines.append(row("   ", (one_line(care.last.reason), "muted")))
    if care.waiting is not None:
        path = care.waiting.environment_path
        parts = wrap(one_line(care.waiting.reason).replace(path, near(Path(path))), width - 5)
        lines += [row((" ○ " if n == 0 else "   ", "warn"), part) for n, part in enumerate(parts)]
    if kept.stands_by:
        lines.append(row((" ◆ ", "ok"), "a container stands by"))
    elif kept.watched and care.running is None and care.waiting is None:
        lines.append(row((" ◇ ", "muted"), ("watched for changes", "muted")))
    return lines


_DONE = {"refresh": "refreshed", "rebuild": "rebuilt"}


def task_rows(state: TaskState | None, last: Mapping[str, float], now: float, width: int) -> list[Row]:
    """The setup or maintenance that a task runs now, against what each phase took the last time."""
    if state is None or state.finished:
        return []
    running = next((p for p in state.phases if p.status == "running" and p.name in _BUILDS), None)
    if running is None:
        return []
    at = timeline.progress(now - running.started_at, last.get(running.name, 0.0), max(4, min(24, width - 30)))
    return [row((f" {words.RUNNING} ", "run"), (f"{running.name} ", "run"), *at), row(("   in the open task", "muted"))]


def detail_rows(explanation: Any, components: Sequence[str], now: float, width: int) -> list[Row]:
    """Everything else that is known: what the key is made of, what maintenance saw, where the snapshot comes from."""
    snapshot, maintained = explanation.snapshot, explanation.maintained
    lines = [row(""), *_fact("why", explanation.reason, width)]
    if snapshot is not None:
        lines += _fact("made from", f"commit {snapshot.sha[:9]}" if snapshot.sha else "", width)
        lines += _fact("setup took", words.short_time(snapshot.setup_seconds), width)
        if explanation.result == "hit":
            lines += _fact("saves", f"{words.short_time(snapshot.setup_seconds)} at every start", width)
        lines += _fact("image", snapshot.image.removeprefix("sha256:")[:12], width)
    lines += _fact("key", explanation.key[:12], width)
    if maintained is not None:
        lines += _fact(
            "maintenance", f"ran {_ago(now - maintained.at)}, saw {words.count(len(maintained.files), 'file')}", width
        )
        lines += [row(" " * (_NAME_CELLS + 1), (path, "muted")) for path in sorted(maintained.files)]
    if components:
        lines += [row(""), row((" The snapshot depends on these:", "muted"))]
        differing = {c.rsplit(" (", 1)[0].removesuffix(" changed").removesuffix(" added").removesuffix(" removed")
                     for c in explanation.changed}  # fmt: skip
        for name in components:
            differs = name in differing
            lines.append(
                row(("   ≠ " if differs else "   = ", "warn" if differs else "ok"), (name, "warn" if differs else ""))
            )
    return lines


def _fact(name: str, value: str, width: int) -> list[Row]:
    parts = wrap(value, width - _NAME_CELLS - 2) if value else ()
    return [row((f" {name if n == 0 else '':<{_NAME_CELLS}}", "muted"), part) for n, part in enumerate(parts)]


def _bar(left: float, life: float, width: int) -> Row:
    text = f"{_minutes(left)} left " if left > 0 else "expired "
    full, empty = words.bar(left / life if life else 0, max(4, width - len(text) - 6))
    return row("   ", (full, "accent"), (empty, "faint"), right=((text, "muted"),))


def _minutes(seconds: float) -> str:
    return "less than 1m" if seconds < 60 else words.span(seconds // 60 * 60).removesuffix("00s")


def _ago(seconds: float) -> str:
    said = words.ago(seconds)
    return "just now" if said == "now" else f"{said} ago"


def to_collect(report: Report) -> tuple[str, str]:
    """What clearing up would remove, as a question and what follows from yes."""
    what = words.count(len(report.removed), "item")
    lines = [f"{item.kind} {one_line(item.name, 60)}: {one_line(item.reason, 60)}, {sizes.words(item.size_bytes)}"
             for item in report.removed[:_LISTED]]  # fmt: skip
    more = len(report.removed) - _LISTED
    if more > 0:
        lines.append(f"and {more} more")
    left = f"{sizes.words(report.left_bytes)} of {sizes.words(report.limit_bytes)} stay."
    return f"Remove {what} that nothing needs, {sizes.words(report.freed_bytes)}?", "\n".join([*lines, left])


def nothing_to_collect(report: Report) -> str:
    """That there is nothing to clear up, and what there is."""
    return (
        "Nothing to remove: every snapshot and image can still be used."
        f" They take {sizes.words(report.left_bytes)} of {sizes.words(report.limit_bytes)}."
    )


def collected(report: Report) -> str:
    """What was removed."""
    return f"Removed {words.count(len(report.removed), 'thing')}, {sizes.words(report.freed_bytes)} are free again."


def error_rows(error: EngineError, width: int) -> list[Row]:
    """Why the cache cannot be looked at, and what to do."""
    lines = [row((" ✗ ", "bad"), ("cannot look at the cache", "bad"))]
    lines += [row("   ", part) for part in wrap(error.message, width - 5)]
    return lines + [row("   ", (part, "muted")) for part in (wrap(error.hint, width - 5) if error.hint else ())]
