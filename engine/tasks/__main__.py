"""`python -m engine.tasks`: a supervisor. Reads the folder of its task from standard input, one line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# What every task needs, imported while the command line is still reading its arguments.
from engine.tasks.supervisor import supervise


def main() -> None:
    """Wait for a task; without one (the line is empty) end."""
    line = sys.stdin.buffer.readline().rstrip(b"\n")
    if line:
        supervise(Path(os.fsdecode(line)))


if __name__ == "__main__":
    main()
