"""Keys while lines stream in, the processor it takes, and the bytes it writes to the terminal, following and idle."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench.terminal_lab.driver import Lost, Program
from tests.bench.terminal_lab.figures import Report, percentile
from tests.bench.terminal_lab.inputs import small
from tests.bench.terminal_lab.lab import MINIMAL, Lab
from tests.bench.terminal_lab.screen import Screen

RATES = (0, 10_000, 100_000)
_TYPED = "typed"
PANES = ("4", "1")
"""Keys that go to another pane, which changes the last row of the screen: what the keys do there."""


def keys_to_paint(
    program: Program, keys: Sequence[str], count: int, *, row: int = -1, seconds: float = 15
) -> list[float]:
    """Press keys by turns at odd times; ms until the row had changed by each, `seconds` for one that never did."""
    chance = random.Random(7)
    taken: list[float] = []
    for number in range(count):
        program.rest(chance.uniform(0.1, 0.35))
        before = program.screen.line(row)
        asked = program.press(keys[number % len(keys)])
        try:
            taken.append((program.until(_other(row, before), seconds=seconds) - asked) * 1000)
        except Lost:
            taken.append(seconds * 1000)
            if taken.count(seconds * 1000) > 1:
                break
    return taken


def _other(row: int, before: str) -> Callable[[Screen], bool]:
    return lambda screen: screen.line(row) != before


def typing_to_paint(program: Program, count: int, *, seconds: float = 15) -> list[float]:
    """Type into the prompt of a new task, over the log; ms until each character is there, or is gone."""
    program.press("n")
    program.shows("New task", seconds=60)
    program.press(_TYPED)
    program.shows(_TYPED, seconds=60)
    row = next(number for number in range(program.screen.rows) if _TYPED in program.screen.line(number))
    taken = keys_to_paint(program, ("x", "\x7f"), count, row=row, seconds=seconds)
    program.press("\x1b")
    program.until(lambda screen: _TYPED not in screen.text, seconds=60)
    return taken


def measure(lab: Lab, report: Report) -> None:
    """fumehood at each rate; toolong on the same file; the minimal app as the floor of a key."""
    state = lab.state("stream")
    small(state)
    count = 30 if lab.quick else 80
    report.title("keys, processor and bytes while lines stream into the open task, 120×40")
    with lab.program(*MINIMAL) as program:
        program.shows("a small app")
        program.rest(1)
        taken = keys_to_paint(program, "x", count, row=0)
        report.line("minimal Textual app, nothing streams", _times(taken))
    for rate in RATES:
        with lab.printing(state, "prints2", rate) as output:
            _at(lab, report, rate, state, output, count)
    with lab.fumehood(state=state) as program:
        program.shows("The small task is open.")
        program.rest(4)
        written, share = _follow(program, 5 if lab.quick else 15)
        report.line("fumehood, idle", f"{written * 1000:.0f} B/s, processor {share:.1%}")
        report.goal("bytes while idle", written * 1000, 0, "B/s")


def _at(lab: Lab, report: Report, rate: int, state: Path, output: Path, count: int) -> None:
    said = f"{rate:,} lines/s"
    with lab.fumehood(state=state) as program:
        program.shows("worker-")
        program.rest(3)
        four = _follow(program, 4)
        switched = keys_to_paint(program, PANES, count)
        typed = typing_to_paint(program, count)
        program.press("4+")
        program.rest(1)
        alone = _follow(program, 4)
        report.line(f"fumehood, {said}", f"going to a pane: {_times(switched)}")
        report.line("", f"typing a prompt: {_times(typed)}")
        for name, (written, share) in (("four panes", four), ("log alone", alone)):
            report.line("", f"following, {name}: {written:.1f} kB/s, processor {share:.0%}, {program.memory:.0f} MB")
    if not rate:
        return
    report.goal(f"going to a pane, p95, {said}", percentile(switched, 0.95), 50, "ms")
    report.goal(f"typing a prompt, p95, {said}", percentile(typed, 0.95), 50, "ms")
    report.goal(f"bytes while following, {said}", max(four[0], alone[0]), 70, "kB/s")
    if lab.toolong:
        with lab.program(lab.toolong, str(output)) as program:
            program.shows("worker-")
            program.rest(3)
            written, share = _follow(program, 4)
            report.line(
                f"toolong, {said}", f"following: {written:.1f} kB/s, processor {share:.0%}, {program.memory:.0f} MB"
            )


def _times(taken: Sequence[float]) -> str:
    return f"median {statistics.median(taken):.0f} ms, p95 {percentile(taken, 0.95):.0f}, max {max(taken):.0f}"


def _follow(program: Program, seconds: float) -> tuple[float, float]:
    """kB that come in a second, and the share of a processor that takes."""
    began, used = time.perf_counter(), program.processor
    written = program.rest(seconds)
    took = time.perf_counter() - began
    return written / took / 1000, (program.processor - used) / took
