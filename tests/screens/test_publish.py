"""Publishing from the workbench: the dialog, what arrives at a real remote, what is asked, what failures say."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from tests.screens import recorded
from tests.screens.conftest import RecordedBench
from tests.screens.test_bench import answer, until
from tests.unit.publish.forge_server import TOKEN, running
from tests.unit.publish.made import Made, edit
from tests.unit.repository.repositories import git
from tui.app import Workbench
from tui.screens.publish import Publish

BRANCH = "fumehood/abc234"
WIDE = (160, 45)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    found = Made(tmp_path)
    monkeypatch.chdir(found.checkout)
    return found


@pytest.fixture
def app(made: Made) -> Callable[[], Workbench]:
    """A workbench on a checkout with a real remote."""
    return lambda: Workbench(RecordedBench(made.checkout), "abc234")


async def dialog(pilot: Pilot[int]) -> Publish:
    """The dialog, opened from the diff."""
    await until(pilot, "1 file")
    await pilot.press("5", "P")
    await until(pilot, "keep for later")
    assert isinstance(pilot.app.screen, Publish)
    return pilot.app.screen


def put(screen: Publish, **values: str) -> None:
    for name, value in values.items():
        screen.query_one(f"#{name}", Input).value = value


async def test_a_branch_is_pushed_with_what_the_dialog_says(made: Made, app: Callable[[], Workbench]) -> None:
    made.task(edit)
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        screen = await dialog(pilot)
        assert screen.query_one("#branch", Input).value == BRANCH
        assert screen.query_one("#title", Input).value == "The sum was off by one"
        assert screen.query_one("#base", Input).disabled  # a path is on no forge: a branch is all there can be
        put(screen, title="Start at zero", branch="fix/sum")
        await pilot.press("ctrl+s")
        await until(pilot, "fix/sum → ")
        await until(pilot, "pushed +")  # the row of the task
    assert git("log", "-1", "--format=%s|%b", "fix/sum", cwd=made.origin).startswith("Start at zero|It starts at zero")


async def test_what_was_written_is_there_after_leaving_and_after_a_failure(
    made: Made, app: Callable[[], Workbench]
) -> None:
    made.task(edit)
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        screen = await dialog(pilot)
        put(screen, title="Mine", branch="a..b")
        screen.query_one(TextArea).text = "my words"
        await pilot.press("escape", "P")
        await until(pilot, "my words")
        await pilot.press("ctrl+s")
        await until(pilot, "cannot be the name of a branch")
        await pilot.press("P")
        await until(pilot, "my words")
        again = pilot.app.screen
        assert isinstance(again, Publish)
        put(again, branch="")
        await pilot.press("ctrl+s")
        await until(pilot, "this must not be empty")
        put(again, branch="good")
        await pilot.press("ctrl+s")
        await until(pilot, "good → ")
    assert git("log", "-1", "--format=%s|%b", "good", cwd=made.origin) == "Mine|my words"


async def test_what_needs_a_yes_is_asked(made: Made, app: Callable[[], Workbench]) -> None:
    made.task(edit)
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        put(await dialog(pilot), branch="main")
        await pilot.press("ctrl+s")
        await answer(pilot, "n", "Push to the default branch?")
        assert made.branches() == {"main": made.base}
        await pilot.press("P")
        await until(pilot, "keep for later")
        await pilot.press("ctrl+s")
        await answer(pilot, "y", "Push to the default branch?")
        await until(pilot, "main → ")
    assert made.branches()["main"] != made.base


async def test_a_pull_request_from_the_dialog(
    made: Made, app: Callable[[], Workbench], tmp_path: Path, isolated_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.task(edit)
    (tmp_path / "served" / "me").mkdir(parents=True)
    shutil.move(made.origin, tmp_path / "served" / "me" / "app.git")
    helper = isolated_home / "helper"
    helper.write_text("#!/bin/sh\n[ $1 = get ] && printf 'username=me\\npassword=pw-KVWM7781\\n'\n")
    helper.chmod(0o700)
    (isolated_home / ".gitconfig").write_text(f"[credential]\n\thelper = {helper}\n")
    monkeypatch.setenv("GITEA_TOKEN", TOKEN)
    with running("gitea", tmp_path / "served") as forge:
        git("remote", "set-url", "origin", forge.url, cwd=made.checkout)
        async with app().run_test(size=WIDE, notifications=True) as pilot:
            await dialog(pilot)
            await pilot.press("ctrl+s")
            await until(pilot, "is not sent to 127.0.0.1")
            monkeypatch.setenv("GITEA_HOST", "127.0.0.1")
            await pilot.press("P")
            await until(pilot, "keep for later")
            await pilot.press("ctrl+s")
            await until(pilot, "opened pull request #12")
            await until(pilot, "#12 +")
        assert forge.faults == []
        assert len(forge.open) == 1


async def test_uncommitted_work_is_asked_about(made: Made, app: Callable[[], Workbench]) -> None:
    made.task(edit)
    (made.checkout / "a.txt").write_text("1\n2\n3\n" + "x\n" * 9 + "mine\n")
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "1 file")
        await pilot.press("a")
        await until(pilot, "to your checkout?")
        await pilot.press("y")
        await until(pilot, "Apply to files with work that is not committed?")
        await until(pilot, "a.txt: the changes go in beside yours")
        assert "mine" in (made.checkout / "a.txt").read_text()
        await answer(pilot, "y", "Apply to files with work that is not committed?")
        await until(pilot, "applied to")
    assert (made.checkout / "a.txt").read_text() == "0\n1\n2\n3\n" + "x\n" * 9 + "mine\n"


async def test_without_a_result_there_is_nothing_to_publish(made: Made, app: Callable[[], Workbench]) -> None:
    recorded.running("abc234")
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "bump httpx")
        await pilot.press("5", "P")
        await until(pilot, "There is no result to publish yet.")
