"""Telling that a task has ended: once, in a way the terminal at hand understands, with nothing of the task in control."""

from __future__ import annotations

import pytest

from engine.tasks.model import TaskState, TurnState
from tui.present.notice import Endings, sequence

TMUX = {"TMUX": "/tmp/tmux-0/default,1,0", "TERM": "tmux-256color"}


@pytest.mark.parametrize(
    ("how", "variables", "written"),
    [
        ("auto", {"TERM": "xterm-256color"}, "\x1b]9;fumehood: done\x07\x07"),
        ("auto", TMUX, "\x07"),
        ("auto", {"TERM": "screen-256color"}, "\x07"),
        ("osc9", {"TERM": "xterm"}, "\x1b]9;fumehood: done\x07"),
        ("osc9", TMUX, "\x1bPtmux;\x1b\x1b]9;fumehood: done\x07\x1b\\"),
        ("bell", {"TERM": "xterm"}, "\x07"),
        ("bell", TMUX, "\x07"),
        ("off", {"TERM": "xterm"}, ""),
    ],
)
def test_sequences(how: str, variables: dict[str, str], written: str) -> None:
    assert sequence(how, "done", variables) == written


def test_the_text_controls_nothing() -> None:
    written = sequence("osc9", "a\x07b\x1b]0;c\x9cd\ne" + "x" * 500, {})
    assert written.count("\x1b") == 1
    assert written.count("\x07") == 1
    assert not any(0x80 <= ord(c) < 0xA0 or c == "\n" for c in written)
    assert len(written) < 200


def state(task: str, status: str, turns: int = 1) -> TaskState:
    return TaskState(task, status=status, turns=[TurnState(n + 1, "p", 1) for n in range(turns)])


def test_each_end_is_told_once() -> None:
    endings = Endings()
    assert endings.look([state("a", "ready"), state("b", "in_progress")]) == []
    told = [found.id for found in endings.look([state("a", "ready"), state("b", "error")])]
    assert told == ["b"]
    assert endings.look([state("a", "applied"), state("b", "error")]) == []
    assert endings.look([state("a", "applied"), state("b", "in_progress", 2)]) == []
    assert [found.id for found in endings.look([state("b", "ready", 2)])] == ["b"]
    assert endings.look([state("a", "ready"), state("b", "ready", 2)]) == [], "brought back"


def test_a_follow_up_that_begins_and_ends_between_two_looks_is_told() -> None:
    endings = Endings()
    endings.look([state("a", "ready")])
    assert [found.id for found in endings.look([state("a", "ready", 2)])] == ["a"]
