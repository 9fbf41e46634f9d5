"""Figures of a benchmark: medians, ratios of pairs measured in the same run, goals and whether each is met."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of all values does not exceed (nearest rank); `share` is in (0, 1]."""
    ordered = sorted(values)
    rank = -(-len(ordered) * share // 1)
    return ordered[max(0, int(rank) - 1)]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of the pairs: each of ours to that of the other in the same round."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def interleaved(
    what: Mapping[str, Callable[[], Mapping[str, float]]], rounds: int
) -> dict[str, dict[str, list[float]]]:
    """Take each in turn, again and again: what the machine does meanwhile comes over all of them.

    Returns:
        By name, then by figure: the values in the order of the rounds. A first round warms up and is not counted.
    """
    found: dict[str, dict[str, list[float]]] = {name: {} for name in what}
    for turn in range(rounds + 1):
        for name, take in what.items():
            for figure, value in take().items():
                values = found[name].setdefault(figure, [])
                if turn:
                    values.append(value)
    return found


@dataclass(slots=True)
class Report:
    """The table, printed line by line as figures come. A goal that is missed is named, nothing fails by it."""

    met: int = 0
    missed: list[str] = field(default_factory=list)

    def title(self, text: str) -> None:
        """A new part of it."""
        print(f"\n{text}", flush=True)

    def line(self, name: str, text: str) -> None:
        """A row."""
        print(f"  {name:<42} {text}", flush=True)

    def goal(self, name: str, value: float, most: float, unit: str = "") -> None:
        """A figure that shall not be more than `most`."""
        shown = f"{value:.4g} {unit}".rstrip()
        if value <= most:
            self.met += 1
            self.line(f"goal: {name}", f"{shown} ≤ {most:g}: met")
        else:
            self.missed.append(f"{name}: {shown}, goal {most:g}")
            self.line(f"goal: {name}", f"{shown} > {most:g}: MISSED")

    def summary(self) -> None:
        """How many goals are met, and which are not."""
        print(f"\n{self.met} goals met, {len(self.missed)} missed")
        for missed in self.missed:
            print(f"  {missed}")
