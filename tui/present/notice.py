"""Telling somebody who does not look at the terminal: the sequences of terminals and multiplexers (SPEC W8)."""

from __future__ import annotations

from collections.abc import Mapping

from engine.tasks.model import TaskState
from tui.present import words
from tui.present.task import title
from tui.present.text import clean

_BELL = "\x07"
_LONGEST = 120


def sequence(how: str, text: str, variables: Mapping[str, str]) -> str:
    """What to write to the terminal.

    Args:
        how: one of `preferences.NOTIFY`. `auto` is a notification and the bell; inside tmux and screen, which let no
            notification through unless they are told to, the bell alone: they mark the window.
        text: may come from anywhere.
        variables: the environment.
    """
    tmux = "TMUX" in variables
    inside = tmux or "STY" in variables or variables.get("TERM", "").startswith("screen")
    if how == "off":
        return ""
    if how == "bell" or (how == "auto" and inside):
        return _BELL
    # The name in front keeps terminals that number such sequences from taking the text for one of their numbers.
    cleaned = " ".join(clean(text).split())[:_LONGEST]
    told = f"\x1b]9;fumehood: {cleaned}{_BELL}"
    if tmux:
        doubled = told.replace("\x1b", "\x1b\x1b")
        told = f"\x1bPtmux;{doubled}\x1b\\"
    return told + _BELL if how == "auto" else told


def ending(state: TaskState) -> str:
    """How a task ended, in a few words."""
    return f"{words.state(state.status)[0]} {state.status}: {title(state)}"


class Endings:
    """Which tasks ended since the last look, each turn of each once; what had ended before the first look has not."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[bool, int]] | None = None

    def look(self, states: list[TaskState]) -> list[TaskState]:
        """Those that ended since."""
        before, self._seen = self._seen, {state.id: (state.finished, len(state.turns)) for state in states}
        if before is None:
            return []
        return [
            state
            for state in states
            # One that is new and over already was brought back, or was so quick that nobody turned away meanwhile.
            if state.finished and state.id in before and before[state.id] != (True, len(state.turns))
        ]
