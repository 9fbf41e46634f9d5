"""Layout, sizes, the pane of times and that of requests, by key and by mouse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.bench.network import Network
from engine.bench.tasks import Tasks
from engine.environment.load import load
from engine.environment.model import Environment
from engine.state import state_dir
from engine.tasks import events as ev
from engine.tasks import resources
from engine.tasks.resources import Limits, ResourceFile, Sample
from tests.screens import recorded
from tests.screens.conftest import RecordedBench
from tests.screens.test_bench import answer, screen_of, text_of, until, until_gone
from tui.app import Workbench
from tui.live.preferences import Preferences
from tui.panes.network import NetworkPane
from tui.panes.pane import Pane
from tui.present import words

HUGE, WIDE, NARROW = (200, 50), (120, 40), (80, 24)
App = Callable[..., Workbench]


def seen(pilot: Pilot[int]) -> set[str]:
    """The panes that are on the screen."""
    return {str(pane.id) for pane in screen_of(pilot).query(Pane) if pane.region.area and pane.is_on_screen}


def limited(path: str = "", *, ended: bool = False) -> recorded.Recording:
    """A task whose agent may reach little and asked for more."""
    task = recorded.running(path=path)
    task.at(15.35, ev.NetworkPolicy(mode="limited", allow=[("files.test", ["files.test"])], methods=["GET"]))
    task.at(15.36, ev.NetworkProven(mode="limited", ok=True, checks=["ok the relay answers"]))
    for second in (20, 21, 22):
        refused = ev.NetworkRequest(
            phase="agent", host="api.test", port=8443, method="POST", path="/v1", decision="denied", command="0003",
            sure=True, reason="api.test:8443 was refused: no rule allows it",
        )  # fmt: skip
        task.at(second, refused)
    narrow = "POST to files.test:443 was refused: allowed methods are GET"
    task.at(23, ev.NetworkRequest(phase="agent", host="files.test", port=443, method="POST", decision="denied",
                                  rule="files.test", reason=narrow))  # fmt: skip
    task.at(24, ev.NetworkRequest(phase="agent", host="files.test", port=443, method="GET", decision="allowed",
                                  rule="files.test", bytes_up=500, bytes_down=34_000))  # fmt: skip
    if ended:
        task.end("ready", 30)
    return task


# Layout


async def test_how_many_panes_a_window_has_room_for(app: App) -> None:
    recorded.everything()
    async with app().run_test(size=HUGE) as pilot:
        await until(pilot, "fix the failing test")
        assert seen(pilot) == {"tasks", "environment", "cache", "log", "diff", "network", "time"}
        await pilot.resize_terminal(*WIDE)
        await until(pilot, "5 Diff ─ 6 Network")
        assert seen(pilot) == {"tasks", "environment", "cache", "log", "diff"}
        await pilot.press("7")
        await until(pilot, "7 Time ─ 5 Diff")
        assert seen(pilot) == {"tasks", "environment", "cache", "log", "time"}
        await pilot.resize_terminal(*NARROW)
        await until(pilot, "7 Time")
        assert seen(pilot) == {"time"}
        await pilot.resize_terminal(*HUGE)
        await until(pilot, "1 Tasks ─")
        assert "time" in seen(pilot)


async def test_names_in_a_frame_and_tabs_can_be_clicked(app: App) -> None:
    limited()
    async with app().run_test(size=WIDE) as pilot:
        shown = (await until(pilot, "6 Network ✗4")).split("\n")
        row = next(number for number, line in enumerate(shown) if "6 Network" in line)
        await pilot.click(offset=(shown[row].index("6 Network") + 2, row))
        await until(pilot, "api.test:8443 refused ×3")
        assert screen_of(pilot).current == "network"
        await pilot.resize_terminal(*NARROW)
        shown = (await until(pilot, "5 Diff 6 Network")).split("\n")
        await pilot.click(offset=(shown[0].index("4 Log") + 2, 0))
        await until(pilot, "rg -n proxies= src")
        # A frame belongs to its pane.
        await pilot.resize_terminal(*HUGE)
        shown = (await until(pilot, "3 Cache")).split("\n")
        await pilot.click(offset=(3, next(number for number, line in enumerate(shown) if "3 Cache" in line)))
        assert screen_of(pilot).current == "cache"


async def test_the_open_task_is_in_sight_in_every_pane_of_a_narrow_window(app: App) -> None:
    limited()
    async with app().run_test(size=NARROW) as pilot:
        await until(pilot, "bump httpx")
        for key in "1234567":
            await pilot.press(key)
            await pilot.pause()
            line = text_of(pilot).split("\n")[1]
            for said in ("bump httpx", "replay", "net limited ✓", "✗ 4", "cache miss"):
                assert said in line, key


async def test_the_head_counts_tasks_and_the_disk(app: App) -> None:
    recorded.running()
    waiting = recorded.Recording("qqqq77")
    waiting.lock.try_acquire()
    waiting.at(0, ev.TaskCreated(id="qqqq77", environment="web", environment_path="", repository="", prompt="wait",
                                 agent="replay"))  # fmt: skip
    async with app().run_test(size=HUGE) as pilot:
        await until(pilot, "disk 3.1 GB / 20.0 GB")
        head = text_of(pilot).split("\n")[0]
        assert "● 1 running" in head
        assert "◌ 1 queued" in head


# Sizes


async def test_dividers_move_by_key_and_stay_where_they_were(app: App) -> None:
    recorded.everything()
    async with app().run_test(size=HUGE) as pilot:
        await until(pilot, "fix the failing test")
        screen = screen_of(pilot)
        left, log, aside = (screen.query_one(f"#{name}") for name in ("tasks", "log", "network"))
        width, height, beside = left.size.width, log.size.height, aside.size.width
        await pilot.press("greater_than_sign", "greater_than_sign", "ctrl+down")
        await pilot.press("6", "less_than_sign")
        await pilot.pause()
        assert left.size.width == width + 8
        assert log.size.height > height
        assert aside.size.width == beside + 4
    async with app().run_test(size=HUGE) as pilot:
        await until(pilot, "fix the failing test")
        screen = screen_of(pilot)
        assert screen.query_one("#tasks").size.width == width + 8
        assert screen.current == "network"
        await pilot.press("equals_sign")
        await pilot.pause()
        assert screen.query_one("#tasks").size.width == width


async def test_dividers_are_dragged(app: App) -> None:
    recorded.everything()
    async with app().run_test(size=WIDE) as pilot:
        await until(pilot, "fix the failing test")
        screen = screen_of(pilot)
        left, log = screen.query_one("#tasks"), screen.query_one("#log")
        await pilot.mouse_down(offset=(left.region.right, 5))
        await pilot.hover(offset=(60, 5))
        await pilot.mouse_up(offset=(60, 5))
        await pilot.pause()
        assert left.outer_size.width == 60
        await pilot.mouse_down(offset=(90, log.region.bottom - 1))
        await pilot.hover(offset=(90, 14))
        await pilot.mouse_up(offset=(90, 14))
        await pilot.pause()
        assert abs(log.region.bottom - 14) <= 1
        assert screen.app.mouse_captured is None
        # Beside a divider, the mouse does what it does elsewhere.
        await pilot.mouse_down(offset=(20, 3))
        await pilot.hover(offset=(50, 3))
        await pilot.mouse_up(offset=(50, 3))
        assert left.outer_size.width == 60
    assert Preferences.read().left == 60


async def test_the_bench_begins_where_it_was_left(app: App) -> None:
    recorded.everything()
    async with app().run_test(size=HUGE) as pilot:
        await until(pilot, "fix the failing test")
        await pilot.press("7", "plus")
        await until_gone(pilot, "1 Tasks ─")
    async with app().run_test(size=HUGE) as pilot:
        await until(pilot, "in all")
        assert seen(pilot) == {"time"}
        await pilot.press("underscore")
        await until(pilot, "1 Tasks ─")
    async with app("aaaa22").run_test(size=HUGE) as pilot:
        await until(pilot, "All 15 tests pass.")
        assert screen_of(pilot).current == "log"


@pytest.mark.parametrize("content", ["", "[1, 2", "[]", '"x"'])
async def test_a_damaged_file_is_told_and_passed_over(app: App, content: str) -> None:
    file = state_dir() / "workbench.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    async with app().run_test(size=HUGE, notifications=True) as pilot:
        await until(pilot, "is damaged")
    assert json.loads(file.read_text())["pane"] == "tasks"


async def test_values_of_another_kind_are_passed_over(app: App) -> None:
    file = state_dir() / "workbench.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('{"left": "wide", "lower": true, "pane": "kitchen", "zoomed": 3, "diff_split": false}')
    kept = Preferences.read()
    assert (kept.left, kept.lower, kept.zoomed, kept.diff_split) == (None, None, None, False)
    async with app().run_test(size=HUGE) as pilot:
        await until(pilot, "No tasks yet")
        assert screen_of(pilot).current == "tasks"


# Time


async def test_times_against_the_last_task_and_curves(app: App, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "now", lambda: recorded.START + 3600 + 62)
    path = str(project / "fumehood.toml")
    before = recorded.Recording("eeee66", start=recorded.START - 50)
    before.begin("before", path=path)
    before.phase("setup", 1, 38.0)
    before.end("ready", 40)
    task = recorded.running(path=path)
    limits = Limits(2, 4 << 30, 512, 10_000_000_000)
    file = ResourceFile(resources.path_of(task.folder, 1), limits)
    file.add(Sample(recorded.START + 3602, 1.9, 3 << 30, 40, None))
    file.add(Sample(recorded.START + 3604, 0.5, 1_288_490_188, 14, 310_000_000))
    async with app("bbbb33").run_test(size=NARROW) as pilot:
        shown = await until(pilot, "setup 13s (last 38s)")
        await pilot.press("7")
        shown = await until(pilot, "1.2 GiB / 4 GiB")
        assert "▼ −25s" in shown
        assert "◀ slowest" in shown
        assert "peak 3 GiB" in shown
        file.add(Sample(recorded.START + 3606, 0.5, 1 << 30, 15, 310_000_000))
        task.end("ready", 70)
        await until(pilot, "limit 4 GiB")


async def test_a_finished_task_keeps_its_peaks_and_nothing_moves(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    task = recorded.finished()
    ResourceFile(resources.path_of(task.folder, 1), Limits(2, 4 << 30, 512, 1 << 30)).add(Sample(1, 1, 1 << 30, 5, 7))
    async with app().run_test(size=HUGE) as pilot:
        await until(pilot, "peak 1 GiB")
        await pilot.pause(1.0)
        painted: list[object] = []
        monkeypatch.setattr(pilot.app, "_display", lambda *what: painted.append(what))
        await pilot.pause(2.0)
        assert painted == []


# Requests


class AllowingNetwork(Network):
    """Remembers what was allowed."""

    def __init__(self, tasks: Tasks, calls: list[tuple[object, ...]]) -> None:
        super().__init__(tasks)
        self._calls = calls

    def allow_task(self, reference: str, entry: str) -> str:
        self._calls.append(("allow_task", reference, entry))
        return entry

    def allow(self, environment: Environment, entry: str) -> tuple[str, bool]:
        self._calls.append(("allow", environment.name, entry))
        return entry, True


async def test_denials_are_on_top_and_unfold(app: App) -> None:
    limited()
    async with app().run_test(size=HUGE) as pilot:
        shown = await until(pilot, "api.test:8443 refused ×3")
        assert shown.index("api.test:8443 refused") < shown.index("✓ files.test")
        assert "↑ 500 B  ↓ 34.0 kB" in shown
        await pilot.press("6", "g", "enter")
        shown = await until(pilot, "no rule allows it")
        assert "in agent, by: pytest -q" in shown
        await pilot.press("j", "j", "enter")
        await until_gone(pilot, "in agent, by:")
        assert screen_of(pilot).query_one("#request-list").cursor == 0  # type: ignore[attr-defined]


async def test_the_cursor_stays_on_its_host_when_others_come(app: App) -> None:
    task = limited()
    async with app().run_test(size=HUGE) as pilot:
        await until(pilot, "api.test:8443 refused ×3")
        await pilot.press("6", "G")
        task.at(25, ev.NetworkRequest(phase="agent", host="new.test", port=443, method="GET", decision="denied"))
        await until(pilot, "new.test refused")
        assert screen_of(pilot).query_one("#request-list").cursor == 3  # type: ignore[attr-defined]


async def test_the_requests_are_filtered(app: App) -> None:
    limited()
    async with app().run_test(size=NARROW) as pilot:
        await until(pilot, "bump httpx")
        await pilot.press("6", "slash", *"FILES")
        await until_gone(pilot, "api.test:8443")
        assert "✓ files.test" in text_of(pilot)
        await pilot.press("enter", "escape")
        await until(pilot, "api.test:8443")


async def test_from_a_refusal_in_the_log_to_where_it_is_allowed(app: App) -> None:
    limited()
    async with app().run_test(size=HUGE) as pilot:
        await until(pilot, "api.test:8443 refused ×3")
        # The last that was refused is another host than the first of the list.
        await pilot.press("4", "G", "enter")
        host = screen_of(pilot).query_one(NetworkPane).host
        assert host is not None
        assert (screen_of(pilot).current, host.key) == ("network", ("denied", "files.test", 443))


async def test_a_host_is_allowed_for_the_task_and_for_the_environment(project: Path) -> None:
    path = project / "fumehood.toml"
    limited(str(path))
    bench = RecordedBench(project)
    bench.network = AllowingNetwork(bench.tasks, bench.calls)
    async with Workbench(bench).run_test(size=HUGE, notifications=True) as pilot:
        await until(pilot, "api.test:8443 refused ×3")
        await pilot.press("6", "g", "A")
        shown = await until(pilot, "Let this task reach =api.test:8443?")
        assert "No file is changed." in shown
        await pilot.press("n")
        assert bench.calls == []
        await pilot.press("A", "y")
        await until(pilot, "This task may reach =api.test:8443 now.")
        await pilot.press("E")
        shown = await until(pilot, "Let every later task reach =api.test:8443?")
        assert "allow in [network]" in shown
        await pilot.press("y")
        await until(pilot, "=api.test:8443 is allowed")
        assert bench.calls == [("allow_task", "bbbb33", "=api.test:8443"), ("allow", "web", "=api.test:8443")]


async def test_allowing_says_why_not(app: App, bench: RecordedBench) -> None:
    limited(ended=True)
    async with app().run_test(size=HUGE, notifications=True) as pilot:
        await until(pilot, "api.test:8443 refused ×3")
        await pilot.press("6", "g", "A")
        await until(pilot, "No running task is open.")
        await pilot.press("j", "E")
        await until(pilot, "No host that wants a rule is chosen.")
        assert bench.calls == []


async def test_allowing_for_the_environment_edits_its_file(app: App, project: Path) -> None:
    path = project / "fumehood.toml"
    path.write_text(recorded.ENVIRONMENT + '[network]\nagent = "limited"\nallow = ["files.test"] # few\n')
    limited(str(path))
    async with app().run_test(size=HUGE, notifications=True) as pilot:
        await until(pilot, "api.test:8443 refused ×3")
        await pilot.press("6", "g", "E", "y")
        await until(pilot, "=api.test:8443 is allowed")
    assert load(path).network.allow == ("files.test", "=api.test:8443")
    assert "# few" in path.read_text()


async def test_an_empty_list_teaches(app: App) -> None:
    task = recorded.Recording("eeee66")
    task.begin("add a page")
    task.at(0.2, ev.NetworkProven(mode="off", ok=True, checks=["ok loopback only"]))
    async with app().run_test(size=NARROW) as pilot:
        await until(pilot, "add a page")
        await pilot.press("6")
        shown = await until(pilot, "It is off for the agent")
        assert 'agent = "limited"' in shown
        assert "ok loopback only" in shown


# The cache


async def test_rebuild_and_clear_up_ask_first(app: App, bench: RecordedBench, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.tasks.garbage import Removed, Report

    removed = (Removed("snapshot", "fumehood/web:1", "expired", 1_200_000_000),)
    reports = [Report((), (), 5_000_000_000, 20_000_000_000), Report(removed, (), 5_000_000_000, 20_000_000_000)]
    asked: list[bool] = []

    def collect(*, dry_run: bool = False) -> Report:
        asked.append(dry_run)
        return reports[min(len(asked) - 1, 1)]

    monkeypatch.setattr(bench.cache, "gc", collect)
    async with app().run_test(size=HUGE, notifications=True) as pilot:
        await until(pilot, "7h48m left")
        await pilot.press("3", "b")
        shown = await until(pilot, "Run the setup of web again now?")
        assert "It took 13s the last time." in shown
        await pilot.press("y")
        await until(pilot, "nobody takes care of web")
        await pilot.press("c")
        await until(pilot, "Nothing to remove")
        await pilot.press("c")
        shown = await until(pilot, "Remove 1 item that nothing needs, 1.2 GB?")
        assert "snapshot fumehood/web:1: expired, 1.2 GB" in shown
        assert asked == [True, True]
        await answer(pilot, "y", "Remove 1 item that nothing needs, 1.2 GB?")
        await until(pilot, "1.2 GB are free again")
        assert asked == [True, True, False]
