"""Large logs, diffs and tasks, written as the engine writes them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from engine.state import Lock, private_dir
from engine.tasks import events as ev
from engine.tasks import recorder as recording
from engine.tasks.journal import Journal, output_path
from engine.tasks.recorder import Recorder
from engine.tasks.spec import LOCK

CHUNK = 32 << 10
"""Bytes of output that come in one piece, as from a container."""

_LINE = b"%08d 2026-11-22T13:37:00.123Z [worker-%02d] INFO  collecting package==1.5.0 from cache; wrote %6d bytes ok\n"
_SHORT = b"%08d step done, status 200, took %3d ms\n"
NEEDLE, FOUND = "needle-7f3a", "found-here"
"""A text that the line in the middle of a large log has, and one that stands behind it there."""


def long_lines(first: int, count: int) -> bytes:
    """Lines of 106 bytes that begin with their number."""
    return b"".join([_LINE % (n, n & 15, n & 0xFFFF) for n in range(first, first + count)])


def short_lines(first: int, count: int) -> bytes:
    """Lines of 41 bytes that begin with their number."""
    return b"".join([_SHORT % (n, n % 997) for n in range(first, first + count)])


def log(lines: int, *, short: bool = False) -> Iterator[bytes]:
    """A log of so many lines, one of which in the middle has the needle, in pieces."""
    make, step, middle = short_lines if short else long_lines, 10_000, lines // 2
    for first in range(0, lines, step):
        data = make(first, min(step, lines - first))
        if first <= middle < first + step:
            cut = data.index(b"%08d " % middle)
            data = data[:cut] + f"{middle:08d} {NEEDLE} {FOUND}\n".encode() + data[data.index(b"\n", cut) + 1 :]
        yield data


@contextmanager
def everything_kept() -> Iterator[None]:
    """The recorder keeps all output of a command; else it keeps 8 MiB and the end."""
    with patch.object(recording, "HEAD_KEPT", 1 << 50):
        yield


class Task:
    """A task on disk, written by the engine's own recorder; this process is its supervisor until it ends."""

    def __init__(self, state: Path, name: str, prompt: str) -> None:
        self.id = name
        self.folder = private_dir(state / "fumehood" / "tasks" / name)
        self._lock = Lock(self.folder / LOCK)
        self._journal = Journal(self.folder)
        self.recorder = Recorder(self.folder, self._journal)
        self._lock.try_acquire()
        for event in (
            ev.TaskCreated(id=name, environment="web", environment_path="", repository="/src/web", prompt=prompt,
                           agent="replay", branch="main"),
            ev.TaskStatus(status="pending"),
            ev.TaskStatus(status="in_progress"),
            ev.CacheDecision(result="hit", reason="nothing it depends on changed", key="k", age_seconds=15120),
            ev.TaskBase(branch="main", base_sha="4f2c91e0aa"),
            ev.PhaseStarted(phase="agent"),
            ev.RunStarted(agent="replay", prompt=prompt),
        ):  # fmt: skip
            self.recorder.emit(event)

    def command(self, said: str) -> str:
        """A command of the agent begins; its output goes to `recorder.output`."""
        return self.recorder.command_started(said, cwd="/workspace/web", phase="agent", run=1)

    def output(self, data: Iterator[bytes], *, runs_on: bool = False) -> Path:
        """A command with all its output; one that runs on is unfolded. Returns the file of its output."""
        name = self.command("make everything")
        with everything_kept():
            for piece in data:
                for start in range(0, len(piece), CHUNK):
                    self.recorder.output(name, "out", piece[start : start + CHUNK])
            self.recorder.flush()
            if not runs_on:
                self.recorder.command_finished(name, 1)
        return output_path(self.folder, name)

    def changes(self, text: bytes, files: int, added: int, removed: int) -> None:
        """The diff it ends with."""
        (private_dir(self.folder / "attempts" / "1") / "diff.patch").write_bytes(text)
        self.recorder.emit(
            ev.DiffReady(
                base_sha="4f2c91e0aa",
                result_sha="b" * 40,
                files_changed=files,
                lines_added=added,
                lines_removed=removed,
            )
        )

    def say(self, text: str) -> None:
        """A message of the agent."""
        self.recorder.emit(ev.Message(text=text, final=True))

    def end(self) -> None:
        """It is over."""
        self.recorder.emit(ev.RunFinished(status="completed", seconds=1.0, exit_code=0))
        self.recorder.emit(ev.PhaseFinished(phase="agent", status="done", seconds=1.0))
        self.recorder.emit(ev.TaskStatus(status="ready"))
        self._journal.close()
        self._lock.release()


def small(state: Path, name: str = "small2", said: str = "The small task is open.") -> Task:
    """A task of a few lines that has ended."""
    task = Task(state, name, "a small task")
    task.output(iter([long_lines(0, 30)]))
    task.say(said)
    task.end()
    return task


def many_files(folder: Path, count: int) -> None:
    """A checkout in which this many files of 35 lines are changed in two places, not committed."""
    before, after = [], []
    for number in range(count):
        path = folder / f"src/package_{number // 50:02d}/module_{number}.py"
        lines = [f"    value_{n} = compute({n}, 'as it was')  # {number}" for n in range(35)]
        changed = list(lines)
        for n in (*range(8, 14), *range(22, 25)):
            changed[n] = lines[n].replace("as it was", "changed")
        before.append((path, "\n".join(lines) + "\n"))
        after.append((path, "\n".join(changed) + "\n"))
    _checkout(folder, before, after)


def many_lines(folder: Path, lines: int) -> None:
    """A checkout with one file whose diff has so many lines: two of three are changed ones."""
    same = lines // 3
    before = "".join(f"value_{n} = compute({n}, 'before', flag=True)\nkept_{n} = {n}\n" for n in range(same))
    after = "".join(f"value_{n} = compute({n}, 'after', flag=None)\nkept_{n} = {n}\n" for n in range(same))
    path = folder / "values.py"
    _checkout(folder, [(path, before)], [(path, after)])


def _checkout(folder: Path, before: list[tuple[Path, str]], after: list[tuple[Path, str]]) -> None:
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    _write(before)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "before")
    _write(after)


def _write(files: list[tuple[Path, str]]) -> None:
    for path, text in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def git(folder: Path, *words: str) -> bytes:
    """What git says, deaf to the user's configuration."""
    own = ["-c", "user.name=Bench", "-c", "user.email=bench@example.invalid", "-c", "gc.auto=0"]
    return subprocess.run(["git", "-C", str(folder), *own, *words], check=True, stdout=subprocess.PIPE).stdout


def diff_task(state: Path, name: str, checkout: Path) -> Task:
    """A task that ended with what is changed in a checkout."""
    text = git(checkout, "diff", "--binary")
    numbers = [line.split(b"\t") for line in git(checkout, "diff", "--numstat").splitlines()]
    task = Task(state, name, "change everything")
    task.say("It is all changed.")
    task.changes(
        text, len(numbers), sum(int(added) for added, _, _ in numbers), sum(int(gone) for _, gone, _ in numbers)
    )
    task.end()
    return task
