"""The workbench in a terminal against its peers: start, large logs, keys while lines stream in, diffs, a slow link.

    python tests/bench/tui.py [--quick] [--only NAME ...]

start    to the first bytes, the first paint, the content; memory. Peers: a minimal Textual app, toolong, less
logs     a log of 1 GB and one of 10 million lines: first screen, indexed, memory, scrolling, searching
stream   keys while 0, 10,000 and 100,000 lines a second come; processor; bytes to the terminal, also idle
diffs    a diff of 3,000 files and one of 150,000 lines. Peer: git diff | less
link     keys over a real sshd behind a slow link, also within tmux there

The real programs, in terminals of 120×40; tasks written by the engine's recorder in a scratch state. Medians; what is
compared was measured in turn. toolong is installed once into a folder of its own under the user's cache.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.bench.terminal_lab import diffs, logs, slow_link, start, streaming  # noqa: E402
from tests.bench.terminal_lab.figures import Report  # noqa: E402
from tests.bench.terminal_lab.lab import Lab, scratch  # noqa: E402

PARTS: dict[str, Callable[[Lab, Report], None]] = {
    "start": start.measure,
    "logs": logs.measure,
    "stream": streaming.measure,
    "diffs": diffs.measure,
    "link": slow_link.measure,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller inputs, fewer rounds: two minutes instead of ten")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="NAME")
    chosen = parser.parse_args()
    report = Report()
    with scratch() as folder:
        lab = Lab(folder, quick=chosen.quick)
        load = ", ".join(f"{part:.1f}" for part in os.getloadavg())
        print(f"{os.cpu_count()} processors, load {load}, Python {platform.python_version()}")
        if lab.without_toolong:
            print(f"toolong: {lab.without_toolong}")
        for name in chosen.only:
            PARTS[name](lab, report)
    report.summary()


if __name__ == "__main__":
    main()
