"""The log waits for the terminal, and for its share of a multiplexer's link."""

from __future__ import annotations

from tui.output.pace import ASK, MULTIPLEXER, NARROW, PATIENCE, Pace, chosen


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def paced(hertz: int = 10, budget: int | None = None) -> tuple[Pace, Clock]:
    """A pace and its clock."""
    clock = Clock()
    return Pace(hertz, budget, clock), clock


def test_the_log_waits_for_the_answer() -> None:
    pace, clock = paced()
    assert pace.may_paint()
    assert pace.wrote(1000) == ASK
    clock.now += 1
    assert not pace.may_paint()
    assert pace.answered() == ""
    assert pace.may_paint()


def test_what_was_written_meanwhile_is_asked_about_too() -> None:
    pace, clock = paced()
    assert pace.wrote(1000) == ASK
    assert pace.wrote(50) == ""
    assert pace.wrote(50) == ""
    clock.now += 1
    assert pace.answered() == ASK
    assert not pace.may_paint()
    assert pace.answered() == ""
    assert pace.may_paint()


def test_a_terminal_that_falls_silent_gets_a_frame_now_and_then() -> None:
    pace, clock = paced()
    pace.wrote(1)
    pace.answered()
    assert pace.wrote(1) == ASK
    clock.now += PATIENCE + 0.1
    assert pace.may_paint()
    assert pace.wrote(1) == ASK
    clock.now += 1
    assert not pace.may_paint()


def test_a_terminal_that_never_answers_is_asked_once() -> None:
    pace, clock = paced()
    assert pace.wrote(1) == ASK
    clock.now += PATIENCE + 0.1
    assert pace.may_paint()
    assert pace.wrote(1) == ""
    clock.now += 0.1
    assert pace.may_paint()
    pace.answered()
    assert pace.wrote(1) == ASK


def test_no_more_frames_than_asked_for() -> None:
    pace, clock = paced(hertz=10)
    painted = 0
    for _ in range(100):
        clock.now += 0.01
        painted += pace.may_paint()
    assert 9 <= painted <= 12


def test_a_budget_makes_large_frames_seldom() -> None:
    pace, clock = paced(budget=1000)
    assert pace.may_paint()
    pace.wrote(500)
    pace.answered()
    clock.now += 0.4
    assert not pace.may_paint()
    clock.now += 0.2
    assert pace.may_paint()


def test_what_fits_the_terminal() -> None:
    assert chosen(0, False, {}).budget is None
    assert chosen(0, False, {"TMUX": "/tmp/x,1,0"}).budget == MULTIPLEXER
    assert chosen(0, False, {"STY": "1.pts"}).budget == MULTIPLEXER
    assert chosen(0, True, {"TMUX": "x"}).budget == NARROW
    assert (chosen(0, False, {}).hertz, chosen(0, True, {}).hertz, chosen(5, True, {}).hertz) == (10, 2, 5)
