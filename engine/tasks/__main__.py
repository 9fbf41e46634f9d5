"""`python -m engine.tasks`: a supervisor. Reads the folder of its task from standard input, one line.

It is started before its task is known, while the command line still reads options and environment: what every task
needs first is imported now, what it needs later while docker is busy starting the container.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

_FIRST = ("engine.containers.endpoint", "engine.environment.load", "engine.tasks.prepare", "engine.tasks.attempt")


def main() -> None:
    """Wait for a task; without one (the line is empty) end."""
    for name in _FIRST:
        importlib.import_module(name)
    line = sys.stdin.buffer.readline().rstrip(b"\n")
    if line:
        from engine.tasks.supervisor import supervise

        supervise(Path(os.fsdecode(line)))


if __name__ == "__main__":
    main()
