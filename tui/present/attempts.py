"""The attempts of a task as a table: what each changed, how its tests ended, what it took (SPEC T6)."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from engine.tasks.model import AttemptState, CheckRun, TaskState
from tui.present import words
from tui.present.row import Row, Span, row
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
    return (
        f"{words.DONE} {passed} passed" if passed == len(tests) else f"{words.FAILED} {passed} of {len(tests)} passed"
    )


_ROLES = {words.DONE: "ok", words.FAILED: "bad", words.RUNNING: "run", words.STOPPED: "warn"}


def rows(state: TaskState) -> tuple[Row, list[Row]]:
    """The head of the table and a row for each attempt, in columns of the same width."""
    table = [HEAD, *(cells(state, attempt) for attempt in state.attempts)]
    widths = [max(cell_len(line[column]) for line in table) for column in range(len(HEAD) - 1)]
    head, *lines = [[f" {text}{' ' * (width - cell_len(text))} " for text, width in zip(line, widths, strict=False)]
                    for line in table]  # fmt: skip
    made = []
    for line, attempt in zip(lines, state.attempts, strict=True):
        spans: list[Span] = [(text, _ROLES.get(text.strip()[:1], "")) for text in line]
        if attempt.number == state.picked:
            spans[0] = (line[0], "accent strong")
        made.append(row(*spans, (f" {one_line(attempt.answer, 200)}", "muted")))
    return row(*((text, "muted") for text in head), (f" {HEAD[-1]}", "muted")), made


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
