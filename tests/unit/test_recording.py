"""Recordings played as new tasks: the same story, without a container engine (no test here waits for a clock)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from engine.bench import Bench
from engine.errors import UsageError
from engine.tasks import events as ev
from engine.tasks import journal, recording
from engine.tasks.model import fold, status_json
from engine.tasks.unfinished import endings

ROOT = Path(__file__).resolve().parents[2]
PATCH = b"diff --git a/a b/a\nnew file mode 100644\n--- /dev/null\n+++ b/a\n@@ -0,0 +1 @@\n+one\n"


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A task of two turns that was applied an hour after it had ended."""
    folder = tmp_path / "recorded"
    (folder / "output").mkdir(parents=True)
    (folder / "attempts/1").mkdir(parents=True)
    (folder / "attempts/1/diff.patch").write_bytes(PATCH)
    (folder / "output/0001.log").write_bytes(b"first\nerr\n")
    (folder / "output/0002.log").write_bytes(b"second\n")
    diff = {"base_sha": "b", "result_sha": "r", "files_changed": 1, "lines_added": 1, "lines_removed": 0}
    story: list[tuple[float, ev.Event]] = [
        (0, ev.TaskCreated(id="abc", environment="web", environment_path="/home/me/web/fumehood.toml", repository="/home/me/web", prompt="go", agent="loop")),
        (0, ev.TaskStatus(status="pending")),
        (0.1, ev.TaskStatus(status="in_progress")),
        (0.2, ev.PhaseStarted(phase="agent")),
        (0.3, ev.RunStarted(agent="loop", prompt="go")),
        (0.4, ev.CommandStarted(id="0001", command="ls")),
        (0.5, ev.CommandOutput(id="0001", stream="out", offset=0, size=6)),
        (0.6, ev.CommandOutput(id="0001", stream="err", offset=6, size=4)),
        (0.7, ev.CommandFinished(id="0001", exit_code=0, duration=0.3, status="completed", bytes=10)),
        (0.8, ev.RunFinished(status="completed", answer="done", session="s", commands=1)),
        (0.9, ev.DiffReady(**diff)),
        (1.0, ev.TaskStatus(status="ready")),
        (900, ev.TaskStatus(status="pending")),
        (900.1, ev.TaskStatus(status="in_progress")),
        (900.2, ev.RunStarted(agent="loop", prompt="more", turn=2)),
        (900.3, ev.CommandStarted(id="0002", command="cat")),
        (900.4, ev.CommandOutput(id="0002", stream="out", offset=0, size=7)),
        (900.5, ev.CommandFinished(id="0002", exit_code=1, duration=0.2, status="failed", bytes=7)),
        (900.6, ev.RunFinished(status="completed", answer="more", session="s", commands=2)),
        (900.7, ev.DiffReady(**diff)),
        (900.8, ev.TaskStatus(status="ready")),
        (4500, ev.TaskStatus(status="applied")),
    ]  # fmt: skip
    lines = [journal.encode(msgspec.structs.replace(e, seq=n, ts=1e9 + at)) for n, (at, e) in enumerate(story, 1)]
    (folder / "journal.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return folder


def play(source: Path, speed: float = 1000) -> Path:
    folder = recording.prepare(source, speed)
    code = "import sys; from pathlib import Path; from engine.tasks.supervisor import supervise; supervise(Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, cwd=ROOT, timeout=60)
    return folder


def story(folder: Path) -> list[dict[str, object]]:
    """What happened, without when, who and what a playback leaves out or says itself."""
    kept = []
    for event in map(journal.plain, (journal.with_text(folder, e) for e in journal.read_all(folder))):
        assert isinstance(event, dict)
        if event["type"] in ("notice", "task.status", "task.created"):
            continue
        kept.append({name: value for name, value in event.items() if name not in ("ts", "seq")})
    return kept


def test_it_tells_the_same_story_and_ends_as_it_ended(recorded: Path) -> None:
    folder = play(recorded)
    assert story(folder) == story(recorded)
    events = list(journal.read_all(folder))
    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    statuses = [e.status for e in events if isinstance(e, ev.TaskStatus)]
    # Between turns it has not ended, and nothing was applied.
    assert statuses == ["pending", "in_progress", "in_progress", "ready"]
    state = fold(folder.name, events)
    assert (state.id, state.recording, state.status) == (folder.name, "abc", "ready")
    assert status_json(state)["recording"] == "abc"
    assert len(state.turns) == 2
    assert any(isinstance(e, ev.Notice) and "nothing of it runs" in e.text for e in events)
    assert Bench().results.diff(folder.name) == PATCH


def test_a_recording_of_a_recording_names_the_task_that_worked(recorded: Path) -> None:
    again = play(play(recorded))
    assert fold(again.name, journal.read_all(again)).recording == "abc"


def test_one_that_breaks_off_says_so(recorded: Path) -> None:
    path = recorded / "journal.jsonl"
    path.write_bytes(b"\n".join(path.read_bytes().split(b"\n")[:6]) + b"\n")
    folder = play(recorded)
    state = fold(folder.name, journal.read_all(folder))
    assert state.status == "interrupted"
    assert state.error is not None
    assert state.error.message == "the recording ends here"


def test_the_command_line_plays_saves_and_refuses(recorded: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "tui.cli", *arguments]
        # No engine is asked: nothing answers at this address.
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "DOCKER_HOST": "unix:///nowhere"}
        return subprocess.run(argv, capture_output=True, text=True, env=environ, cwd=tmp_path, timeout=60)

    done = run("replay", str(recorded), "--speed", "1000", "--wait", "--json")
    assert done.returncode == 0, done.stderr
    task = json.loads(done.stdout)["id"]
    assert run("logs", "--raw", task).stdout == "first\nerr\nsecond\n"
    refused = run("follow-up", task, "and now?")
    assert (refused.returncode, "is a recording" in refused.stderr) == (2, True)
    assert run("replay", task, "--save", "shared").returncode == 0
    assert run("replay", task, "--save", "shared").returncode == 2
    saved = (tmp_path / "shared/journal.jsonl").read_text()
    assert "/home/me" not in saved
    assert story(tmp_path / "shared") == story(recorded)
    assert run("replay", "./shared", "--speed", "1000", "--wait").returncode == 0
    for wrong in (("replay", "./nothing"), ("replay", task, "--speed", "0"), ("replay", task, "--speed", "nan")):
        done = run(*wrong)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False), wrong


def test_a_journal_that_nobody_goes_on_writing_is_completed(recorded: Path) -> None:
    events = list(journal.read_all(recorded))
    assert endings(events, command="lost", run="failed", reason="gone") == []
    command, run = endings(events[:16], command="lost", run="failed", reason="gone")
    assert isinstance(command, ev.CommandFinished)
    assert (command.id, command.status, command.exit_code) == ("0002", "lost", None)
    assert isinstance(run, ev.RunFinished)
    assert (run.status, run.reason, run.commands) == ("failed", "gone", 2)


def test_cancel_ends_what_runs(recorded: Path) -> None:
    folder = recording.prepare(recorded, 0.01)
    argv = [sys.executable, "-m", "engine.tasks", str(folder)]
    with subprocess.Popen(argv, cwd=ROOT) as player:
        bench = Bench()
        deadline = time.monotonic() + 60
        while not any(isinstance(e, ev.Notice) for e in journal.read_all(folder)):
            assert time.monotonic() < deadline
        assert bench.tasks.get(folder.name).status == "pending"
        bench.tasks.cancel(folder.name)
        assert player.wait(30) == 0
    assert bench.tasks.get(folder.name).status == "cancelled"


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no recording"):
        recording.prepare(tmp_path, 1)
