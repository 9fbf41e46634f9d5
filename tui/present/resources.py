"""What the containers of a task use, as curves below their limits (SPEC W6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from engine import sizes
from engine.tasks.resources import Resources, Sample
from tui.present.row import Row, Span, row, wrap

_STEPS = "▁▂▃▄▅▆▇█"
_NAME_CELLS, _NOW_CELLS, _PEAK_CELLS = 8, 19, 14
_NEAR = 0.9
_NOTHING_YET = "CPU, memory, disk and processes are sampled while it works."
_NOTHING = "It was over before CPU, memory, disk and processes were sampled."


def sparkline(values: Sequence[float], top: float, cells: int) -> str:
    """The values as a curve of `cells` cells, the newest at the right; a full cell is `top`, anything above 0 shows."""
    if cells < 1 or not values:
        return " " * max(0, cells)
    shown = [max(values[first:last]) for first, last in _slices(len(values), cells)]
    return f"{''.join(_step(value, top) for value in shown):>{cells}}"


def _slices(count: int, cells: int) -> list[tuple[int, int]]:
    """What part of `count` values each cell shows, when there are more of them than cells."""
    used = min(count, cells)
    edges = [number * count // used for number in range(used + 1)]
    return list(pairwise(edges))


def _step(value: float, top: float) -> str:
    if value <= 0 or top <= 0:
        return " "
    return _STEPS[-1] if value >= top else _STEPS[int(value / top * len(_STEPS))]


def rows(found: Resources | None, *, live: bool, width: int) -> list[Row]:
    """A line for each resource: its curve, what is used of the limit now (while `live`), the most it ever was."""
    if found is None or not found.samples:
        return [row(" ", (part, "muted")) for part in wrap(_NOTHING_YET if live else _NOTHING, width - 2)]
    limits = found.limits
    kinds: tuple[tuple[str, Callable[[Sample], float], float, Callable[[float], str]], ...] = (
        ("cpu", lambda sample: sample.cpus, limits.cpus, _cpus),
        ("memory", lambda sample: sample.memory, limits.memory, _memory),
        ("disk", lambda sample: sample.disk or 0, limits.disk, sizes.words),
        ("pids", lambda sample: sample.pids, limits.pids, lambda count: f"{count:,.0f}"),
    )
    cells = max(4, min(60, width - _NAME_CELLS - _NOW_CELLS - _PEAK_CELLS - 4))
    return [_row(name, list(map(value, found.samples)), limit, say, cells, live) for name, value, limit, say in kinds]


def _row(name: str, values: list[float], limit: float, say: Callable[[float], str], cells: int, live: bool) -> Row:
    peak = max(values)
    curve = sparkline(values, limit, cells)
    used = f"{say(values[-1])} / {say(limit)}" if live else f"limit {say(limit)}"
    near = peak >= _NEAR * limit
    parts: list[Span] = [(f" {name:<{_NAME_CELLS}}", "muted"), (curve, "warn" if near else "accent")]
    parts.append((f"  {used:<{_NOW_CELLS}}", "strong" if live else "muted"))
    parts.append((f"peak {say(peak)}", "warn" if near else "muted"))
    if near and name != "cpu":
        parts.append((" ! near its limit", "warn"))
    return Row(tuple(parts))


def _memory(count: float) -> str:
    units = ["B", "KiB", "MiB", "GiB", "TiB"]
    while count >= 1000 and len(units) > 1:
        count /= 1024
        del units[0]
    return f"{count:.0f} {units[0]}" if count >= 99.5 else f"{count:.1f}".removesuffix(".0") + f" {units[0]}"


def _cpus(count: float) -> str:
    return f"{count:.2f}".rstrip("0").rstrip(".") if count >= 0.005 else "0"
