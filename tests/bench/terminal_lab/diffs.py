"""Diffs of 3,000 files and of 150,000 lines: first screen after asking, and from the start of the process."""

from __future__ import annotations

import statistics
from pathlib import Path

from tests.bench.terminal_lab.figures import Report, interleaved
from tests.bench.terminal_lab.inputs import diff_task, git, many_files, many_lines, small
from tests.bench.terminal_lab.lab import Lab


def measure(lab: Lab, report: Report) -> None:
    """Each diff in each program, in turn."""
    for name, files in (("3,000 files", True), ("150,000 lines", False)):
        checkout = lab.folder / f"checkout-{'files' if files else 'lines'}"
        if files:
            many_files(checkout, 3000)
        else:
            many_lines(checkout, 150_000)
        state, alone = lab.state(f"diff-{files}"), lab.state(f"diff-alone-{files}")
        for where in (state, alone):
            diff_task(where, "changes2", checkout)
        small(state)
        text = git(checkout, "diff")
        _measure_one(lab, report, name, checkout, text)


def _measure_one(lab: Lab, report: Report, name: str, checkout: Path, text: bytes) -> None:
    state, alone = (lab.state(f"diff-{where}{name == '3,000 files'}") for where in ("", "alone-"))
    # The first changed line, as far as a pane shows it.
    seen = (
        next(line for line in text.splitlines() if line.startswith(b"+") and b"+++" not in line)
        .decode()[1:]
        .strip()[:20]
    )

    def asked() -> dict[str, float]:
        with lab.fumehood(state=state) as program:
            program.shows("The small task is open.")
            idle = (program.busy_until(), program.memory)[1]
            began = program.press("j\r")
            first = program.shows(seen)
            whole = program.busy_until(quiet=0.5)
            program.press("5")
            program.rest(0.3)
            pages = statistics.median(program.changed("\x1b[6~") for _ in range(8))
            program.rest(0.3)
            end = program.changed("G")
            return {"first": (first - began) * 1000, "whole": (max(whole, first) - began) * 1000,
                    "page down": pages * 1000, "end": end * 1000, "memory": program.memory - idle}  # fmt: skip

    def from_start() -> dict[str, float]:
        with lab.fumehood("attach", "changes2", state=alone) as program:
            return {"first": (program.shows(seen) - program.began) * 1000}

    def less() -> dict[str, float]:
        with lab.program("sh", "-c", "git diff --no-color | less", folder=checkout) as program:
            first = program.shows(seen) - program.began
            program.rest(0.5)
            pages = statistics.median(program.changed(" ") for _ in range(8))
            return {"first": first * 1000, "page down": pages * 1000, "end": program.changed("G") * 1000}

    what = {"fumehood, asked": asked, "fumehood attach": from_start, "git diff | less": less}
    found = interleaved(what, 3 if lab.quick else 7)
    report.title(f"diff of {name}: {len(text) / 1e6:.1f} MB, {text.count(bytes([10])):,} lines")
    of = {who: {key: statistics.median(values) for key, values in figures.items()} for who, figures in found.items()}
    for who, figures in of.items():
        report.line(
            who, " · ".join(f"{key} {value:.0f} {'MB' if key == 'memory' else 'ms'}" for key, value in figures.items())
        )
    report.goal(f"diff of {name}, first screen after asking", of["fumehood, asked"]["first"], 150, "ms")
    report.goal(f"diff of {name}, from the start of the process", of["fumehood attach"]["first"], 500, "ms")
