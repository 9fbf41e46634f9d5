"""What the keeper does for environments, shown from its journal; the bench as its client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.keeper.clients import clients_dir, keeper_dir, open_environments
from engine.state import Lock, private_dir
from engine.tasks import events as ev
from engine.tasks import journal, standby
from tests.screens import recorded
from tests.screens.conftest import RecordedBench
from tests.screens.test_bench import until, until_gone
from tui.app import Workbench
from tui.present import words

App = Callable[..., Workbench]
WIDE, NARROW = (200, 50), (80, 24)


class Keeper:
    """The keeper's side, played: it lives, and writes its journal."""

    def __init__(self, path: Path) -> None:
        self._path = path
        private_dir(keeper_dir())
        self.lock = Lock(keeper_dir() / "lock")
        assert self.lock.try_acquire()
        self._journal = journal.Journal(keeper_dir())

    def tell(self, action: Any, status: Any, reason: str = "", **more: Any) -> None:
        """Append an event."""
        self._journal.append(
            ev.Kept(
                environment="web", environment_path=str(self._path), action=action, status=status, reason=reason, **more
            )
        )

    def job(self, name: str) -> journal.Journal:
        """The journal of a refresh."""
        folder = private_dir(keeper_dir() / "jobs" / name)
        private_dir(folder / journal.OUTPUT)
        return journal.Journal(folder)


@pytest.fixture
def keeper(project: Path) -> Iterator[Keeper]:
    """A keeper that lives as long as the test."""
    found = Keeper(project / "fumehood.toml")
    yield found
    found.lock.release()


async def test_a_refresh_while_it_runs_and_when_it_is_done(app: App, keeper: Keeper, bench: RecordedBench) -> None:
    job = keeper.job("j1")
    async with app().run_test(size=WIDE) as pilot:
        await until(pilot, "7h48m left")
        keeper.tell("refresh", "started", "pyproject.toml changed", job="j1")
        job.append(ev.PhaseStarted(phase="maintenance"))
        shown = await until(pilot, "maintenance 0:0")
        assert "● refresh" in shown
        await until(pilot, "pyproject.toml changed")
        keeper.tell("refresh", "done", "pyproject.toml changed", job="j1", seconds=2.4)
        await until(pilot, "✓ refreshed just now in 2.4s")
        private_dir(standby.folder())
        (standby.folder() / bench.environments.load().id).write_text("{}")
        await until(pilot, "◆ a container stands by")


async def test_a_failed_refresh_shows_why_and_its_log(app: App, keeper: Keeper) -> None:
    job = keeper.job("j1")
    job.append(ev.PhaseStarted(phase="maintenance"))
    job.append(ev.CommandStarted(id="0001", command="pip install -e .", cwd="/workspace/web", phase="maintenance"))
    output = journal.output_path(keeper_dir() / "jobs" / "j1", "0001")
    output.write_bytes(b"ERROR: nothing fits \x1b[31mred\x1b[0m\n")
    job.append(ev.CommandOutput(id="0001", stream="out", offset=0, size=output.stat().st_size))
    job.append(ev.CommandFinished(id="0001", exit_code=1, duration=0.4, status="failed", bytes=output.stat().st_size))
    keeper.tell("refresh", "failed", "the script failed; the snapshot stays as it was", job="j1",
                tail="one\ntwo\nERROR: \x1b]0;title\x07nothing fits")  # fmt: skip
    async with app().run_test(size=WIDE) as pilot:
        shown = await until(pilot, "✗ refresh failed")
        assert "the script failed" in shown
        assert "ERROR: ␛]0;title␇nothing fits" in shown
        await pilot.press("3", "enter")
        shown = await until(pilot, "ERROR: nothing fits red")
        assert "web: refresh" in shown
        assert "pip install -e ." in shown
        await pilot.press("escape")
        await until(pilot, "1 Tasks")


async def test_waiting_for_trust(app: App, keeper: Keeper) -> None:
    keeper.tell("watch", "waiting", "it has changed and is not trusted: fumehood env trust web")
    async with app().run_test(size=WIDE) as pilot:
        await until(pilot, "○ it has changed and is not trusted")
        keeper.tell("watch", "ended", "all is well again")
        await until_gone(pilot, "is not trusted")


async def test_nothing_runs_when_the_keeper_is_dead(app: App, keeper: Keeper) -> None:
    keeper.tell("rebuild", "started", "setup script changed", job="j1")
    async with app().run_test(size=WIDE) as pilot:
        await until(pilot, "● rebuild")
        keeper.lock.release()
        await until_gone(pilot, "● rebuild")


async def test_the_bench_is_a_client_while_it_is_open(app: App, project: Path) -> None:
    (project / ".fumehood").mkdir()
    (project / ".fumehood" / "bad.toml").write_text("name = 1\n")
    async with app().run_test(size=WIDE) as pilot:
        for _ in range(100):
            await pilot.pause(0.05)
            if open_environments():
                break
        assert open_environments() == {project / "fumehood.toml"}
    assert list(clients_dir().iterdir()) == []


async def test_without_watch_it_is_not(bench: RecordedBench) -> None:
    async with Workbench(bench, watch=False).run_test(size=WIDE) as pilot:
        await until(pilot, "7h48m left")
        await pilot.pause(1.5)
    assert bench.opened == []


async def test_the_whole_decision_in_a_dialog_and_zoomed(app: App) -> None:
    async with app().run_test(size=NARROW) as pilot:
        await until(pilot, "No tasks yet")
        await pilot.press("3")
        shown = await until(pilot, "7h48m left")
        assert "≠ setup script" not in shown
        assert "= setup script" in await until(pilot, "variable DEBUG")
        await pilot.press("e")
        await until(pilot, "esc closes")
        await pilot.press("escape")
        await until_gone(pilot, "esc closes")


async def test_the_setup_of_the_open_task_against_the_last_one(
    app: App, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "now", lambda: recorded.START + 5)
    before = recorded.Recording("ddddd5", start=recorded.START - 900)
    before.begin("add a page", path=str(project / "fumehood.toml"))
    before.phase("setup", 1, 12.6)
    before.end("ready", 20)
    task = recorded.Recording("eeee66")
    task.begin("add a page", path=str(project / "fumehood.toml"))
    task.phase("clone", 0.3, 0.7)
    task.at(1.0, ev.PhaseStarted(phase="setup"))
    async with app().run_test(size=WIDE) as pilot:
        shown = await until(pilot, "in the open task")
        assert "● setup 0:04 ███░" in shown
        assert "of 13s" in shown
