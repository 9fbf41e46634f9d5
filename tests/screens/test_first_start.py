"""The first start in a repository: what was found, one key to the first prompt, nothing written before."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.environment.load import load
from engine.environment.trust import trusted
from tests.screens.conftest import RecordedBench
from tests.screens.test_bench import NARROW, WIDE, text_of, until, until_gone
from tui.app import Workbench

App = Callable[..., Workbench]


@pytest.fixture
def bare(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two managers without an environment; no agent can start."""
    for name in ("fumehood.toml", "replay.json"):
        (project / name).unlink()
    (project / "requirements.txt").write_text("httpx\n")
    (project / "app").mkdir()
    (project / "app" / "package.json").write_text("{}")
    (project / "app" / "package-lock.json").write_text('{"lockfileVersion": 3}')
    for variable in ("PATH", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "CODEX_HOME"):
        monkeypatch.setenv(variable, "")
    return project


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_one_key_to_the_first_prompt(app: App, bare: Path, size: tuple[int, int]) -> None:
    async with app().run_test(size=size, notifications=True) as pilot:
        shown = await until(pilot, "First start in web")
        for said in ("pip", "by requirements.txt", "npm in app", "the agent: nothing", "command"):
            assert said in shown, said
        if size == WIDE:
            assert "codex: codex is not installed" in shown
        else:
            await pilot.press("G")
            await until(pilot, "codex: codex is not")
        assert not (bare / "fumehood.toml").exists()
        await pilot.press("enter")
        await until(pilot, "New task")
        environment = load(bare / "fumehood.toml")
        assert (environment.agent.use, environment.setup.auto, environment.network.agent) == ("command", True, "off")
        assert trusted(environment)


async def test_who_leaves_it_is_not_asked_again(app: App, bare: Path) -> None:
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "First start in web")
        await pilot.press("escape")
        await until_gone(pilot, "First start in web")
        assert "No environment here." in text_of(pilot)
        await pilot.press("2", "r")
        await pilot.pause(0.5)
        assert "First start in web" not in text_of(pilot)
        await pilot.press("i")
        await until(pilot, "First start in web")
        await pilot.press("w")
        await until(pilot, "2 Environment ─ web")
        assert "New task" not in text_of(pilot)
        assert (bare / "fumehood.toml").exists()


async def test_the_file_of_another_tool_is_taken_over(app: App, bench: RecordedBench, bare: Path) -> None:
    folder = bare / ".devcontainer"
    folder.mkdir()
    (folder / "devcontainer.json").write_text(json.dumps({"image": "debian:12", "postCreateCommand": "make deps"}))
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        shown = await until(pilot, "First start in web")
        assert ".devcontainer/devcontainer.json" in shown
        assert "make deps" in shown
        await pilot.press("w")
        await until(pilot, "debian:12")


async def test_outside_of_a_repository_nothing_is_offered(app: App, bare: Path) -> None:
    (bare / ".git" / "HEAD").unlink()
    (bare / ".git").rmdir()
    async with app().run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, "No environment here.")
        await pilot.pause(0.5)
        assert "First start" not in text_of(pilot)
