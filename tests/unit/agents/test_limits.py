"""Each limit of a turn is reached when it is, and not before (SPEC A4)."""

from __future__ import annotations

import time

import pytest

from engine.agents.base import Alive, Finished, Output, Started
from engine.agents.limits import Watch
from engine.environment.model import Agent
from engine.tasks import events as ev


def command(watch: Watch, line: str, printed: str = "", code: int = 0) -> None:
    watch.saw(Started("k", line, "/"))
    watch.saw(Output("k", "out", printed.encode()))
    watch.saw(Finished("k", code))


@pytest.mark.parametrize("cycle", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_a_cycle_is_noticed_at_its_last_round(cycle: list[str]) -> None:
    watch = Watch(Agent(max_repeats=4))
    for number, line in enumerate(cycle * 4, 1):
        assert not watch.reached, number
        command(watch, line)
    assert "printed the same 4 times in a row" in watch.reached
    assert not watch.late


def test_a_check_between_different_edits_is_no_repetition() -> None:
    watch = Watch(Agent(max_repeats=3, max_commands=1000))
    for number in range(50):
        command(watch, f"edit {number}")
        command(watch, "check", "all good")
    assert not watch.reached


@pytest.mark.parametrize("other", [("b", "", 0), ("a", "x", 0), ("a", "", 1)])
def test_another_command_output_or_end_begins_the_count_anew(other: tuple[str, str, int]) -> None:
    watch = Watch(Agent(max_repeats=3))
    for line, printed, code in [("a", "", 0), ("a", "", 0), other, ("a", "", 0), ("a", "", 0)]:
        command(watch, line, printed, code)
    assert not watch.reached


def test_time_runs_out_and_silence_ends_with_any_sign_of_life() -> None:
    now = time.monotonic()
    watch = Watch(Agent(idle=10, timeout=60), now)
    assert not watch.look(now + 9)
    watch.saw(Alive())
    assert not watch.look(time.monotonic() + 9)
    assert watch.look(time.monotonic() + 10)
    assert (watch.reached, watch.late) == ("nothing happened for 10s, see [agent] idle", True)
    late = Watch(Agent(idle=600, timeout=60), now)
    assert not late.look(now + 59)
    assert late.look(now + 60)
    assert "its time limit of 1m" in late.reached


def test_commands_are_counted_as_they_begin() -> None:
    watch = Watch(Agent(max_commands=2))
    for number in range(2):
        command(watch, str(number))
    assert not watch.look()
    watch.saw(Started("k", "third", "/"))
    assert watch.reached == "it ran 2 commands, see [agent] max_commands"


@pytest.mark.parametrize(("scope", "times"), [("step", 3), ("run", 5)])
def test_tokens_and_cost_are_summed_as_they_are_reported(scope: str, times: int) -> None:
    usage = ev.Usage(input=30, output=10, cost_usd=0.4, scope="step" if scope == "step" else "run")
    for section in (Agent(max_tokens=100), Agent(max_cost=1.0)):
        watch = Watch(section)
        for number in range(times):
            assert not watch.reached, number
            factor = 1 if scope == "step" else (number + 1) / 2
            watch.saw(
                ev.Usage(input=int(30 * factor), output=int(10 * factor), cost_usd=0.4 * factor, scope=usage.scope)
            )
        assert watch.reached


def test_without_limits_of_tokens_and_cost_there_are_none() -> None:
    watch = Watch(Agent(max_tokens=0, max_cost=0.0))
    watch.saw(ev.Usage(input=10**12, cost_usd=1e6))
    assert not watch.reached
