"""Where the time of a task went: its phases as bars, against the last time each of them ran (SPEC W6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from engine.tasks.model import TaskState
from tui.present import words
from tui.present.row import Row, Span, row
from tui.present.text import one_line

# What an agent has to do is another thing each time: its last time is told, but is no measure.
_UNMEASURED = "agent"
_SHARED = ("clone", "setup", "snapshot")
# A difference is worth telling from this part of the last time on, and from so many seconds on.
_PART, _SECONDS = 0.1, 0.5
_NAME_CELLS, _TIME_CELLS, _BAR = 14, 8, 8
_WORDS_FROM = 66


class PhaseTime(Struct, frozen=True):
    """A phase and its time: `seconds` so far or in all, `last` those of the run before, if there was one."""

    name: str
    status: str
    seconds: float
    reason: str = ""
    last: float | None = None

    @property
    def expected(self) -> float:
        """How long it should take; 0 when that is not known."""
        return 0.0 if self.last is None or self.name == _UNMEASURED else self.last

    @property
    def longer(self) -> float:
        """How many seconds longer (or, below 0, shorter) it took than the last time; 0 when that is nothing to tell."""
        if self.status != "done" or not self.expected:
            return 0.0
        more = self.seconds - self.expected
        return more if abs(more) >= max(_SECONDS, _PART * self.expected) else 0.0


def last_seconds(states: Iterable[TaskState], shown: TaskState) -> dict[str, float]:
    """How long each phase took in the newest task of the same environment before this one that went through it.

    An agent's time is that of a task with the same agent.
    """
    earlier = [state for state in states if state.created_at < shown.created_at]
    return environment_seconds(earlier, shown.environment_path, shown.agent)


def environment_seconds(states: Iterable[TaskState], path: str, agent: str = "") -> dict[str, float]:
    """How long each phase took in the newest task of an environment that went through it; `agent`: with whom."""
    found: dict[str, float] = {}
    mine = [state for state in states if state.environment_path == path]
    for state in sorted(mine, key=lambda state: state.created_at):
        for phase in state.phases:
            if phase.status == "done" and (phase.name != _UNMEASURED or state.agent == agent):
                found[phase.name] = phase.seconds
    return found


def phase_times(state: TaskState, attempt: int, last: Mapping[str, float], now: float) -> list[PhaseTime]:
    """The phases that led to an attempt, in order: its own, and the setup that all attempts share."""
    return [
        PhaseTime(
            phase.name,
            phase.status,
            max(0.0, now - phase.started_at) if phase.status == "running" else phase.seconds,
            phase.reason,
            last.get(phase.name),
        )
        for phase in state.phases
        if phase.attempt == attempt or phase.name in _SHARED
    ]


def worked(state: TaskState, attempt: int, now: float) -> float:
    """Seconds that the phases of an attempt took, in all its turns and up to now."""
    return sum(time.seconds for time in phase_times(state, attempt, {}, now))


def slowest(times: Sequence[PhaseTime]) -> PhaseTime | None:
    """The phase that took most of the time, when there is a choice and it is worth a word."""
    ran = [time for time in times if time.status != "skipped"]
    found = max(ran, key=lambda time: time.seconds, default=None)
    return found if found is not None and len(ran) > 1 and found.seconds >= _SECONDS else None


def line(times: Sequence[PhaseTime], width: int, *, finished: bool = False) -> Row:
    """The phases in one line, in order; where they do not fit, the first ones give way to `…`."""
    if not times:
        return row((" waiting to begin" if not finished else "", "muted"))
    most = slowest(times)
    shown = [_in_line(time, most) for time in times]
    cells = [sum(len(text) for text, _ in phase) + 3 for phase in shown]
    kept = len(shown)
    # Before the first there is one cell, or the five of the mark for what is left out.
    while kept > 1 and sum(cells[-kept:]) - 3 + (1 if kept == len(shown) else 5) > width:
        kept -= 1
    parts: list[Span] = [(" … ▸ " if kept < len(shown) else " ", "faint")]
    for number, phase in enumerate(shown[-kept:]):
        parts += [(" ▸ ", "faint"), *phase] if number else phase
    return Row(tuple(parts))


def _in_line(time: PhaseTime, most: PhaseTime | None) -> list[Span]:
    glyph, role = words.state(time.status)
    if time.status == "running":
        return [(f"{time.name} ", "strong"), *progress(time.seconds, time.expected), (f" {glyph}", role)]
    if time.status == "skipped":
        return [(f"{time.name} –", "muted")]
    took: list[Span] = [(words.short_time(time.seconds), "strong" if time is most else "muted")]
    if time.longer and time.last is not None:
        took.append((f" (last {words.short_time(time.last)})", "muted"))
    if time.status == "failed":
        return [(f"{time.name} ", "bad"), *took, (f" {glyph}", role)]
    return [(f"{time.name} ", ""), *took]


def progress(seconds: float, expected: float, cells: int = _BAR) -> list[Span]:
    """The time of what runs, with a bar against how long it should take when that is known: no spinner."""
    clock: Span = (words.clock(seconds), "run")
    if expected < 1.0:
        return [clock]
    full, empty = words.bar(seconds / expected, cells)
    if seconds > expected:
        return [clock, (f" {full}", "warn"), (f" over {words.span(expected)}", "muted")]
    return [clock, (f" {full}", "run"), (empty, "faint"), (f" of {words.span(expected)}", "muted")]


def rows(times: Sequence[PhaseTime], width: int) -> list[Row]:
    """Each phase in a line: its bar on one scale, its time, the last time, or why it was skipped."""
    if not times:
        return []
    most = slowest(times)
    scale = max([time.seconds for time in times] + [t.expected for t in times if t.status == "running"])
    cells = max(6, min(40, width - _NAME_CELLS - _TIME_CELLS - (30 if width >= _WORDS_FROM else 20)))
    mark = " ◀ slowest" if width >= _WORDS_FROM else " ◀"
    lines = [_phase_row(time, scale, cells, mark if time is most else "") for time in times]
    total = sum(time.seconds for time in times)
    measured = [time for time in times if time.expected and time.status == "done"]
    said: tuple[Span, ...] = ((f" {'in all':<{_NAME_CELLS}}{'':<{cells}}", "muted"),)
    said += ((f"{words.short_time(total):>{_TIME_CELLS}}", "strong"),)
    more = sum(time.seconds - time.expected for time in measured)
    if measured and abs(more) >= _SECONDS:
        what = "slower" if more > 0 else "faster"
        said += ((f"  {words.short_time(abs(more))} {what} than the last time", "warn" if more > 0 else "ok"),)
    return [*lines, Row(said)]


def _phase_row(time: PhaseTime, scale: float, cells: int, mark: str) -> Row:
    glyph, role = words.state(time.status)
    name: list[Span] = [(f" {glyph} ", role), (f"{time.name:<{_NAME_CELLS - 2}}", "strong" if mark else "")]
    if time.status == "skipped":
        return Row((*name, (one_line(time.reason, 200) or "not needed", "muted")))
    full, _ = words.bar(time.seconds / scale if scale else 0, cells)
    bar: list[Span] = [(full or "▏", {"running": "run", "failed": "bad"}.get(time.status, "accent"))]
    used = max(1, len(full))
    if time.status == "running" and time.expected:
        # Up to where the last one came.
        until = max(used, round(time.expected / scale * cells) if scale else 0)
        bar.append(("░" * (until - used), "faint"))
        used = until
    bar.append((" " * (cells - used), ""))
    shown = words.clock(time.seconds) if time.status == "running" else words.short_time(time.seconds)
    parts: list[Span] = [*name, *bar, (f"{shown:>{_TIME_CELLS}}", role if time.status != "done" else "strong")]
    parts.append((mark, "warn"))
    if time.last is not None:
        parts.append((f"  last {words.short_time(time.last)}", "muted"))
    if time.longer:
        sign, role = ("▲ +", "warn") if time.longer > 0 else ("▼ −", "ok")
        parts.append((f" {sign}{words.short_time(abs(time.longer))}", role))
    return Row(tuple(parts))
