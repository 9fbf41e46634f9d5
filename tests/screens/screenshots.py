"""The pictures of the README, made of recorded tasks: `python -m tests.screens.screenshots FOLDER`."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from textual.pilot import Pilot

from engine.environment.load import load
from engine.environment.trust import trust
from engine.state import tasks_dir
from engine.tasks import journal
from tests.screens import album, recorded, svg, tour
from tests.screens.conftest import RecordedBench
from tests.screens.test_bench import until
from tui.app import Workbench
from tui.present import words

# Seconds into the task that is played, and for how many seconds the screen of then is seen.
_MOMENTS = (
    (0.75, 1.2),
    (2.1, 1.5),
    (3.5, 2.0),
    (4.7, 2.5),
    (5.0, 2.0),
    (6.0, 1.2),
    (7.0, 2.0),
    (9.96, 1.5),
    (11.05, 3.0),
)


class Clock:
    """The time that screens show."""

    def __init__(self) -> None:
        self.now = recorded.START + 3600 + 62

    def __call__(self) -> float:
        return self.now


async def still(folder: Path, name: str, size: tuple[int, int], *keys: str) -> None:
    """One screen, dark and light."""
    async with Workbench(RecordedBench(Path.cwd()), "aaaa22").run_test(size=size) as pilot:
        for theme in ("dark", "light"):
            pilot.app.theme = theme
            await until(pilot, "ready")
            if theme == "dark":
                await pilot.press(*keys)
            await pilot.pause(1.0)
            write(folder / f"{name}-{theme}.svg", pilot, [svg.Frame(album.screen(pilot.app))])


def write(path: Path, pilot: Pilot[int], frames: list[svg.Frame]) -> None:
    """Keep a picture and say how large it is."""
    path.write_text(svg.document(frames, pilot.app.ansi_theme), "utf-8")
    print(f"{path.name}  {len(frames)} screens  {path.stat().st_size // 1000} kB")


async def played(folder: Path, clock: Clock) -> None:
    """A task from its start to its diff."""
    start = recorded.START + 7200
    task = recorded.finished("ffff88", start=start)
    path, patch = task.folder / journal.JOURNAL, task.folder / "attempts" / "1" / "diff.patch"
    lines, changes = path.read_bytes().splitlines(keepends=True), patch.read_bytes()
    at = [json.loads(line)["ts"] - start for line in lines]
    patch.unlink()
    path.write_bytes(b"")
    assert task.lock.try_acquire()
    frames: list[svg.Frame] = []
    done = 0

    async def until_second(second: float) -> None:
        nonlocal done
        ready = sum(time <= second for time in at)
        with path.open("ab") as file:
            file.writelines(lines[done:ready])
        done, clock.now = ready, start + second
        await pilot.pause(1.0)

    async with Workbench(RecordedBench(Path.cwd()), "ffff88").run_test(size=(100, 30)) as pilot:
        pilot.app.theme = "dark"
        await pilot.press("4")
        for second, seen in _MOMENTS:
            await until_second(second)
            frames.append(svg.Frame(album.screen(pilot.app), seen))
        patch.write_bytes(changes)
        task.lock.release()
        await until_second(12)
        await until(pilot, "5 shows the diff")
        frames.append(svg.Frame(album.screen(pilot.app), 2.5))
        await pilot.press("5", "right_curly_bracket", "right_curly_bracket")
        await pilot.pause(0.5)
        frames.append(svg.Frame(album.screen(pilot.app), 4.0))
        write(folder / "task.svg", pilot, frames)


async def pictures(folder: Path) -> None:
    """All of them."""
    clock = Clock()
    words.now = clock
    await played(folder, clock)
    shutil.rmtree(tasks_dir())
    clock.now = recorded.START + 3600 + 62
    tour.tasks(str(Path.cwd() / "fumehood.toml"))
    await still(folder, "bench", (150, 42), "4")
    await still(folder, "log", (80, 24), "4")
    await still(folder, "diff", (110, 32), "5", "right_curly_bracket", "right_curly_bracket", "s")


def main() -> None:
    """In a home of its own, on a checkout named `web`."""
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as home:
        for name in ("CONFIG", "STATE", "CACHE", "DATA"):
            os.environ[f"XDG_{name}_HOME"] = f"{home}/{name}"
        os.environ.pop("NO_COLOR", None)
        checkout = Path(home) / "web"
        (checkout / ".git").mkdir(parents=True)
        (checkout / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
        (checkout / "fumehood.toml").write_text(recorded.ENVIRONMENT)
        (checkout / "replay.json").write_text('[{"final": "ok"}]')
        trust(load(checkout / "fumehood.toml"))
        os.chdir(checkout)
        asyncio.run(pictures(folder))


if __name__ == "__main__":
    main()
