"""What can be asked of a task that did not get to its result (SPEC T5, T8)."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.tasks import events as ev
from engine.tasks import turns
from engine.tasks.model import TaskState, fold

INTERRUPTED = ev.TaskStatus(status="interrupted", reason="its supervisor ended")


def task(*events: ev.AnyEvent) -> TaskState:
    created = ev.TaskCreated(
        id="aaaa22",
        environment="web",
        environment_path="/web/fumehood.toml",
        repository=".",
        prompt="go",
        agent="command",
        branch="",
        attempts=1,
        network="off",
        ts=1.0,
    )
    return fold("aaaa22", (created, *events))


def test_bringing_out_that_was_interrupted_itself_can_be_asked_for_again(tmp_path: Path) -> None:
    began = (ev.PhaseStarted(phase="agent"), ev.RunStarted(agent="command", prompt="go", turn=1), INTERRUPTED)
    again = (ev.TaskStatus(status="in_progress"), ev.PhaseStarted(phase="resume"), INTERRUPTED)
    state = task(*began, *again)
    assert state.left_in == 1
    assert turns.collect(tmp_path, state, 1).collects


def test_nothing_is_brought_out_of_an_attempt_whose_agent_never_began(tmp_path: Path) -> None:
    state = task(ev.PhaseStarted(phase="resume"), INTERRUPTED)
    assert state.left_in == 0
    with pytest.raises(UsageError, match="its agent had not begun"):
        turns.collect(tmp_path, state, 1)
