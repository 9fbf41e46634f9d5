"""Recorded tasks for tests and pictures: the story of a small Python package with a failing test, told as journals."""

from __future__ import annotations

from typing import Literal

import msgspec

from engine.state import Lock, private_dir, tasks_dir
from engine.tasks import events as ev
from engine.tasks import journal
from engine.tasks.spec import LOCK

START = 1_790_000_000.0
ENVIRONMENT = """\
name = "web"
[repository]
url = "."
default_branch = "main"
[image]
name = "fumehood/base:bookworm"
[versions]
python = "3.12"
[setup]
script = '''
python3 -m venv .venv
.venv/bin/pip install -e .[test]
'''
[maintenance]
script = ".venv/bin/pip install -e .[test]"
watch = ["pyproject.toml"]
[secrets.NPM_TOKEN]
[agent]
use = "replay"
plan = "replay.json"
"""
PROMPT = "fix the failing test\n\nIt fails since parts may be empty."
ANSWER = """\
`join` kept empty parts, so two empty ones became `//`. It now leaves them out.

- src/urls.py: empty parts are dropped before they are joined
- tests/test_urls.py: two more cases, one of them with spaces

All 15 tests pass."""
RED = b"""\
\x1b[1m============================= test session starts ==============================\x1b[0m
collected 15 items

tests/test_urls.py \x1b[32m.\x1b[0m\x1b[32m.\x1b[0m\x1b[32m.\x1b[0m\x1b[31mF\x1b[0m

=================================== FAILURES ===================================
\x1b[31m\x1b[1m_______________________________ test_join_empty ________________________________\x1b[0m

    \x1b[94mdef\x1b[39;49;00m \x1b[92mtest_join_empty\x1b[39;49;00m():
>       \x1b[94massert\x1b[39;49;00m join(\x1b[33m""\x1b[39;49;00m, \x1b[33m"/"\x1b[39;49;00m) == \x1b[33m"/"\x1b[39;49;00m
\x1b[1m\x1b[31mE       AssertionError: assert '//' == '/'\x1b[0m
\x1b[31mFAILED\x1b[0m tests/test_urls.py::\x1b[1mtest_join_empty\x1b[0m
\x1b[31m!!!!!!!!!!!!!!!!!!!!!!!!!! stopping after 1 failures !!!!!!!!!!!!!!!!!!!!!!!!!!!\x1b[0m
\x1b[31m========================= \x1b[31m\x1b[1m1 failed\x1b[0m, \x1b[32m3 passed\x1b[0m\x1b[31m in 2.11s\x1b[0m\x1b[31m ==========================\x1b[0m
"""
GREEN = b"tests/test_urls.py \x1b[32m...............\x1b[0m\n\n\x1b[32m============== \x1b[1m15 passed\x1b[0m\x1b[32m in 1.84s ==============\x1b[0m\n"
SOURCE = b"""\
def join(*parts: str) -> str:
    return "/".join(p.strip("/") for p in parts)
"""
PATCH = """\
diff --git a/assets/logo.png b/assets/logo.png
index 88768efdf77ec78c9a995f94881793be6a41752b..46befebb53fa5c102ee3ed97332503258578828f 100644
GIT binary patch
literal 6
NcmZQzO3KWu000Ch0ki-B

literal 5
McmZQzOv=my00M6TI{*Lx

diff --git a/run.sh b/run.sh
old mode 100644
new mode 100755
diff --git a/src/urls.py b/src/urls.py
index 7bd34e6..276fa2a 100644
--- a/src/urls.py
+++ b/src/urls.py
@@ -38,8 +38,13 @@ SEPARATOR = "/"


 def join(*parts: str) -> str:
-    \"\"\"Join parts with one slash.\"\"\"
-    return "/".join(p.strip("/") for p in parts)
+    \"\"\"Join parts with one slash; empty parts are left out.

+    A leading slash stays: `join("/a", "b")` is `/a/b`.
+    \"\"\"
+    root = SEPARATOR if parts and parts[0].startswith("/") else ""
+    kept = [p.strip("/") for p in parts if p.strip("/")]  # 2 of 3 callers pass ""
+    return root + SEPARATOR.join(kept)


 def split(path: str) -> list[str]:
diff --git a/tests/test_urls.py b/tests/test_urls.py
index 0a1b2c3..1b2c3d4 100644
--- a/tests/test_urls.py
+++ b/tests/test_urls.py
@@ -12,3 +12,7 @@ def test_join_two():

 def test_join_empty():
     assert join("", "/") == "/"
+
+
+def test_join_spaces():
+    assert join("a b", "", "c") == "a b/c"
"""


class Recording:
    """A task folder written event by event, each at its own second after `start`."""

    def __init__(self, task_id: str, *, start: float = START) -> None:
        self.id = task_id
        self.folder = private_dir(tasks_dir() / task_id)
        private_dir(self.folder / journal.OUTPUT)
        self.start = start
        self.lock = Lock(self.folder / LOCK)
        self._seq = 0
        self._commands = 0

    def at(self, second: float, event: ev.Event) -> None:
        """Append an event."""
        self._seq += 1
        stamped = msgspec.structs.replace(event, seq=self._seq, ts=self.start + second)
        with (self.folder / journal.JOURNAL).open("ab") as file:
            file.write(journal.encode(stamped) + b"\n")

    def begin(self, prompt: str, *, environment: str = "web", path: str = "", attempts: int = 1) -> None:
        """Created and running; this process is its supervisor."""
        created = ev.TaskCreated(
            id=self.id, environment=environment, environment_path=path, repository="/src/web", prompt=prompt,
            agent="replay", branch="main", attempts=attempts,
        )  # fmt: skip
        self.at(0, created)
        self.at(0.01, ev.TaskStatus(status="pending"))
        self.lock.try_acquire()
        self.at(0.1, ev.TaskStatus(status="in_progress"))

    def phase(self, name: ev.Phase, at: float, seconds: float, reason: str = "", status: str = "done") -> None:
        """A phase that ran, or was skipped."""
        if status != "skipped":
            self.at(at, ev.PhaseStarted(phase=name))
        self.at(at + seconds, ev.PhaseFinished(phase=name, status=status, seconds=seconds, reason=reason))  # type: ignore[arg-type]

    def command_started(self, command: str, at: float, *, phase: ev.Phase = "agent") -> str:
        """A command that runs; returns its id."""
        self._commands += 1
        name = f"{self._commands:04d}"
        journal.output_path(self.folder, name).write_bytes(b"")
        self.at(at, ev.CommandStarted(id=name, command=command, cwd="/workspace/web", phase=phase))
        return name

    def output(self, name: str, data: bytes, at: float) -> None:
        """More output of a command."""
        path = journal.output_path(self.folder, name)
        offset = path.stat().st_size
        with path.open("ab") as file:
            file.write(data)
        self.at(at, ev.CommandOutput(id=name, stream="out", offset=offset, size=len(data)))

    def command_finished(self, name: str, code: int, at: float, seconds: float) -> None:
        """A command that ended."""
        size = journal.output_path(self.folder, name).stat().st_size
        status = "completed" if code == 0 else "failed"
        self.at(at, ev.CommandFinished(id=name, exit_code=code, duration=seconds, status=status, bytes=size))  # type: ignore[arg-type]

    def command(self, command: str, at: float, seconds: float, data: bytes = b"", code: int = 0, *,
                phase: ev.Phase = "agent") -> None:  # fmt: skip
        """A command from its start to its end."""
        name = self.command_started(command, at, phase=phase)
        if data:
            self.output(name, data, at + seconds / 2)
        self.command_finished(name, code, at + seconds, seconds)

    def patch(self, text: str | bytes, attempt: int = 1) -> None:
        """The diff of an attempt."""
        folder = private_dir(self.folder / "attempts" / str(attempt))
        (folder / "diff.patch").write_bytes(text.encode() if isinstance(text, str) else text)

    def end(self, status: ev.Status, at: float, reason: str = "") -> None:
        """The task is over and its supervisor gone."""
        self.at(at, ev.TaskStatus(status=status, reason=reason))
        self.lock.release()


def finished(task_id: str = "aaaa22", *, start: float = START, path: str = "") -> Recording:
    """The story to its end: a hit, a red test, an edit, a green test, an answer, a diff."""
    task = Recording(task_id, start=start)
    task.begin(PROMPT, path=path)
    task.at(0.2, ev.CacheDecision(result="hit", reason="nothing it depends on changed", key="k", age_seconds=15120))
    task.phase("resume", 0.2, 0.31)
    task.at(0.5, ev.TaskBase(branch="main", base_sha="4f2c91e0aa", workdir="/workspace/web"))
    task.phase("checkout", 0.5, 0.18)
    task.phase("maintenance", 0.7, 0, "nothing it watches changed", "skipped")
    task.at(0.8, ev.NetworkProven(mode="off", ok=True, checks=["loopback only"]))
    task.at(0.9, ev.PhaseStarted(phase="agent"))
    task.at(0.9, ev.RunStarted(agent="replay", prompt=PROMPT))
    task.at(1.0, ev.Reasoning(text="The name of the test says join.\nI look at the function first."))
    task.command("sed -n 1,80p src/urls.py", 1.2, 0.01, SOURCE)
    task.command('rg -n "def join" src', 1.5, 0.03, b"src/urls.py:41:def join(*parts: str) -> str:\n")
    task.at(2.0, ev.Message(text="First I run the tests to see what fails."))
    task.command("pytest -x tests/test_urls.py", 2.2, 2.41, RED, 1)
    task.at(5.0, ev.Message(text="The join collapses empty parts twice; I move the check into one place."))
    task.at(6.0, ev.FileChanged(path="src/urls.py", kind="update"))
    task.at(7.0, ev.NetworkRequest(phase="agent", host="pypi.example", port=443, method="CONNECT", decision="denied",
                                   reason="the network is off for the agent"))  # fmt: skip
    task.command("pytest -q", 8.0, 1.95, GREEN)
    task.at(11.0, ev.Message(text=ANSWER, final=True))
    task.at(11.1, ev.RunFinished(status="completed", answer=ANSWER, seconds=10.2, commands=4, exit_code=0))
    task.at(11.1, ev.PhaseFinished(phase="agent", status="done", seconds=10.2))
    task.phase("collect", 11.2, 0.24)
    task.patch(PATCH)
    task.at(
        11.5, ev.DiffReady(base_sha="4f2c91e0aa", result_sha="b" * 40, files_changed=4, lines_added=10, lines_removed=2)
    )
    task.end("ready", 11.6)
    return task


def running(task_id: str = "bbbb33", *, start: float = START + 3600, path: str = "") -> Recording:
    """A task in its agent phase, with a command that has begun to print."""
    task = Recording(task_id, start=start)
    task.begin("bump httpx to 0.28 and adapt the client", path=path)
    task.at(
        0.2, ev.CacheDecision(result="miss", reason="setup script changed (3 lines)", key="k", changed=["setup script"])
    )
    task.phase("clone", 0.3, 0.42)
    task.at(0.8, ev.PhaseStarted(phase="setup"))
    task.command(".venv/bin/pip install -e .[test]", 0.9, 12.6, b"Successfully installed httpx-0.28.1\n", phase="setup")
    task.at(13.5, ev.PhaseFinished(phase="setup", status="done", seconds=12.7))
    task.phase("snapshot", 13.5, 1.31)
    task.at(15.0, ev.TaskBase(branch="main", base_sha="4f2c91e0aa"))
    task.phase("checkout", 15.0, 0.2)
    task.at(15.3, ev.NetworkProven(mode="off", ok=True))
    task.at(15.4, ev.PhaseStarted(phase="agent"))
    task.at(15.4, ev.RunStarted(agent="replay", prompt="bump httpx to 0.28 and adapt the client"))
    task.at(16.0, ev.Message(text="httpx 0.28 removed the proxies argument. I look for its uses."))
    task.command("rg -n proxies= src", 17.0, 0.02, b"src/client.py:14:    proxies=settings.proxies,\n")
    name = task.command_started("pytest -q", 20.0)
    task.output(name, b"tests/test_client.py \x1b[32m....\x1b[0m\n", 21.0)
    return task


def failed(task_id: str = "cccc44", *, start: float = START - 7200) -> Recording:
    """A task that ended in its setup."""
    task = Recording(task_id, start=start)
    task.begin("migrate settings")
    task.at(0.2, ev.CacheDecision(result="miss", reason="no snapshot yet", key="k"))
    task.phase("clone", 0.3, 0.4)
    task.at(0.8, ev.PhaseStarted(phase="setup"))
    output = b"Collecting nosuchpackage\n\x1b[31mERROR: No matching distribution found for nosuchpackage\x1b[0m\n"
    task.command("bash setup.sh", 0.9, 3.2, output, 1, phase="setup")
    task.at(4.2, ev.PhaseFinished(phase="setup", status="failed", seconds=3.4, reason="the script failed", exit_code=1,
                                  tail="ERROR: No matching distribution"))  # fmt: skip
    task.end("error", 4.3)
    return task


def interrupted(task_id: str = "dddd55", *, start: float = START - 90000) -> Recording:
    """A task whose supervisor died."""
    task = Recording(task_id, start=start)
    task.begin("docs: typo")
    task.phase("resume", 0.2, 0.3)
    task.at(0.9, ev.PhaseStarted(phase="agent"))
    task.at(0.9, ev.RunStarted(agent="replay", prompt="docs: typo"))
    task.command_started("make docs", 1.0)
    task.end("interrupted", 9.0, "interrupted in agent: its supervisor ended")
    return task


def attempts(task_id: str = "dddd55", *, start: float = START + 1800, path: str = "") -> Recording:
    """Three attempts at one prompt: red tests, green tests, and one that came to nothing."""
    task = Recording(task_id, start=start)
    task.begin("leave empty parts out of join", path=path, attempts=3)
    task.at(0.3, ev.TaskBase(branch="main", base_sha="4f2c91e0aa", workdir="/workspace/web"))
    told = (
        (1, "pytest -q", 1, "one", 900, "Changed the test instead.", 12.5),
        (2, "pytest -q", 0, "two", 1500, "Dropped the empty parts.\n\nAll tests pass.", 31.0),
    )
    for run, command, code, name, tokens, answer, seconds in told:
        identity = f"{run:04d}"
        task.at(1 + run, ev.RunStarted(agent="replay", prompt="leave empty parts out of join", run=run))
        task.at(2 + run, ev.CommandStarted(id=identity, command=command, run=run))
        journal.output_path(task.folder, identity).write_bytes(RED if code else GREEN)
        ended: Literal["completed", "failed"] = "failed" if code else "completed"
        task.at(5 + run, ev.CommandFinished(id=identity, exit_code=code, duration=2.0, status=ended, run=run))
        task.at(6 + run, ev.Usage(input=tokens - 100, output=100, run=run))
        task.at(7 + run, ev.RunFinished(status="completed", answer=answer, seconds=seconds, exit_code=0, run=run))
        task.patch(f"diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n@@ -1 +1 @@\n-old\n+{name}\n", run)
        task.at(8 + run, ev.DiffReady(base_sha="4f2c91e0aa", result_sha=str(run) * 40, files_changed=run,
                                      lines_added=run + 1, lines_removed=run - 1, run=run))  # fmt: skip
    task.at(4, ev.RunStarted(agent="replay", prompt="leave empty parts out of join", run=3))
    task.at(9, ev.RunFinished(status="failed", reason="the model refused", run=3))
    task.end("ready", 41.0)
    return task


def everything(path: str = "") -> list[Recording]:
    """One task of each kind."""
    return [interrupted(), failed(), finished(path=path), running(path=path)]
