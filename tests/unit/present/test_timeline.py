"""Where the time went: bars, the slowest, against the last time; pure functions of journals."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.tasks import events as ev
from engine.tasks.model import TaskState, fold
from tests.unit.present.test_rows import text_of
from tui.present import timeline
from tui.present.timeline import PhaseTime, last_seconds, phase_times


def a_task(name: str, at: float, *events: ev.Event, path: str = "/web.toml", agent: str = "replay") -> TaskState:
    """A task of an environment, created at `at`."""
    created = ev.TaskCreated(
        id=name, environment="web", environment_path=path, repository="", prompt="p", agent=agent, ts=at
    )
    return fold(name, [created, *events])  # type: ignore[list-item]


def done(name: ev.Phase, seconds: float, run: int = 1) -> ev.PhaseFinished:
    """A phase that ran to its end."""
    return ev.PhaseFinished(phase=name, status="done", seconds=seconds, run=run)


def test_the_last_time_is_of_the_newest_task_before_that_ran_the_phase() -> None:
    states = [
        a_task("a", 1, done("setup", 30.0), done("checkout", 0.1)),
        a_task("b", 2, done("setup", 38.0), done("agent", 9.0)),
        a_task("c", 3, ev.PhaseFinished(phase="setup", status="skipped"), done("checkout", 0.2)),
        a_task("d", 4, ev.PhaseFinished(phase="setup", status="failed", seconds=1.0)),
        a_task("e", 5, done("setup", 99.0), path="/other.toml"),
        a_task("f", 6, done("agent", 77.0), agent="codex"),
        a_task("h", 9, done("setup", 55.0)),
    ]
    shown = a_task("g", 8, done("setup", 41.0))
    assert last_seconds([shown, *states], shown) == {"setup": 38.0, "checkout": 0.2, "agent": 9.0}


def test_setup_is_shared_by_all_attempts_and_the_rest_is_not() -> None:
    state = a_task("a", 1, done("setup", 3.0), done("checkout", 0.1), done("checkout", 0.3, 2), done("agent", 5.0, 2))
    assert [(t.name, t.seconds) for t in phase_times(state, 2, {}, 9.0)] == [
        ("setup", 3.0), ("checkout", 0.3), ("agent", 5.0),
    ]  # fmt: skip
    assert timeline.worked(state, 1, 9.0) == 3.1


def test_a_running_phase_has_a_bar_against_the_last_time() -> None:
    state = a_task("a", 1, ev.PhaseStarted(phase="setup", ts=100.0))
    half = timeline.line(phase_times(state, 1, {"setup": 40.0}, 120.0), 80)
    assert text_of(half) == " setup 0:20 ████░░░░ of 40s ●"
    over = timeline.line(phase_times(state, 1, {"setup": 40.0}, 150.0), 80)
    assert text_of(over) == " setup 0:50 ████████ over 40s ●"
    assert text_of(timeline.line(phase_times(state, 1, {}, 120.0), 80)) == " setup 0:20 ●"
    rows = timeline.rows(phase_times(state, 1, {"setup": 40.0}, 120.0), 80)
    assert "██████████████" in text_of(rows[0])
    assert "░░░░░░" in text_of(rows[0])
    assert "last 40s" in text_of(rows[0])


def test_an_agent_is_not_measured_against_another_task() -> None:
    state = a_task("a", 1, ev.PhaseStarted(phase="agent", ts=100.0))
    assert text_of(timeline.line(phase_times(state, 1, {"agent": 10.0}, 141.0), 80)) == " agent 0:41 ●"


def test_the_slowest_and_what_took_longer_are_marked() -> None:
    times = [PhaseTime("setup", "done", 41.0, last=30.0), PhaseTime("checkout", "done", 0.2, last=0.25),
             PhaseTime("maintenance", "skipped", 0.0, "nothing changed")]  # fmt: skip
    first, second, third, total = map(text_of, timeline.rows(times, 100))
    assert "41s ◀ slowest  last 30s ▲ +11s" in first
    assert "slowest" not in second
    assert "▼" not in second
    assert "nothing changed" in third
    assert "11s slower than the last time" in total
    assert text_of(timeline.line(times, 80)) == " setup 41s (last 30s) ▸ checkout 0.20s ▸ maintenance –"
    faster = timeline.rows([PhaseTime("setup", "done", 20.0, last=30.0)], 100)
    assert "▼ −10s" in text_of(faster[0])
    assert "10s faster" in text_of(faster[-1])


def test_the_line_keeps_the_running_phase_in_sight() -> None:
    events = [done(p, 1.0) for p in ("clone", "setup", "snapshot", "checkout")]  # type: ignore[arg-type]
    state = a_task("a", 1, *events, ev.PhaseStarted(phase="agent", ts=100.0))
    wide, narrow = (text_of(timeline.line(phase_times(state, 1, {}, 141.0), width)) for width in (100, 40))
    assert wide == " clone 1.0s ▸ setup 1.0s ▸ snapshot 1.0s ▸ checkout 1.0s ▸ agent 0:41 ●"
    assert narrow == " … ▸ checkout 1.0s ▸ agent 0:41 ●"
    assert text_of(timeline.line([], 80)) == " waiting to begin"
    assert text_of(timeline.line([], 80, finished=True)) == ""


TIMES = st.builds(
    PhaseTime,
    name=st.sampled_from(["clone", "setup", "maintenance", "agent"]),
    status=st.sampled_from(["running", "done", "failed", "skipped"]),
    seconds=st.floats(0, 1e6),
    reason=st.text(max_size=20),
    last=st.none() | st.floats(0, 1e6),
)


@given(st.lists(TIMES, max_size=8), st.integers(1, 220))
def test_any_times_at_any_width(times: list[PhaseTime], width: int) -> None:
    lines = timeline.rows(times, width)
    assert len(lines) == (len(times) + 1 if times else 0)
    assert sum("◀" in text_of(line) for line in lines) <= 1
    assert text_of(timeline.line(times, width))


def test_phases_are_left_out_of_the_line_only_where_they_do_not_fit() -> None:
    times = [PhaseTime(name, "done", 0.2) for name in ("resume", "checkout", "collect")]
    whole = text_of(timeline.line(times, 80))
    assert whole == " resume 0.20s ▸ checkout 0.20s ▸ collect 0.20s"
    assert text_of(timeline.line(times, len(whole))) == whole
    cut = text_of(timeline.line(times, len(whole) - 1))
    assert cut == " … ▸ checkout 0.20s ▸ collect 0.20s"
    assert text_of(timeline.line(times, len(cut) - 1)) == " … ▸ collect 0.20s"
    assert text_of(timeline.line(times, 5)) == " … ▸ collect 0.20s"
