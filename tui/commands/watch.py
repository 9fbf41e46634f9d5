"""watch: keep environments fresh while their files change (SPEC C5)."""

from __future__ import annotations

import argparse
import sys
import time

from engine.bench import Bench
from engine.durations import words
from engine.tasks.events import Kept
from engine.tasks.journal import plain
from tui.commands.output import print_json, progress, say
from tui.commands.trust import ensure

_POLL = 0.1
# How often it is made sure that the keeper lives.
_ENSURE = 20
_GLYPHS = {"started": "●", "done": "✓", "failed": "✗", "waiting": "○", "ended": "–"}


def watch(options: argparse.Namespace) -> int:
    """Until interrupted: take care of the environments and tell what is done for them."""
    bench = Bench()
    environments = []
    for reference in options.env or [None]:
        environments.append(bench.environments.load(reference))
        ensure(bench, environments[-1], reference)
    _, offset = bench.keeper.events()
    while (after := bench.keeper.events(offset)[1]) != offset:
        offset = after
    client = bench.keeper.open(environment.path for environment in environments)
    mine = {str(environment.path) for environment in environments}
    if not options.json:
        progress(f"watching {', '.join(environment.name for environment in environments)}; ctrl-c ends it")
    try:
        round_ = 0
        while True:
            events, offset = bench.keeper.events(offset)
            for event in events:
                if event.environment_path in mine:
                    _tell(event, as_json=options.json)
            round_ += 1
            if round_ % _ENSURE == 0:
                client.ensure_keeper()
            time.sleep(_POLL)
    except KeyboardInterrupt:
        return 0
    finally:
        client.close()


def _tell(event: Kept, *, as_json: bool) -> None:
    if as_json:
        print_json(plain(event))
    else:
        clock = time.strftime("%H:%M:%S", time.localtime(event.ts))
        took = f" ({words(event.seconds)})" if event.seconds >= 1 else ""
        status = "" if event.status == "done" else f" {event.status}"
        say(f"{clock} {_GLYPHS[event.status]} {event.environment}  {event.action}{status}: {event.reason}{took}")
        for line in event.tail.splitlines():
            say(f"    {line}")
    sys.stdout.flush()
