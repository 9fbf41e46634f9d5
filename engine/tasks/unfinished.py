"""What a journal still owes when nobody goes on writing it: an end for each command and each run that has begun."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from engine.tasks import events as ev


def endings(
    journal: Iterable[ev.AnyEvent],
    *,
    command: Literal["killed", "lost"],
    run: Literal["failed", "stopped"],
    reason: str,
) -> list[ev.Event]:
    """The events with which `journal` is complete: each `run.started` is followed by exactly one `run.finished`.

    Args:
        command: what became of commands.
        run: how runs ended, and why.
    """
    commands: dict[str, ev.CommandStarted] = {}
    runs: dict[int, ev.RunStarted] = {}
    counts: dict[int, int] = {}
    for event in journal:
        match event:
            case ev.CommandStarted():
                commands[event.id] = event
                counts[event.run] = counts.get(event.run, 0) + (event.phase == "agent")
            case ev.CommandFinished():
                commands.pop(event.id, None)
            case ev.RunStarted():
                runs[event.run] = event
            case ev.RunFinished():
                runs.pop(event.run, None)
            case _:
                pass
    ended: list[ev.Event] = [
        ev.CommandFinished(id=name, exit_code=None, duration=0.0, status=command, run=begun.run)
        for name, begun in commands.items()
    ]
    return ended + [
        ev.RunFinished(
            status=run, reason=reason, session=begun.session, commands=counts.get(begun.run, 0), run=begun.run
        )
        for begun in runs.values()
    ]
