"""Rows: what stands in them, and that they are exactly as wide as they should be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from engine import sizes
from engine.errors import EngineError
from engine.tasks import events as ev
from engine.tasks.model import TaskState, fold
from tui.live.line_index import Line
from tui.present import actions, blocks, cache, pacing, task, theme, words
from tui.present.plain import PlainLog
from tui.present.row import Row, paint, row, wrap
from tui.present.story import Command, Story, Text
from tui.screens.help import help_rows

PALETTE = theme.Palette({"ok": Style(color="green")})


def text_of(line: Row) -> str:
    return "".join(text for text, _ in (*line.left, *line.right))


@given(st.text(max_size=80), st.text(max_size=20), st.integers(1, 120), st.integers(0, 40))
def test_a_strip_is_as_wide_as_asked(left: str, right: str, width: int, shift: int) -> None:
    strip = paint(row((left, "ok"), "tail", right=((right, ""),)), width, PALETTE, Style.null(), shift=shift)
    assert strip.cell_length == width
    assert cell_len(strip.text) == width
    assert "\x1b" not in strip.text


def test_what_is_cut_says_so_and_the_right_end_stays() -> None:
    strip = paint(row("a long command line", right=(("1.2s", ""),)), 14, PALETTE, Style.null())
    assert strip.text == "a long c… 1.2s"


def test_sideways_keeps_the_numbers() -> None:
    line = Row((("12 ", ""), ("0123456789", "")), fixed=3)
    assert paint(line, 8, PALETTE, Style.null(), shift=4).text == "12 4567…"
    assert paint(line, 20, PALETTE, Style.null(), shift=4).text.startswith("12 456789")


@given(st.text(max_size=200), st.integers(8, 60))
def test_wrapping_keeps_to_the_width_and_loses_no_word(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert all(cell_len(line) <= width + 1 for line in lines)


@pytest.mark.parametrize("indent", range(0, 20, 3))
def test_an_indented_line_is_wrapped_where_there_is_hardly_room(indent: int) -> None:
    wrapped = wrap(" " * indent + "raise NotImplementedError", 8)
    assert all(cell_len(line) <= 8 for line in wrapped)
    assert "".join("".join(wrapped).split()) == "raiseNotImplementedError"


def test_a_long_word_is_wrapped_in_one_go() -> None:
    wrapped = wrap("  - " + "漢" * 50_000, 80)
    assert all(cell_len(line) <= 80 for line in wrapped)
    assert "".join(wrapped).count("漢") == 50_000


def test_wrapping() -> None:
    assert wrap("- one two three four", 12) == ("- one two", "  three four")
    assert wrap("a\n\nb", 20) == ("a", "", "b")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.012, "0.01s"), (2.41, "2.4s"), (41.2, "41s"), (185, "3m05s"), (3600, "1h"), (7620, "2h07m"), (180000, "2d2h")],
)
def test_durations(seconds: float, said: str) -> None:
    assert words.short_time(seconds) == said


def test_figures() -> None:
    assert [sizes.words(n) for n in (812, 14_200, 3_100_000, 1_200_000_000)] == ["812 B", "14.2 kB", "3.1 MB", "1.2 GB"]
    assert words.memory(4 << 30) == "4 GiB"
    assert words.clock(3753) == "1:02:33"
    assert words.bar(0.5, 10) == ("█████", "░░░░░")
    assert words.state("no such status")[0] == "?"


def test_output_rows_show_what_was_overwritten_and_cut() -> None:
    assert text_of(blocks.output_row(Line(b"10%\r50%\r100%\r"))) == " │ ␍100%"
    assert text_of(blocks.output_row(Line(b"abc", cut=200_000_000))) == " │ abc… 200,000,000 bytes not shown"
    assert text_of(blocks.output_row(Line(b"\xff\xfe\x00"))) == " │ \ufffd\ufffd\ufffd"


def test_a_command_folds_when_it_went_well() -> None:
    story = Story()
    story.apply(ev.CommandStarted(id="1", command="pytest", ts=1.0))
    story.apply(ev.CommandStarted(id="2", command="false", ts=1.0))
    first, second = (block for block in story.blocks if isinstance(block, Command))
    assert first.shows_output
    story.apply(ev.CommandFinished(id="1", exit_code=0, duration=2.0, status="completed", bytes=5))
    story.apply(ev.CommandFinished(id="2", exit_code=1, duration=0.1, status="failed"))
    assert [command.shows_output for command in (first, second)] == [False, True]
    assert text_of(blocks.command_row(first, 9.0)) == " ✓ pytest   2.0s    0 ▸ "
    assert text_of(blocks.command_row(second, 9.0)).endswith("0.10s    1 ▾ ")


def test_a_story_shows_each_thing_once() -> None:
    story = Story()
    story.apply(ev.RunStarted(agent="replay", prompt="do it"))
    story.apply(ev.Message(text="done", final=True))
    story.apply(ev.RunFinished(status="completed", answer="done"))
    story.apply(ev.NetworkRequest(phase="agent", host="x", port=1, method="GET", decision="allowed"))
    story.apply(ev.Message(text="of another attempt", run=2))
    story.apply(ev.PhaseFinished(phase="setup", status="failed", reason="exit", exit_code=3, tail="last line"))
    kinds = [block.kind for block in story.blocks if isinstance(block, Text)]
    assert kinds == ["phase", "prompt", "answer", "error"]
    failure = story.blocks[-1]
    assert isinstance(failure, Text)
    assert (failure.text, failure.hint) == ("setup failed: exit (exit code 3)", "last line")


def test_running_commands_end_with_their_task() -> None:
    story = Story()
    story.apply(ev.CommandStarted(id="1", command="make", ts=1.0))
    story.apply(ev.TaskStatus(status="interrupted", reason="interrupted in agent", ts=9.0))
    assert isinstance(story.blocks[1], Command)
    assert (story.blocks[1].status, story.blocks[1].duration) == ("lost", 8.0)
    ending = story.blocks[-1]
    assert isinstance(ending, Text)
    reason, hint = blocks.text_rows(ending, 80)
    assert text_of(reason) == " ◼ interrupted in agent"
    assert "b brings out what it did" in text_of(hint)
    assert len(blocks.text_rows(ending, 110)) == 1


def test_task_rows() -> None:
    created = ev.TaskCreated(
        id="a", environment="web", environment_path="", repository="", prompt="fix\nit", agent="replay", ts=10
    )
    state = fold("a", [created, ev.TaskStatus(status="in_progress", ts=11)])
    assert text_of(task.list_row(state, 52)) == " ● fix …0:42 "
    done = fold("a", [created, ev.DiffReady(base_sha="", result_sha="", files_changed=1, lines_added=3, lines_removed=0, ts=12),
                      ev.TaskStatus(status="ready", ts=13)])  # fmt: skip
    assert text_of(task.list_row(done, 3620)) == " ✓ fix …+3 −0  1h "
    assert text_of(task.list_row(done, 52, several=True)) == " ✓ web fix …+3 −0 now "
    roomy = text_of(task.list_row(done, 52, width=100))
    assert "replay · default branch" in roomy
    for asked in ("FIX", "done ready web", "a"):
        assert task.fits(done, asked) == ("done" not in asked)
    assert "1 running" in text_of(task.head_row("web", "main", [state, done]))


def test_cache_rows() -> None:
    class Found:
        result, reason, changed, size_bytes = "hit", "nothing changed · age 4h", (), 1_200_000_000
        age_seconds, expires_in_seconds = 4 * 3600.0, 8 * 3600.0

    shown = [text_of(line) for line in cache.rows(Found, 0.0, 600.0, 36)]
    assert shown[0] == " ✓ hit · 1.2 GB · made 4h10m ago"
    assert "7h50m left" in shown[1]
    assert "docker does not answer" in text_of(
        cache.error_rows(EngineError("docker does not answer", "start it"), 60)[1]
    )


def test_help_names_every_action_and_why_it_does_nothing() -> None:
    rows = help_rows("log", lambda action: "no task" if action == "fold" else "")
    shown = "\n".join(map(text_of, rows))
    for action in actions.ACTIONS:
        assert action.tooltip in shown
    assert "no task" in shown
    assert shown.index("4 Log") < shown.index("Everywhere")


def test_actions_have_unique_ids_and_no_clashes_where_they_work() -> None:
    ids = [action.id for action in actions.ACTIONS]
    assert len(ids) == len(set(ids))
    for group in actions.GROUPS:
        # Those of a search take their keys from other actions only while there is one.
        here = [
            action
            for name in {group, "everywhere"}
            for action in actions.of(name)
            if action.id not in ("next_match", "log_next")
        ]
        keys = [key for action in here for key in action.keys]
        assert len(keys) == len(set(keys)), group


def test_pace() -> None:
    pace = pacing.Pace()
    assert pace.due("x", 1000.0)
    assert not pace.due("x", 1000.0)
    assert pace.due("y", 1000.0)


def test_a_lost_network_is_told_where_a_task_is_shown() -> None:
    story, state, plain = Story(), TaskState("t"), PlainLog(colour=False)
    proven = ev.NetworkProven(mode="limited", ok=True)
    lost = ev.NetworkLost(phase="agent", reason="the relay\x1b[2J ended")
    for event in (proven, lost):
        state.apply(event)
        story.apply(event)
    (told,) = (block for block in story.blocks if isinstance(block, Text))
    assert (told.kind, told.text) == ("error", "network lost: the relay\x1b[2J ended")
    assert list(plain.lines(lost)) == ["✗ network lost: the relay␛[2J ended"]
    assert ("network lost", "bad") in task.facts(state, 1, 0.0)
    state.apply(ev.NetworkRestored(phase="agent"))
    assert ("network lost", "bad") not in task.facts(state, 1, 0.0)
    state.apply(lost)
    state.apply(proven)
    assert not state.network_lost
