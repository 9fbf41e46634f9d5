"""Sizes of panes: whatever was chosen, in a window of any size every pane can be used."""

from __future__ import annotations

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from tui.present.layout import Divider, Sizes

SIZES = st.builds(
    Sizes,
    left=st.none() | st.integers(-1000, 1000),
    aside=st.none() | st.integers(-1000, 1000),
    lower=st.none() | st.integers(-1000, 1000),
)
WIDTHS, HEIGHTS = st.integers(120, 400), st.integers(10, 120)
DIVIDERS = st.sampled_from(get_args(Divider))


@given(SIZES, WIDTHS, HEIGHTS)
def test_every_pane_has_room(sizes: Sizes, width: int, height: int) -> None:
    left = sizes.left_cells(width)
    assert left >= 24
    assert width - left >= 50
    if width >= 180:
        assert sizes.aside_cells(width) >= 36
        assert width - left - sizes.aside_cells(width) >= 50
    assert 4 <= sizes.lower_rows(height) <= height - 4


@given(SIZES, DIVIDERS, st.sampled_from([-1, 1]), WIDTHS, HEIGHTS)
def test_there_and_back(sizes: Sizes, divider: Divider, step: int, width: int, height: int) -> None:
    def at(which: Sizes) -> int:
        return {"left": which.left_cells(width), "aside": -which.aside_cells(width),
                "lower": -which.lower_rows(height)}[divider]  # fmt: skip

    moved = sizes.moved(divider, step, width, height)
    assert (at(moved) - at(sizes)) * step >= 0 or divider == "lower"
    placed = sizes.placed(divider, 60, 200, 40)
    assert placed == placed.placed(divider, 60, 200, 40)


def test_usual_sizes() -> None:
    assert Sizes().left_cells(120) == 38
    assert Sizes(left=60).moved("left", 1, 200, 40).left == 64
    assert Sizes().placed("lower", 20, 200, 40).lower_rows(40) == 20
    assert Sizes().placed("aside", 140, 200, 40).aside_cells(200) == 60
