"""A task in one row, in a title, in a line of phases; and the counts for the head of the screen."""

from __future__ import annotations

from collections.abc import Sequence

from engine import sizes
from engine.tasks.model import TaskState
from tui.present import timeline, words
from tui.present.row import Row, Span, row
from tui.present.text import one_line


def list_row(state: TaskState, now: float) -> Row:
    """The task in the list: glyph, first line of the prompt, and what came of it."""
    glyph, role = words.state(state.status)
    return row((f" {glyph} ", role), (one_line(state.prompt), ""), right=(*_outcome(state, now), (" ", "")))


def _outcome(state: TaskState, now: float) -> tuple[Span, ...]:
    if state.status == "in_progress":
        return ((words.clock(now - state.created_at), "run"),)
    if state.status == "pending":
        return (("queued", "muted"),)
    if state.status == "error":
        phase = state.error.phase if state.error else ""
        return ((f"{phase or 'failed'}", "bad"),)
    if state.status in ("cancelled", "interrupted"):
        return ((state.status, "muted"),)
    diff = state.attempts[0].diff if state.attempts else None
    if diff is None or not diff.files_changed:
        return (("no changes", "muted"),)
    counts: tuple[Span, ...] = ((f"+{diff.lines_added}", "added"), (f" −{diff.lines_removed}", "removed"))
    return (("applied ", "muted"), *counts) if state.status == "applied" else counts


def state_row(state: TaskState | None, attempt: int, now: float) -> Row:
    """The open task in one line, for screens that show one pane."""
    if state is None or not state.created_at:
        return row((" no task is open", "muted"))
    return Row(((f" {title(state)}", "strong"),), (*facts(state, attempt, now, short=True), (" ", "")))


EMPTY_LIST = (
    row(""),
    row("  No tasks yet.", role=""),
    row(""),
    row(("  n", "key"), ("  write a prompt and start one", "muted")),
    row(("  ?", "key"), ("  every key", "muted")),
)


def title(state: TaskState) -> str:
    """What the task is about, for the title of its log."""
    return one_line(state.prompt, 200)


def facts(state: TaskState, attempt: int, now: float, *, short: bool = False) -> list[Span]:
    """Status, agent, time, attempt, network and cache of a task; `short` for where its title stands beside them."""
    glyph, role = words.state(state.status)
    word = {"in_progress": "running", "pending": "queued"}.get(state.status, state.status)
    parts: list[Span] = [(glyph if short and state.status == "in_progress" else f"{glyph} {word}", role)]

    def add(*spans: Span) -> None:
        parts.extend([(" · ", "faint"), *spans])

    if state.phases:
        add((words.clock(timeline.worked(state, attempt, now)), "" if state.finished else "run"))
    add((one_line(state.agent, 20), "muted"))
    if len(state.attempts) > 1:
        add((f"{'' if short else 'attempt '}{attempt}/{len(state.attempts)}", "muted"))
    if state.network_mode:
        proven: dict[bool | None, Span] = {True: (" ✓", "ok"), False: (" ✗", "bad"), None: ("", "")}
        add((f"{'net' if short else 'network'} {state.network_mode}", "muted"), proven[state.network_proven])
    if state.network_lost:
        add(("net lost" if short else "network lost", "bad"))
    if state.network_denied:
        add((f"✗ {state.network_denied:,}" if short else f"{state.network_denied:,} denied", "bad"))
    if state.cache:
        add((f"cache {state.cache.result}", "muted"))
    return parts


def counts(states: Sequence[TaskState], *, short: bool = False) -> tuple[Span, ...]:
    """How many tasks run and wait."""
    running = sum(state.status == "in_progress" for state in states)
    waiting = sum(state.status == "pending" for state in states)
    parts: list[Span] = []
    if running:
        parts.append((f"{words.RUNNING} {running}{'' if short else ' running'}  ", "run"))
    if waiting:
        parts.append((f"{words.PENDING} {waiting}{'' if short else ' queued'}  ", "muted"))
    if not parts and states and not short:
        parts.append((f"{words.count(len(states), 'task')}, none running  ", "muted"))
    return tuple(parts)


def head_row(environment: str, place: str, states: Sequence[TaskState], disk: tuple[int, int] | None = None) -> Row:
    """The line at the top: product, environment, where its code is from, how many tasks run, room for the cache.

    Args:
        disk: bytes that snapshots and images of ours take, and those they may; None while that is not known.
    """
    left: list[Span] = [(" fumehood ", "accent strong")]
    if environment:
        left += [(f" {environment}", "strong")]
    if place:
        left += [(" · ", "faint"), (place, "muted")]
    right = [*counts(states)]
    if disk is not None:
        used, limit = disk
        right.append((f"disk {sizes.words(used)} / {sizes.words(limit)} ", "warn" if used > limit else "muted"))
    return Row(tuple(left), tuple(right), "bar")
