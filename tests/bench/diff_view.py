"""How long large diffs take to open and to scroll, against floors in the same run.

    python tests/bench/diff_view.py [--runs 5]

open      from asking for the diff to its first rows on the screen, and to all of it; floor: `git apply --numstat` of it
page      a page further, with every row of it made and painted, in time of the processor; floor: a view of plain rows

Diffs of 3,000 files, of 12,500 hunks and of one hunk with 100,000 lines; in one column and in two. 200×50 cells.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

LINES = 100_000
PAGES = 120


def patches() -> dict[str, bytes]:
    """Three patches of about 100,000 lines."""
    changed = "-value_{0} = compute({0}, before)\n+value_{0} = compute({0}, after)\n"
    same = "".join(f" line_{n} = call(first, 'second')  # as it was\n" for n in range(6))
    three = same[: len(same) // 2]
    few = "".join(changed.format(n) for n in range(12))
    header = "diff --git a/{0} b/{0}\nindex 1111111..2222222 100644\n--- a/{0}\n+++ b/{0}\n"
    many = [header.format(f"src/p{n // 50}/f{n}.py") + f"@@ -1,24 +1,24 @@\n{same}{few}{same}" for n in range(3000)]
    hunks = [f"@@ -{n * 9 + 1},7 +{n * 9 + 1},7 @@\n{three}{changed.format(n)}{three}" for n in range(12_500)]
    old = "".join(f"-value_{n} = compute({n}, before)\n" for n in range(LINES // 2))
    new = "".join(f"+value_{n} = compute({n}, after)\n" for n in range(LINES // 2))
    return {
        "3,000 files": "".join(many).encode(),
        "12,500 hunks": (header.format("f.py") + "".join(hunks)).encode(),
        "one hunk": (header.format("f.py") + f"@@ -1,{LINES // 2} +1,{LINES // 2} @@\n{old}{new}").encode(),
    }


def numstat(path: Path) -> float:
    """How long git needs to count the lines of a patch."""
    began = time.perf_counter()
    subprocess.run(["git", "apply", "--numstat", str(path)], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def processor_seconds_of(what: Callable[[], object]) -> float:
    """How long this process worked for something, whatever else the machine did."""
    began = time.process_time()
    what()
    return time.process_time() - began


async def measure(runs: int) -> None:
    """Print the table."""
    from textual.geometry import Region

    from tests.screens import recorded
    from tests.screens.conftest import RecordedBench
    from tui.app import Workbench
    from tui.live.preferences import Preferences
    from tui.present.row import row
    from tui.widgets.diff_view import DiffView
    from tui.widgets.line_view import LineView, RowList

    def pages(view: LineView) -> list[float]:
        view.go(0)
        view.cursor = 0
        region = Region(0, 0, view.size.width, view.size.height)

        def page() -> None:
            view.action_list_page_down()
            view.render_lines(region)

        return [processor_seconds_of(page) for _ in range(PAGES)]

    names = ("git", "first", "ratio", "whole", "ratio", "page", "p95", "plain", "ratio")
    print(" " * 22 + "".join(f"{name:>8}" for name in names))
    for name, data in patches().items():
        for split in (False, True):
            Preferences(diff_split=split).write()
            task = recorded.finished("bench1")
            task.patch(data)
            path = task.folder / "attempts" / "1" / "diff.patch"
            app = Workbench(RecordedBench(Path.cwd()))
            async with app.run_test(size=(200, 50)) as pilot:
                screen = app.screen_stack[0]
                await pilot.press("5", "plus")
                view = screen.query_one(DiffView)
                firsts, wholes, gits = [], [], []
                for _ in range(runs):
                    gits.append(numstat(path))
                    await pilot.pause(0.2)
                    screen.diff_pane.show(None, None)  # type: ignore[attr-defined]
                    began, first = time.perf_counter(), 0.0
                    screen.read_patch("bench1", 1)  # type: ignore[attr-defined]
                    while not (
                        view.changes and view.changes.whole and view.shown and view.shown.patch is view.changes.patch
                    ):
                        await asyncio.sleep(0.001)
                        if not first and view.row_count():
                            view.render_lines(Region(0, 0, view.size.width, view.size.height))
                            first = time.perf_counter() - began
                    wholes.append(time.perf_counter() - began)
                    firsts.append(first or wholes[-1])
                view._painted.clear()
                page = pages(view)
                view.display = False
                plain = RowList()
                await screen.query_one("#diff Horizontal").mount(plain)
                await pilot.pause()
                plain.show([row(f"{n:>6} value_{n} = compute({n}, before)") for n in range(LINES)])
                floor = pages(plain)
                ms = [statistics.median(times) * 1000 for times in (gits, firsts, wholes, page, floor)]
                p95 = sorted(page)[int(len(page) * 0.95)] * 1000
                said = (f"{ms[0]:.0f}ms", f"{ms[1]:.0f}ms", f"{ms[1] / ms[0]:.2f}", f"{ms[2]:.0f}ms", f"{ms[2] / ms[0]:.2f}",
                        f"{ms[3]:.1f}ms", f"{p95:.1f}ms", f"{ms[4]:.1f}ms", f"{ms[3] / ms[4]:.2f}")  # fmt: skip
                print(f"{name:14}{'split' if split else '':8}" + "".join(f"{text:>8}" for text in said))


def main() -> None:
    """Measure in a state of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("STATE", "CACHE", "DATA", "CONFIG"):
            os.environ[f"XDG_{kind}_HOME"] = f"{folder}/{kind}"
        os.chdir(folder)
        asyncio.run(measure(runs))


if __name__ == "__main__":
    main()
