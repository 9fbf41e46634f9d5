"""What happens meanwhile: tasks, diffs and files that change while they are looked at, questions that come late."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Literal

import pytest
from msgspec.structs import replace

from engine.environment.load import load
from engine.environment.trust import trust
from engine.errors import Unconfirmed
from engine.publish.publication import Outcome
from engine.publish.wish import Publication
from engine.state import config_dir, private_dir, tasks_dir
from engine.tasks import events as ev
from engine.tasks import journal
from tests.screens import recorded
from tests.screens.conftest import RecordedBench, RecordedTasks
from tests.screens.test_bench import WIDE, App, answer, screen_of, text_of, until
from tui.live.feed import Feed
from tui.present import words
from tui.screens.job_log import JobLog
from tui.screens.new_task import NewTask
from tui.widgets.prompt_area import PromptArea

OPEN = "4 files +10 −2"
NEW_PATCH = """\
diff --git a/new.txt b/new.txt
--- a/new.txt
+++ b/new.txt
@@ -1,2 +1,2 @@
-first old
+first new
 kept
"""


class SlowPublishing:
    """A remote that thinks, then refuses to lose the commits of others."""

    def __init__(self) -> None:
        self.forced: list[bool] = []

    def plan(self, task: str, wish: Publication, attempt: int) -> Publication:
        time.sleep(0.3)
        return Publication(remote="origin", branch="fumehood/x", base="main", title="t", body="b")

    def pull_request(self, task: str, wish: Publication, attempt: int) -> Outcome:
        self.forced.append(wish.force_with_lease)
        time.sleep(0.5)
        raise Unconfirmed("3 commits of others are on fumehood/x", "force_with_lease")

    push = pull_request


@pytest.fixture
def publishing(bench: RecordedBench) -> SlowPublishing:
    made = SlowPublishing()
    bench.publishing = made  # type: ignore[assignment]
    return made


# Questions


async def test_what_is_typed_is_no_answer_to_a_question_that_comes_meanwhile(
    app: App, publishing: SlowPublishing
) -> None:
    recorded.finished("aaaa22")
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, OPEN)
        await pilot.press("5", "P")
        await until(pilot, "keep for later")
        await pilot.press("ctrl+s", "f")
        await until(pilot, "Follow-up")
        for key in "why yes my reply":
            await pilot.press({" ": "space"}.get(key, key))
            await pilot.pause(0.1)
        assert pilot.app.screen.query_one(PromptArea).text == "why yes my reply"
        assert publishing.forced == [False]
        await pilot.press("escape", "escape")
        # It is asked then; enter, which may be meant for what lies under it, is no yes.
        await until(pilot, "Replace what others put on that branch?")
        for _ in range(12):
            await pilot.press("enter")
            await pilot.pause(0.1)
        assert publishing.forced == [False]
        await answer(pilot, "y", "Replace what others put on that branch?")
        await pilot.pause(0.1)
        assert publishing.forced == [False, True]


async def test_one_form_for_what_was_asked_for_twice(app: App, publishing: SlowPublishing) -> None:
    recorded.finished("aaaa22")
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, OPEN)
        await pilot.press("5", "P")
        await pilot.pause(0.1)
        await pilot.press("P")
        await until(pilot, "keep for later")
        await pilot.pause(0.6)
        assert len(pilot.app.screen_stack) == 2


# Tasks that go, or cannot be read on


async def test_a_task_removed_while_it_is_being_found(app: App) -> None:
    recorded.everything()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "bump httpx")
        await pilot.press("ctrl+o", *"migr")
        await pilot.pause(0.3)
        shutil.rmtree(tasks_dir() / "cccc44")
        while "cccc44" in screen_of(pilot).board.states:
            await pilot.pause(0.05)
        await pilot.press("enter")
        await until(pilot, "This task was removed meanwhile.")


async def test_the_open_task_removed_elsewhere_stays_as_it_was_read(app: App) -> None:
    recorded.finished("aaaa22")
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, OPEN)
        (tasks_dir() / "aaaa22").rename(tasks_dir().parent / "gone")
        await pilot.press("4", "slash", "p")
        await pilot.pause(1.5)
        assert OPEN in text_of(pilot)


async def test_a_journal_that_only_a_newer_release_reads_on(app: App) -> None:
    recording = recorded.running("bbbb33")
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "rg -n proxies= src")
        pilot.app.push_screen(JobLog("a job", Feed(recording.folder)))
        await until(pilot, "a job")
        with (recording.folder / journal.JOURNAL).open("ab") as file:
            file.write(b'{"v":2,"seq":99,"ts":1.0,"type":"message","text":"x"}\n')
        await until(pilot, "update fumehood")
        await pilot.press("escape")
        assert "rg -n proxies= src" in text_of(pilot)


async def test_nothing_is_shown_of_the_only_task_once_it_is_removed(app: App) -> None:
    recorded.finished("aaaa22")
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "pypi.example")
        await pilot.press("1", "D")
        await until(pilot, "brings it back")
        assert "pypi.example" not in text_of(pilot)


# Diffs and comments


async def test_a_comment_belongs_to_the_diff_it_was_begun_on(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded.finished("aaaa22")
    start = RecordedTasks.start

    def slow(*args: object, **options: object) -> str:
        time.sleep(0.8)
        return start(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(RecordedTasks, "start", slow)
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, OPEN)
        await until(pilot, "2 Environment ─ web")
        await pilot.press("5", "right_square_bracket", "j", "j", "j", "n")
        await until(pilot, "New task")
        await pilot.press(*"more", "ctrl+s", "c")
        await until(pilot, "Comment on")
        while (state := screen_of(pilot).state) is None or state.id != "new222":
            await pilot.pause(0.05)
        await pilot.press(*"mine", "ctrl+s")
        written = tasks_dir() / "aaaa22" / "review" / "1.json"
        for _ in range(100):
            if written.exists():
                break
            await pilot.pause(0.05)
        assert "mine" in written.read_text()


async def test_a_comment_that_comes_back_does_not_bring_an_old_diff_back(app: App) -> None:
    recording = recorded.finished("aaaa22")
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, OPEN)
        await pilot.press("5", "right_square_bracket", "j", "j", "j", "j", "c")
        await until(pilot, "Comment on")
        await pilot.press(*"mine", "ctrl+s")
        await until(pilot, "mine")
        await pilot.press("j", "d")
        await until(pilot, "Comment deleted")
        recording.patch(NEW_PATCH)
        recording.at(
            20,
            ev.DiffReady(base_sha="4f", result_sha="c" * 40, files_changed=1, lines_added=1, lines_removed=1),
        )
        await until(pilot, "first new")
        await pilot.press("u")
        await pilot.pause(1.5)
        shown = text_of(pilot)
        assert "first new" in shown
        assert "src/urls.py" not in shown.split("5 Diff")[1]


# What was written


async def test_a_draft_is_kept_with_its_environment(app: App, project: Path) -> None:
    folder = private_dir(config_dir() / "environments")
    (folder / "replay.json").write_text("[]")
    text = recorded.ENVIRONMENT.replace('name = "web"', 'name = "api"', 1).replace('url = "."', f'url = "{project}"')
    (folder / "api.toml").write_text(text)
    trust(load(folder / "api.toml"))
    recorded.finished("aaaa22")

    def chosen() -> str:
        form = pilot.app.screen
        assert isinstance(form, NewTask)
        return form._entry.name

    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, OPEN)
        await until(pilot, "2 Environment ─ web")
        await pilot.press("n")
        await until(pilot, "New task")
        was = chosen()
        await pilot.press(*"doit", "tab", "right")
        await pilot.pause(0.2)
        other = chosen()
        assert {was, other} == {"web", "api"}
        await pilot.press("escape", "n")
        await until(pilot, "New task")
        assert chosen() == other


def goes_on(number: int, status: Literal["in_progress", "ready"]) -> None:
    event = replace(ev.TaskStatus(status=status), seq=number, ts=words.now())
    with (tasks_dir() / "dddd55" / journal.JOURNAL).open("ab") as file:
        file.write(journal.encode(event) + b"\n")


async def test_a_follow_up_stays_at_its_attempt_and_is_not_kept_once_it_was_taken(app: App, project: Path) -> None:
    recorded.attempts("dddd55", path=str(project / "fumehood.toml"))
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "4 Log ─ leave empty parts")
        await pilot.press("4", "v")
        await pilot.pause(0.5)
        feed = screen_of(pilot).log_pane.feed
        assert feed is not None
        assert feed.attempt == 2
        await pilot.press("5", "f")
        await until(pilot, "Follow-up")
        await pilot.press(*"more", "ctrl+s")
        goes_on(200, "in_progress")
        await pilot.pause(1.5)
        feed = screen_of(pilot).log_pane.feed
        assert feed is not None
        assert feed.attempt == 2
        goes_on(201, "ready")
        await pilot.pause(0.5)
        await pilot.press("5", "f")
        await until(pilot, "Follow-up")
        assert pilot.app.screen.query_one(PromptArea).text == ""


async def test_a_log_is_written_to_the_home_folder(app: App, isolated_home: Path) -> None:
    recorded.finished("aaaa22")
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, OPEN)
        await pilot.press("4", "s")
        await until(pilot, "Write the log")
        await pilot.press("home", "ctrl+k", "~", "/", *"mine.txt", "enter")
        await until(pilot, "Wrote")
        assert (isolated_home / "mine.txt").is_file()


async def test_escape_leaves_the_filter_of_files_and_keeps_the_search_in_lines(app: App) -> None:
    recorded.finished("aaaa22")
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, OPEN)
        pane = screen_of(pilot).diff_pane
        await pilot.press("5", "t")
        await pilot.press("slash", *"urls", "enter")
        pane.diff_view.focus()
        await pilot.pause(0.1)
        await pilot.press("slash", *"join", "enter")
        await pilot.pause(0.2)
        pane.files.focus()
        await pilot.pause(0.1)
        await pilot.press("escape")
        assert (pane.files.needle, pane.diff_view.needle) == ("", "join")
