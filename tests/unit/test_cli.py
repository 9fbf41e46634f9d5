"""The command line on recorded tasks: exit codes, JSON that programs can rely on, text that cannot steer a terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.state import tasks_dir
from engine.tasks import events as ev
from engine.tasks.journal import Journal
from engine.tasks.recorder import Recorder
from engine.tasks.spec import TaskSpec
from tui.cli import main

EVIL = "\x1b]52;c;cHduZWQ=\x07\x1b[2J\u202e"


def record(name: str, status: ev.Status = "ready", *, prompt: str = "fix it", created: float = 0) -> Path:
    """A task as a supervisor leaves it."""
    folder = tasks_dir() / name
    folder.mkdir(parents=True)
    TaskSpec(name, "/nowhere/fumehood.toml", prompt, "replay", "", 1, created).save()
    journal = Journal(folder)
    recorder = Recorder(folder, journal)
    recorder.emit(
        ev.TaskCreated(
            id=name,
            environment="web",
            environment_path="/nowhere/fumehood.toml",
            repository="/r",
            prompt=prompt,
            agent="replay",
        )
    )
    recorder.emit(ev.CacheDecision(result="hit", reason="nothing it depends on changed", key="k", age_seconds=5))
    recorder.emit(ev.PhaseFinished(phase="agent", status="done", seconds=1.5))
    command = recorder.command_started("ls", cwd="/", phase="agent", run=1)
    recorder.output(command, "out", f"é {EVIL}\n".encode())
    recorder.command_finished(command, 0)
    recorder.emit(ev.RunFinished(status="completed", answer=f"done {EVIL}", commands=1, exit_code=0))
    recorder.emit(ev.DiffReady(base_sha="a", result_sha="b", files_changed=1, lines_added=2, lines_removed=3))
    (folder / "attempts" / "1").mkdir(parents=True)
    (folder / "attempts" / "1" / "diff.patch").write_bytes(b"diff --git \xff\x1b\n")
    recorder.emit(ev.TaskStatus(status=status))
    journal.close()
    return folder


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(arguments)
    return code, capsys.readouterr().out


@pytest.mark.parametrize(("status", "code"), [("ready", 0), ("applied", 0), ("error", 1), ("cancelled", 1)])
def test_status_exits_zero_only_for_results(capsys: pytest.CaptureFixture[str], status: ev.Status, code: int) -> None:
    record("abc234", status)
    assert told(capsys, "status", "abc234")[0] == code


def test_status_json_has_the_stable_fields(capsys: pytest.CaptureFixture[str]) -> None:
    record("abc234")
    state = json.loads(told(capsys, "status", "abc", "--json")[1])
    assert {"v", "id", "environment", "repository", "branch", "base_sha", "prompt", "agent", "status", "phase"} <= set(
        state
    )
    assert {"created_at", "updated_at", "cache", "phases", "attempts", "network", "error"} <= set(state)
    assert set(state["cache"]) >= {"result", "reason", "changed", "age_seconds", "key"}
    assert set(state["phases"][0]) >= {"name", "status", "reason", "seconds"}
    assert set(state["attempts"][0]) >= {"number", "status", "exit_code", "answer", "commands", "diff"}
    assert state["attempts"][0]["diff"] == {"files_changed": 1, "lines_added": 2, "lines_removed": 3}


def test_logs_json_is_one_ascii_event_a_line_numbered_without_gap(capsys: pytest.CaptureFixture[str]) -> None:
    record("abc234")
    out = told(capsys, "logs", "abc234", "--json")[1]
    assert out.isascii()
    assert "\x1b" not in out
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert next(e for e in events if e["type"] == "command.output")["text"] == f"é {EVIL}\n"


@pytest.mark.parametrize("arguments", [["status", "abc234"], ["logs", "abc234"], ["list"]])
def test_nothing_a_task_wrote_reaches_the_terminal_raw(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    record("abc234", prompt=f"do {EVIL}")
    out = told(capsys, *arguments)[1]
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "\u202e" not in out


def test_raw_logs_and_diffs_are_byte_for_byte(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    record("abc234")
    assert main(["logs", "abc234", "--raw"]) == 0
    assert main(["diff", "abc234"]) == 0
    assert capfdbinary.readouterr().out == f"é {EVIL}\n".encode() + b"diff --git \xff\x1b\n"


def test_list_is_newest_first_and_has_pages(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("aaaaaa", "bbbbbb", "cccccc"):
        record(name)
    page = json.loads(told(capsys, "list", "--json", "--limit", "2")[1])
    assert [task["id"] for task in page["tasks"]] == ["cccccc", "bbbbbb"]
    rest = json.loads(told(capsys, "list", "--json", "--cursor", page["cursor"])[1])
    assert ([task["id"] for task in rest["tasks"]], rest["cursor"]) == (["aaaaaa"], None)
    assert "answer" not in page["tasks"][0]["attempts"][0]


def test_an_ambiguous_or_unknown_task_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    record("abc234")
    record("abd234")
    assert main(["status", "ab"]) == 2
    assert "beginning of 2 tasks" in capsys.readouterr().err
    assert main(["status", "../abc234"]) == 2
    assert main(["logs", ""]) == 2


def test_errors_are_json_when_json_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = told(capsys, "status", "nosuch", "--json")
    assert code == 2
    assert "there is no task" in json.loads(out)["error"]["message"]


def test_help_names_every_command_and_starts_fast_enough_to_import_nothing_heavy() -> None:
    script = "import sys; from tui.commands.parser import parse\ntry: parse(['--help'])\nexcept SystemExit: pass\n"
    script += (
        "print([m for m in ('docker', 'textual', 'git', 'asyncio', 'watchfiles', 'requests') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    for verb in (
        "exec",
        "status",
        "list",
        "logs",
        "diff",
        "apply",
        "push",
        "pr",
        "export",
        "cancel",
        "cache",
        "env",
        "image",
        "doctor",
        "demo",
    ):
        assert f"\n    {verb} " in out
    assert out.endswith("[]\n")


def test_the_way_of_a_start_imports_neither_the_sdk_nor_textual() -> None:
    script = (
        "import sys, tui.commands.tasks, engine.tasks.supervisor, engine.tasks.prepare, engine.tasks.attempt\n"
        "import engine.agents.replay, engine.environment.load, engine.containers.endpoint\n"
        "print([m for m in ('docker', 'textual', 'git', 'rich', 'watchfiles', 'requests') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out == "[]\n"
