"""A log of 1 GB and one of 10 million lines: how soon they are seen and indexed, memory, scrolling, searching."""

from __future__ import annotations

import statistics
from pathlib import Path

from tests.bench.terminal_lab.driver import Lost, Program
from tests.bench.terminal_lab.figures import Report
from tests.bench.terminal_lab.inputs import FOUND, NEEDLE, Task, log, small
from tests.bench.terminal_lab.lab import Lab

PAGE_UP, PAGE_DOWN, HOME, END, DOWN = "\x1b[5~", "\x1b[6~", "\x1b[H", "\x1b[F", "\x1b[B"
PAGES = 15


def measure(lab: Lab, report: Report) -> None:
    """Each program on each log, in turn."""
    tenth = 10 if lab.quick else 1
    for lines, short, name in ((9_400_000, False, "log of 1 GB"), (10_000_000, True, "log of 10 million lines")):
        lines //= tenth
        state = lab.state(name.replace(" ", "-"))
        task = Task(state, "large2", "a large log")
        path = task.output(log(lines, short=short), runs_on=True)
        small(state)
        of = f", a tenth of it: {lines:,} lines" if lab.quick else f": {lines:,} lines"
        report.title(f"{name}{of}, {path.stat().st_size / 1e6:,.0f} MB")
        rounds: dict[str, list[dict[str, float]]] = {}
        for _ in range(1 if lab.quick else 2):
            rounds.setdefault("fumehood", []).append(_fumehood(lab, state, lines))
            if lab.toolong:
                rounds.setdefault("toolong", []).append(_toolong(lab, path, lines))
            rounds.setdefault("less", []).append(_less(lab, path, lines))
        _report(report, rounds, name, whole=not lab.quick)
        task.end()
        path.unlink()


def _fumehood(lab: Lab, state: Path, lines: int) -> dict[str, float]:
    with lab.fumehood(state=state) as program:
        program.shows("The small task is open.")
        program.busy_until()
        idle = program.memory
        found = _opened(program, "j\r", f"{lines - 1:08d}", idle)
        found |= _moved(program, home="g", end="G", first="00000000", last=f"{lines - 1:08d}")
        return found | _searched(program, idle)


def _toolong(lab: Lab, path: Path, lines: int) -> dict[str, float]:
    little = lab.folder / "little.log"
    little.write_bytes(next(log(30)))
    with lab.program(lab.toolong, str(little)) as program:
        program.shows("00000029")
        start = program.busy_until() - program.began
        idle = program.memory
    with lab.program(lab.toolong, str(path)) as program:
        found = _opened(program, "", f"{lines - 1:08d}", idle)
        # A program that opens a file when it starts: its own start is taken off.
        found = {**found, "first": found["first"] - start * 1000, "indexed": found["indexed"] - start}
        found |= _moved(program, home=HOME, end=END, first="00000000", last=f"{lines - 1:08d}")
        program.changed(HOME)
        # It looks for the next match, from what is on the screen, when the arrow is pressed.
        return found | _searched(program, idle, find=DOWN)


def _less(lab: Lab, path: Path, lines: int) -> dict[str, float]:
    with lab.program("less", str(path)) as program:
        found = _opened(program, "", "00000000", 0)
        found |= _moved(program, home="g", end="G", first="00000000", last=f"{lines - 1:08d}")
        program.press("g")
        program.settled()
        return found | _searched(program, 0)


def _opened(program: Program, keys: str, seen: str, idle: float) -> dict[str, float]:
    asked = program.press(keys) if keys else program.began
    first = program.shows(seen, seconds=120)
    indexed = program.busy_until()
    return {"first": (first - asked) * 1000, "indexed": max(indexed, first) - asked, "opened": program.memory - idle}


def _moved(program: Program, *, home: str, end: str, first: str, last: str) -> dict[str, float]:
    pages = [("page up", PAGE_UP), ("page down", PAGE_DOWN)]
    ends = [("home", home, first), ("end", end, last)]
    if last not in program.screen.text:
        pages.reverse()
        ends.reverse()
    found: dict[str, float] = {}
    for name, key in pages:
        taken = []
        for _ in range(PAGES):
            program.rest(0.1)
            taken.append(program.changed(key) * 1000)
        found[name] = statistics.median(taken)
    for name, key, seen in ends:
        program.rest(0.3)
        asked = program.press(key)
        found[name] = (program.shows(seen, seconds=60) - asked) * 1000
    return found


def _searched(program: Program, idle: float, *, find: str = "\r") -> dict[str, float]:
    program.press("/")
    program.rest(0.5)
    asked = program.press(NEEDLE + find)
    try:
        found = (program.shows(FOUND, seconds=120) - asked) * 1000
    except Lost:
        found = float("inf")
    program.busy_until()
    return {"search": found, "memory": program.memory - idle, "peak": program.most_memory - idle}


def _report(report: Report, rounds: dict[str, list[dict[str, float]]], name: str, *, whole: bool) -> None:
    of = {
        program: {key: statistics.median(took[key] for took in taken) for key in taken[0]}
        for program, taken in rounds.items()
    }
    for program, figures in of.items():
        report.line(
            program,
            f"first screen {figures['first']:6.0f} ms · indexed {figures['indexed']:5.2f} s"
            f" · above idle {figures['opened']:5.0f} MB, in the end {figures['memory']:.0f}, most {figures['peak']:.0f}",
        )
        moves = " · ".join(f"{key} {figures[key]:.0f} ms" for key in ("page up", "page down", "home", "end", "search"))
        report.line("", moves)
    if not whole:
        return
    ours = of["fumehood"]
    report.goal(f"{name}, first screen after asking", ours["first"], 100, "ms")
    report.goal(f"{name}, memory above idle", ours["memory"], 20, "MB")
    if "toolong" in of:
        pairs = zip(rounds["fumehood"], rounds["toolong"], strict=True)
        indexed = statistics.median(mine["indexed"] / other["indexed"] for mine, other in pairs)
        report.goal(f"{name}, indexed, x toolong", indexed, 0.5)
