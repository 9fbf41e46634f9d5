"""The turns of a task: its first prompt, and each follow-up to one of its attempts (SPEC T5)."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import asdict

from engine.errors import EngineError, UsageError
from engine.state import write_atomic

if TYPE_CHECKING:
    from engine.tasks.model import AttemptState, TaskState
    from engine.tasks.spec import TaskSpec

FOLDER = "turns"
"""Where follow-ups are written down, in the task's folder."""


class Turn(Struct, frozen=True):
    """What the agent is asked now, and what it goes on from.

    Attributes:
        number: from 1.
        attempt: the attempt a follow-up goes to; 0 for the first turn, which all attempts work on.
        session: the agent's own name for what was said before, empty when there is none.
        result_sha: the commit with the files as the attempt left them; empty when it goes on from the base.
        head_sha: the last commit the agent made itself; empty when there is none.
        collects: no agent works: the files that an interrupted turn left are brought out.
    """

    number: int
    prompt: str
    attempt: int = 0
    session: str = ""
    result_sha: str = ""
    head_sha: str = ""
    collects: bool = False


def first(spec: TaskSpec) -> Turn:
    """The turn that starts a task."""
    return Turn(1, spec.prompt)


def ask(folder: Path, state: TaskState, prompt: str, attempt: int) -> Turn:
    """Write down a follow-up to an attempt of a task that has ended.

    Raises:
        UsageError: the task still works, there is no such attempt, or the prompt is empty.
    """
    if not prompt.strip():
        raise UsageError("the prompt is empty", f'say what to do: fumehood follow-up {state.id} "now fix the docs"')
    before = _ended(state, attempt)
    changed = before.result_sha if before.result_sha != state.base_sha else ""
    head = before.commits[-1][0] if before.commits else ""
    turn = Turn(len(state.turns) + 1, prompt, attempt, before.session, changed, head)
    _write(folder, turn)
    return turn


def collect(folder: Path, state: TaskState, attempt: int) -> Turn:
    """Write down that the files of an attempt that did not get to its result are to be brought out (SPEC T8).

    Raises:
        UsageError: the task still works, there is no such attempt, or its result is there.
    """
    before = _ended(state, attempt)
    if not state.has_worked(attempt) or before.turns in before.results:
        why = "has its result" if before.results else "has no files: its agent had not begun"
        raise UsageError(f"attempt {attempt} of task {state.id} {why}", f"see `fumehood status {state.id}`")
    prompt = state.turns[-1].prompt if state.turns else state.prompt
    turn = Turn(len(state.turns) + 1, prompt, attempt, before.session, collects=True)
    _write(folder, turn)
    return turn


def _ended(state: TaskState, attempt: int) -> AttemptState:
    if not state.finished:
        raise UsageError(f"task {state.id} still works: {state.phase}", f"wait for it: fumehood logs -f {state.id}")
    if not 1 <= attempt <= len(state.attempts):
        raise UsageError(f"task {state.id} has no attempt {attempt}", f"it has 1 to {len(state.attempts)}")
    return state.attempts[attempt - 1]


def _write(folder: Path, turn: Turn) -> None:
    import tomli_w

    write_atomic(folder / FOLDER / f"{turn.number}.toml", tomli_w.dumps({**asdict(turn), "created_at": time.time()}))


def pending(folder: Path, state: TaskState) -> Turn | None:
    """The follow-up that was asked for and has not begun; None for a task that has not begun either.

    Raises:
        EngineError: it cannot be read.
    """
    path = folder / FOLDER / f"{len(state.turns) + 1}.toml"
    try:
        found = tomllib.loads(path.read_text())
        return Turn(**{name: found[name] for name in Turn.__struct_fields__})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"{path} is unusable: {error}", "send the follow-up again") from error
