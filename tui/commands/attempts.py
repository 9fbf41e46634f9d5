"""compare and pick: several attempts at one prompt, and the one that is preferred (SPEC T6)."""

from __future__ import annotations

import argparse

from engine.bench import Bench
from tui.commands.output import print_json, say, table


def compare(options: argparse.Namespace) -> int:
    """The attempts of a task, one a line."""
    from engine.tasks.model import attempt_json
    from tui.present import attempts

    state = Bench().tasks.get(options.task)
    if options.json:
        listed = [attempt_json(attempt) for attempt in state.attempts]
        print_json({"v": 1, "id": state.id, "picked": state.picked or None, "attempts": listed})
        return 0
    table(attempts.HEAD, [attempts.cells(state, attempt) for attempt in state.attempts])
    return 0


def pick(options: argparse.Namespace) -> int:
    """Prefer an attempt."""
    state = Bench().tasks.pick(options.task, options.attempt)
    if options.json:
        print_json({"v": 1, "id": state.id, "picked": state.picked})
    else:
        say(f"{state.id}: attempt {state.picked} is meant from now on")
    return 0
