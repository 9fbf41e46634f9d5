"""What an agent that remembers nothing is told of the earlier turns (SPEC T5)."""

from __future__ import annotations

from pathlib import Path

from engine.agents.base import Job
from engine.agents.earlier import anew, summary
from engine.tasks import events as ev
from engine.tasks.model import TaskState, fold
from tests.unit.agents.terminals import HereTerminal


def told(*turns: tuple[str, str, int], attempts: int = 1) -> TaskState:
    """A task with these prompts, answers and attempts."""
    events: list[ev.AnyEvent] = [
        ev.TaskCreated(
            id="t", environment="e", environment_path="", repository="", prompt="p", agent="loop", attempts=attempts
        )
    ]
    for number, (prompt, answer, run) in enumerate(turns, 1):
        for attempt in range(1, attempts + 1) if number == 1 else (run,):
            events.append(ev.RunStarted(agent="loop", prompt=prompt, turn=number, run=attempt))
            events.append(ev.RunFinished(status="completed", answer=f"{answer}{attempt}", run=attempt))
            events.append(
                ev.DiffReady(base_sha="b", result_sha="r", files_changed=2, lines_added=3, lines_removed=1, run=attempt)
            )
    return fold("t", events)


def test_prompts_answers_and_the_diff_are_there_in_order() -> None:
    text = summary(told(("first", "one", 1), ("second", "two", 1)), 1, "+the patch")
    parts = ["first", "one1", "second", "two1", "2 files changed, 3 lines added, 1 removed", "+the patch"]
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)


def test_an_attempt_hears_of_its_own_turns_alone() -> None:
    state = told(("first", "one", 1), ("mine", "two", 2), attempts=2)
    assert "mine" not in summary(state, 1, "")
    assert "one1" in summary(state, 1, "")
    assert "mine" in summary(state, 2, "")
    assert "one1" not in summary(state, 2, "")
    assert summary(told(("first", "one", 1), attempts=2), 2, "").count("one2") == 1


def test_however_much_was_said_it_stays_small() -> None:
    turns = [(f"{n} " + "p" * 10_000, "a" * 10_000, 1) for n in range(30)]
    text = summary(told(*turns), 1, "x" * 1_000_000)
    assert len(text) < 50_000
    assert "29 pp" in text
    assert "characters are left out" in text
    assert summary(TaskState("t"), 1, "") == ""


def test_the_user_is_told_whether_there_was_a_summary(tmp_path: Path) -> None:
    job = Job("now this", "/w", HereTerminal(), tmp_path, tmp_path, before="EARLIER", turn=2)
    prompt, notice = anew(job, "it is gone")
    assert prompt.endswith("now this")
    assert "EARLIER" in prompt
    assert "(it is gone)" in notice.text
    assert "with a summary" in notice.text
    plain = anew(Job("now this", "/w", HereTerminal(), tmp_path, tmp_path, turn=2), "it is gone")
    assert (plain.prompt, "summary" in plain.notice.text) == ("now this", False)
