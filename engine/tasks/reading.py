"""The state of a task from its folder, whatever has become of the files in it (SECURITY-CASES C07)."""

from __future__ import annotations

import time
from pathlib import Path

from engine.errors import EngineError
from engine.tasks.journal import read_all
from engine.tasks.model import Failure, TaskState, fold
from engine.tasks.spec import load

# How old a folder is whose task should have begun: making both takes milliseconds.
_BEGUN_SECONDS = 60.0


def state_of(folder: Path) -> TaskState:
    """What the journal of a task says; `created_at` is 0 while there is none.

    Raises:
        EngineError: it cannot be read.
    """
    return with_beginning(folder, fold(folder.name, read_all(folder)))


def with_beginning(folder: Path, state: TaskState) -> TaskState:
    """The state, with what was asked from `task.toml` when the journal has lost its beginning."""
    if state.created_at:
        return state
    asked_at = _ask(folder, state)
    if state.last_seq or (asked_at and time.time() - asked_at > _BEGUN_SECONDS):
        state.created_at = asked_at
        state.error = state.error or Failure("", f"the beginning of its journal is lost: {folder}")
        state.status = state.status if state.last_seq else "error"
    return state


def unreadable(folder: Path, error: EngineError) -> TaskState:
    """What is known of a task whose journal cannot be read: what was asked, and why there is no more."""
    state = TaskState(folder.name, status="error", error=Failure("", error.message, hint=error.hint))
    state.created_at = _ask(folder, state) or time.time()
    return state


def _ask(folder: Path, state: TaskState) -> float:
    """Put what was asked into the state; when that was (Unix seconds), as far as it can be told."""
    try:
        spec = load(folder)
    except EngineError:
        state.prompt = "(what was asked is lost)"
        try:
            return folder.stat().st_mtime
        except OSError:
            return 0.0
    state.prompt, state.environment_path = spec.prompt, spec.environment
    state.agent, state.branch = spec.agent, spec.branch
    return spec.created_at
