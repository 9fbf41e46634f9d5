"""A task that runs and prints: `python feeder.py STATE TASK LINES-A-SECOND`, until it is ended.

Says `ready` once the task is on disk, then prints so many lines a second into its output, each with its number.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.bench.terminal_lab.inputs import Task, everything_kept, long_lines

_STEP = 0.01


def main() -> None:
    """Make the task and feed it."""
    state, name, rate = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    task = Task(state, name, "print for ever")
    command = task.command("make noise")
    with everything_kept():
        task.recorder.output(command, "out", long_lines(0, 100))
        print("ready", flush=True)
        began, written = time.perf_counter(), 0
        while True:
            time.sleep(_STEP)
            due = int((time.perf_counter() - began) * rate)
            if due > written:
                task.recorder.output(command, "out", long_lines(100 + written, due - written))
                written = due
            task.recorder.flush()


if __name__ == "__main__":
    main()
