"""Curves of what containers use, below their limits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from engine.tasks.resources import Limits, Resources, Sample
from tests.unit.present.test_rows import text_of
from tui.present.resources import rows, sparkline

LIMITS = Limits(2.0, 4 << 30, 512, 10_000_000_000)


@given(st.lists(st.floats(0, 1e12), max_size=600), st.floats(0, 1e12), st.integers(0, 80))
def test_a_curve_is_as_wide_as_it_should_be(values: list[float], top: float, cells: int) -> None:
    curve = sparkline(values, top, cells)
    assert cell_len(curve) == cells
    assert set(curve) <= set(" ▁▂▃▄▅▆▇█")


def test_curves_stand_at_the_right_and_keep_peaks() -> None:
    assert sparkline([0, 1, 4, 8], 8, 6) == "   ▂▅█"
    assert sparkline([0] * 99 + [8], 8, 4) == "   █"
    assert sparkline([0.001], 8, 2) == " ▁"
    assert sparkline([99], 8, 1) == "█"
    assert sparkline([], 8, 3) == "   "


def test_now_of_the_limit_and_the_peak() -> None:
    found = Resources(LIMITS, (Sample(1, 1.9, 3 << 30, 40, None), Sample(3, 0.5, 1_288_490_188, 14, 310_000_000)))
    cpu, memory, disk, pids = (text_of(line) for line in rows(found, live=True, width=80))
    assert "0.5 / 2" in cpu
    assert "peak 1.9" in cpu
    assert "1.2 GiB / 4 GiB" in memory
    assert "peak 3 GiB" in memory
    assert "310 MB / 10.0 GB" in disk
    assert "14 / 512" in pids
    assert "peak 40" in pids
    assert "limit 4 GiB" in text_of(rows(found, live=False, width=80)[1])


def test_near_its_limit_is_said_in_words() -> None:
    found = Resources(LIMITS, (Sample(1, 2.0, 4_200_000_000, 511, 1),))
    cpu, memory, disk, pids = (text_of(line) for line in rows(found, live=True, width=90))
    assert "near its limit" in memory
    assert "near its limit" in pids
    assert "near" not in cpu + disk


def test_without_samples_it_says_why() -> None:
    assert "sampled while it works" in " ".join(text_of(line) for line in rows(None, live=True, width=80))
    assert "over before" in " ".join(text_of(line) for line in rows(Resources(LIMITS), live=False, width=80))
