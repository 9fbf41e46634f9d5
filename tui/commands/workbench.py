"""The workbench itself, and `attach`."""

from __future__ import annotations

import argparse

from engine.bench import Bench
from engine.errors import UsageError


def workbench(options: argparse.Namespace) -> int:
    """Open the screen; on a task when one is named."""
    bench = Bench()
    task = bench.tasks.folder(options.task).name if options.task else None
    return open_screen(bench, task, watch=not options.no_watch)


def open_screen(bench: Bench, task: str | None, *, watch: bool = True) -> int:
    """Run the Textual app; refuses politely where there is no terminal for it."""
    from tui.terminal import check

    if problem := check():
        raise UsageError(problem, "the commands work without it: fumehood --help")
    from tui.app import run

    return run(bench, task, watch=watch)
