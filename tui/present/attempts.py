"""The attempts of a task as a table: what each changed, how its tests ended, what it took (SPEC T6)."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from engine.tasks.model import AttemptState, CheckRun, TaskState
from tui.present import words
from tui.present.row import Row, row
from tui.present.text import one_line

HEAD = ("", "STATUS", "FILES", "DIFF", "TESTS", "COMMANDS", "TIME", "TOKENS", "ANSWER")
_LONGEST_ANSWER = 60


def cells(state: TaskState, attempt: AttemptState) -> tuple[str, ...]:
    """An attempt under `HEAD`; the one picked is marked with a star."""
    diff = attempt.diff
    return (
        f"{'*' if attempt.number == state.picked else ' '} {attempt.number}",
        f"{words.state(attempt.status)[0]} {attempt.status.replace('in_progress', 'running')}",
        f"{diff.files_changed:,}" if attempt.result_sha else "",
        f"+{diff.lines_added} −{diff.lines_removed}" if attempt.result_sha else "",
        _tests(attempt.last_tests),
        f"{attempt.commands:,}",
        words.short_time(attempt.seconds) if attempt.seconds else "",
        f"{attempt.tokens:,}" if attempt.tokens else "",
        one_line(attempt.answer, _LONGEST_ANSWER),
    )


def _tests(tests: Sequence[CheckRun]) -> str:
    if not tests:
        return "none ran"
    passed = sum(test.exit_code == 0 for test in tests)
    return f"{words.DONE if passed == len(tests) else words.FAILED} {passed} of {len(tests)}"


_ROLES = {words.DONE: "ok", words.FAILED: "bad", words.RUNNING: "run", words.STOPPED: "warn"}
# What a narrow table does without, first what says least; and the cells that the answers are to have.
_DISPENSABLE, _ANSWER = ("COMMANDS", "FILES", "STATUS"), 24


def rows(state: TaskState, width: int) -> tuple[Row, list[Row]]:
    """The head of the table and a row for each attempt, in columns of the same width."""
    table = [HEAD, *(cells(state, attempt) for attempt in state.attempts)]
    widths = [max(cell_len(line[column]) for line in table) + 2 for column in range(len(HEAD) - 1)]
    kept = list(range(len(widths)))
    for name in _DISPENSABLE:
        if sum(widths[column] for column in kept) + _ANSWER > width:
            kept.remove(HEAD.index(name))
    made = []
    for line, attempt in zip(table[1:], state.attempts, strict=True):
        spans = [(_padded(line[column], widths[column]), _ROLES.get(line[column][:1], "")) for column in kept]
        if attempt.number == state.picked:
            spans[0] = (spans[0][0], "accent strong")
        made.append(row(*spans, (f" {one_line(attempt.answer, 200)}", "muted")))
    head = ((_padded(HEAD[column], widths[column]), "muted") for column in kept)
    return row(*head, (f" {HEAD[-1]}", "muted")), made


def _padded(text: str, width: int) -> str:
    return f" {text}{' ' * (width - 1 - cell_len(text))}"


def detail(attempt: AttemptState) -> list[Row]:
    """What there is to say about the attempt at the cursor: why it failed, each test as it ended last, the answer."""
    made = []
    if attempt.reason:
        made.append(row((f" {one_line(attempt.reason, 400)}", "bad")))
    for test in attempt.last_tests:
        code = "?" if test.exit_code is None else str(test.exit_code)
        glyph, role = words.state("completed" if test.exit_code == 0 else "failed")
        made.append(row((f" {glyph} ", role), (one_line(test.command, 400), ""), right=((f"exit {code} ", "muted"),)))
    made += [row((f" {line}", "muted")) for line in attempt.answer.splitlines()]
    return made or [row((" nothing to tell yet", "muted"))]
