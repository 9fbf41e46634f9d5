"""Opening the workbench: the first picture, then what takes time to load."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

from tui import terminal

if TYPE_CHECKING:
    from engine.bench import Bench


def open_workbench(
    bench: Bench | None = None, task: str | None = None, *, watch: bool = True, low_bandwidth: bool = False
) -> int:
    """Show the workbench on the current folder's bench, or on `bench`; returns the exit code: 2 without a terminal."""
    if reason := terminal.check():
        print(f"fumehood: {reason}", file=sys.stderr)
        return 2
    # Nothing becomes garbage while modules are loaded, and looking for it takes a fifth of the time until the first
    # frame, after which the workbench switches it on again.
    gc.disable()
    terminal.paint_skeleton()
    try:
        from engine.bench import Bench
        from tui.app import run

        return run(bench or Bench(), task, watch=watch, low_bandwidth=low_bandwidth)
    except BaseException:
        terminal.restore()
        raise
