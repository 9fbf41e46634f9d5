"""Requests to a running task: appended by any number of processes, read from where the last reading ended."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.bench import Bench
from engine.errors import UsageError
from engine.state import Lock
from engine.tasks import events as ev
from engine.tasks.journal import Journal
from engine.tasks.requests import ALLOW, ask_to_allow, asked_to_allow
from engine.tasks.spec import LOCK, TaskSpec, new_id
from tui.cli import main


def test_requests_are_read_once_and_whole(tmp_path: Path) -> None:
    assert asked_to_allow(tmp_path) == ([], 0)
    ask_to_allow(tmp_path, "x.org")
    entries, offset = asked_to_allow(tmp_path)
    assert entries == ["x.org"]
    ask_to_allow(tmp_path, "=y.org:80")
    with (tmp_path / ALLOW).open("a") as file:
        file.write("half")
    assert asked_to_allow(tmp_path, offset)[0] == ["=y.org:80"]


def test_requests_of_many_do_not_mix(tmp_path: Path) -> None:
    wanted = [f"host{number}.org" for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda entry: ask_to_allow(tmp_path, entry), wanted))
    assert sorted(asked_to_allow(tmp_path)[0]) == sorted(wanted)


@contextmanager
def running_task(network: str) -> Iterator[tuple[TaskSpec, Journal]]:
    """A task at work, in setup as far as its journal says."""
    spec = TaskSpec(new_id(), "/e/fumehood.toml", "go", "command", "", 1, 1.0)
    spec.save()
    journal = Journal(spec.folder)
    journal.append(
        ev.TaskCreated(
            id=spec.id,
            environment="e",
            environment_path=spec.environment,
            repository=".",
            prompt="go",
            agent="command",
            branch="",
            attempts=1,
            network=network,
        )
    )
    journal.append(ev.TaskStatus(status="in_progress"))
    supervisor = Lock(spec.folder / LOCK)
    assert supervisor.try_acquire()
    yield spec, journal
    supervisor.release()
    journal.close()


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ("off", 'set agent = "limited" and allow = ["x.org"] in [network] of /e/fumehood.toml'),
        ("full", "it reaches every public host"),
    ],
)
def test_a_task_without_a_list_is_refused_and_says_what_to_do(
    capsys: pytest.CaptureFixture[str], network: str, words: str
) -> None:
    with running_task(network) as (spec, _):
        assert main(["network", "allow", "X.org.", "--task", spec.id]) == 2
        assert words in capsys.readouterr().err
        assert asked_to_allow(spec.folder) == ([], 0)


def test_the_command_asks_a_running_task_only(capsys: pytest.CaptureFixture[str]) -> None:
    with running_task("limited") as (spec, journal):
        assert main(["network", "allow", "X.org.", "--task", spec.id]) == 0
        assert asked_to_allow(spec.folder)[0] == ["x.org"]
        for refused in ("https://x.org/", "preset:registries", "10.0.0.1"):
            with pytest.raises(UsageError):
                Bench().network.allow_task(spec.id, refused)
        journal.append(ev.TaskStatus(status="ready"))
        with pytest.raises(UsageError, match="ended"):
            Bench().network.allow_task(spec.id, "y.org")
        assert asked_to_allow(spec.folder)[0] == ["x.org"]
