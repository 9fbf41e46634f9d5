"""A task in one row, in a title, in a line of phases; and the counts for the head of the screen."""

from __future__ import annotations

from collections.abc import Sequence

from engine import sizes
from engine.tasks.model import TaskState
from tui.present import actions, timeline, words
from tui.present.row import Row, Span, row
from tui.present.text import one_line

# Where there is this much room, a row says more than what the task is about.
_ROOMY = 64


def list_row(state: TaskState, now: float, *, width: int = 0, several: bool = False) -> Row:
    """The task in the list: glyph, first line of the prompt, what came of it, and how long ago it began.

    Args:
        width: of the list; a wide one also names agent and branch.
        several: there are tasks of several environments, and this row says of which it is.
    """
    glyph, role = words.state(state.status)
    left: list[Span] = [(f" {glyph} ", role)]
    if several:
        left.append((f"{one_line(state.environment, 24 if width >= _ROOMY else 10)} ", "accent"))
    left.append((one_line(state.prompt), ""))
    right = list(_outcome(state, now))
    if len(state.attempts) > 1:
        right.insert(0, (f"×{len(state.attempts)} ", "muted"))
    if width >= _ROOMY:
        right.insert(0, (f"{one_line(state.agent, 12)} · {one_line(state.branch, 24) or 'default branch'}  ", "muted"))
    if state.finished:
        right.append((f" {words.ago(now - state.created_at):>3}", "muted"))
    return row(*left, right=(*right, (" ", "")))


_SAID = {"in_progress": "running", "pending": "queued", "error": "failed"}


def fits(state: TaskState, filtered: str) -> bool:
    """Whether the prompt, the environment, the status, the agent, the branch or the id have every word."""
    told = (state.status, _SAID.get(state.status, ""), state.agent, state.branch, state.id)
    text = " ".join((state.prompt, state.environment, *told))
    return all(word in text.lower() for word in filtered.lower().split())


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
    diff = state.attempts[state.chosen - 1].diff if state.attempts else None
    if diff is None or not diff.files_changed:
        return (("no changes", "muted"),)
    counts: tuple[Span, ...] = ((f"+{diff.lines_added}", "added"), (f" −{diff.lines_removed}", "removed"))
    return (*_handed_over(state), *counts)


def state_row(state: TaskState | None, attempt: int, now: float) -> Row:
    """The open task in one line, for screens that show one pane."""
    if state is None or not state.created_at:
        return row((" no task is open", "muted"))
    return Row(((f" {title(state)}", "strong"),), (*facts(state, attempt, now, short=True), (" ", "")))


def _handed_over(state: TaskState) -> tuple[Span, ...]:
    """Where the result went: a request, a branch, the checkout."""
    request = next((event for event in reversed(state.published) if event.url), None)
    if request:
        return ((f"{'!' if request.forge == 'gitlab' else '#'}{request.number} ", "accent"),)
    if state.published:
        return (("pushed ", "muted"),)
    return (("applied ", "muted"),) if state.status == "applied" else ()


def empty_list(environment: str) -> tuple[Row, ...]:
    """What the list says while there is no task: what one is, and which keys lead to it."""
    keys = (("new_task", "write a prompt, start a task"), ("palette", "everything there is"), ("help", "every key"))
    about = f" in “{one_line(environment, 16)}”" if environment else ""
    return (
        row(""),
        row(f"  No tasks yet{about}."),
        row(""),
        row(("  A task is one prompt. An agent", "muted")),
        row(("  works on it in a container, and", "muted")),
        row(("  goes on when you leave.", "muted")),
        row(""),
        *(row((f"  {actions.key_of(name):<3}", "key"), (f" {said}", "muted")) for name, said in keys),
    )


def none_fits(filtered: str) -> tuple[Row, ...]:
    """What the list says when no task has the words."""
    return (row(""), row(f"  No task has “{filtered}”."), row(""), row(("  esc", "key"), (" shows all", "muted")))


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
