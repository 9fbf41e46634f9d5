"""Attempts compared: what counts as a test, tokens and times over turns, the one picked."""

from __future__ import annotations

import json

import pytest

from engine.bench import Bench
from engine.errors import UsageError
from engine.tasks import events as ev
from engine.tasks.checks import is_test
from engine.tasks.model import TaskState, fold
from tests.screens import recorded
from tui.cli import main
from tui.present import attempts


@pytest.mark.parametrize(
    "command",
    [
        "pytest", "python3 -m pytest -x tests", "cd web && npm test", "npm run test:unit", "yarn test", "go test ./...",
        "cargo nextest run", "cargo test -q", "make -C src check", "./gradlew clean test", "bash -lc 'pytest -q'",
        ".venv/bin/pytest", "CI=1 npx jest --ci", "python manage.py test", "tox -e py312", "uv run pytest",
    ],
)  # fmt: skip
def test_commands_that_run_tests(command: str) -> None:
    assert is_test(command)


@pytest.mark.parametrize(
    "command",
    ["pip install pytest-cov", "cat tests/test_urls.py", "git diff tests", "rg 'def test_'", "npm ci", "ls test", "pip install -q pytest", "rg pytest",
     "make build", "go build ./...", "cargo build --tests", "sed -n 1p pytest.ini", "npm run testing-library",
     "which pytest || bash -c 'pip install pytest'"],
)  # fmt: skip
def test_commands_that_do_not(command: str) -> None:
    assert not is_test(command)


def story(*events: ev.AnyEvent) -> TaskState:
    return fold("t", events)


def test_tests_count_as_they_ended_last() -> None:
    state = story(
        ev.CommandStarted(id="1", command="pytest -q"),
        ev.CommandFinished(id="1", exit_code=1, duration=1, status="failed"),
        ev.CommandStarted(id="2", command="npm test"),
        ev.CommandFinished(id="2", exit_code=0, duration=1, status="completed"),
        ev.CommandStarted(id="3", command="ls"),
        ev.CommandStarted(id="4", command="pytest -q"),
        ev.CommandFinished(id="4", exit_code=0, duration=1, status="completed"),
        ev.CommandStarted(id="5", command="make test", phase="setup"),
    )
    assert [(test.command, test.exit_code) for test in state.attempts[0].last_tests] == [
        ("npm test", 0),
        ("pytest -q", 0),
    ]


def test_tokens_of_steps_add_up_and_totals_do_not() -> None:
    state = story(
        ev.RunStarted(agent="a", turn=1),
        ev.Usage(input=10, output=5, scope="step"),
        ev.Usage(input=20, output=5, scope="step"),
        ev.Usage(input=30, output=12, scope="run"),
        ev.RunFinished(status="completed", seconds=2.5),
        ev.RunStarted(agent="a", turn=2),
        ev.Usage(input=8, output=2, scope="run"),
        ev.RunFinished(status="completed", seconds=1.5),
    )
    assert (state.attempts[0].tokens, state.attempts[0].seconds) == (52, 4.0)
    state.apply(ev.Usage(input=50, output=10, scope="session"))
    assert state.attempts[0].tokens == 60


def test_a_pick_holds_where_no_attempt_is_named(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    recorded.attempts("dddd55")
    bench = Bench()
    assert bench.tasks.get("dddd55").chosen == 1
    assert bench.results.diff("dddd55").startswith(b"diff --git a/one ")
    assert main(["pick", "dddd", "2"]) == 0
    assert bench.tasks.get("dddd55").chosen == 2
    assert bench.results.diff("dddd55").startswith(b"diff --git a/two ")
    assert bench.results.diff("dddd55", 1).startswith(b"diff --git a/one ")
    capsysbinary.readouterr()
    assert main(["diff", "dddd55"]) == 0
    assert capsysbinary.readouterr().out.startswith(b"diff --git a/two ")
    with pytest.raises(UsageError, match="no attempt 4"):
        bench.tasks.pick("dddd55", 4)


def test_what_works_cannot_be_picked_from() -> None:
    recorded.running("bbbb33")
    with pytest.raises(UsageError, match="still works"):
        Bench().tasks.pick("bbbb33", 1)


def test_compare_tells_what_to_choose_by(capsys: pytest.CaptureFixture[str]) -> None:
    recorded.attempts("dddd55")
    main(["pick", "dddd55", "2"])
    capsys.readouterr()
    assert main(["compare", "dddd55"]) == 0
    head, one, two, three = capsys.readouterr().out.splitlines()
    assert head.split() == [name for name in attempts.HEAD if name]
    assert one.split()[:2] == ["1", "✓"]
    assert "✗ 0 of 1" in one
    assert two.startswith("* 2")
    assert "✓ 1 of 1" in two
    assert "+3 −1" in two
    assert "1,500" in two
    assert "Dropped the empty parts." in two
    assert "✗ failed" in three
    assert "none ran" in three
    assert main(["compare", "dddd55", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["picked"] == 2
    assert told["attempts"][0]["tests"] == [{"command": "pytest -q", "exit_code": 1}]
    assert [attempt["tokens"] for attempt in told["attempts"]] == [900, 1500, 0]
