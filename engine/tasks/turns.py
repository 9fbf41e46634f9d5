"""The turns of a task: its first prompt, and each follow-up to one of its attempts (SPEC T5)."""

from __future__ import annotations

import time
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import EngineError, UsageError
from engine.state import write_atomic

if TYPE_CHECKING:
    from engine.tasks.model import TaskState
    from engine.tasks.spec import TaskSpec

FOLDER = "turns"
"""Where follow-ups are written down, in the task's folder."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What the agent is asked now, and what it goes on from.

    Attributes:
        number: from 1.
        attempt: the attempt a follow-up goes to; 0 for the first turn, which all attempts work on.
        session: the agent's own name for what was said before, empty when there is none.
        result_sha: the commit with the files as the attempt left them; empty when it goes on from the base.
        head_sha: the last commit the agent made itself; empty when there is none.
    """

    number: int
    prompt: str
    attempt: int = 0
    session: str = ""
    result_sha: str = ""
    head_sha: str = ""


def first(spec: TaskSpec) -> Turn:
    """The turn that starts a task."""
    return Turn(1, spec.prompt)


def check(state: TaskState, prompt: str, attempt: int) -> None:
    """Let only a follow-up pass that can be asked for.

    Raises:
        UsageError: the task still works or never did, there is no such attempt, or the prompt is empty.
    """
    if not prompt.strip():
        raise UsageError("the prompt is empty", f'say what to do: fumehood follow-up {state.id} "now fix the docs"')
    if state.recording:
        raise UsageError(f"task {state.id} is a recording: there is nobody to ask", "start a task of your own")
    if not state.finished:
        raise UsageError(f"task {state.id} still works: {state.phase}", f"wait for it: fumehood logs -f {state.id}")
    if not 1 <= attempt <= len(state.attempts):
        raise UsageError(f"task {state.id} has no attempt {attempt}", f"it has 1 to {len(state.attempts)}")


def ask(folder: Path, state: TaskState, prompt: str, attempt: int) -> Turn:
    """Write down a follow-up to an attempt of a task that has ended.

    Raises:
        UsageError: as `check`.
    """
    check(state, prompt, attempt)
    before = state.attempts[attempt - 1]
    changed = before.result_sha if before.result_sha != state.base_sha else ""
    head = before.commits[-1][0] if before.commits else ""
    turn = Turn(len(state.turns) + 1, prompt, attempt, before.session, changed, head)
    import tomli_w

    write_atomic(folder / FOLDER / f"{turn.number}.toml", tomli_w.dumps({**asdict(turn), "created_at": time.time()}))
    return turn


def pending(folder: Path, state: TaskState) -> Turn | None:
    """The follow-up that was asked for and has not begun; None for a task that has not begun either.

    Raises:
        EngineError: it cannot be read.
    """
    path = folder / FOLDER / f"{len(state.turns) + 1}.toml"
    try:
        found = tomllib.loads(path.read_text())
        return Turn(**{name: found[name] for name in Turn.__dataclass_fields__})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"{path} is unusable: {error}", "send the follow-up again") from error
