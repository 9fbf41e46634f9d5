"""The workbench on a task: `attach`."""

from __future__ import annotations

import argparse

from engine.bench import Bench
from tui.start import open_workbench


def workbench(options: argparse.Namespace) -> int:
    """Open the screen; on a task when one is named."""
    bench = Bench()
    task = bench.tasks.folder(options.task).name if options.task else None
    return open_workbench(bench, task, watch=not options.no_watch, low_bandwidth=options.low_bandwidth)
