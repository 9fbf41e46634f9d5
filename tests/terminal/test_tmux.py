"""The workbench as people use it: in tmux, killed and opened again."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.state import state_dir
from tests.screens import recorded
from tests.screens.terminal import ROOT, Terminal

pytestmark = [pytest.mark.terminal, pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")]


class Tmux:
    """A tmux server of its own, with one window that runs the workbench."""

    def __init__(self, folder: Path) -> None:
        self._socket = str(folder / "tmux")
        self._folder = folder

    def _run(self, *words: str) -> str:
        command = ["tmux", "-S", self._socket, "-f", "/dev/null", *words]
        variables = {k: v for k, v in os.environ.items() if k not in ("TMUX", "TMUX_PANE", "COLUMNS", "LINES")}
        variables |= {"PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "TERM": "xterm-256color"}
        done = subprocess.run(command, cwd=self._folder, env=variables, capture_output=True, text=True, check=False)
        return done.stdout

    def open(self, columns: int, rows: int) -> None:
        """Start the workbench in a new session; a server whose last one ended a moment ago may still be leaving."""
        program = f"exec {sys.executable} -m tui"
        end = time.monotonic() + 10
        while "bench" not in self._run("list-sessions"):
            assert time.monotonic() < end, "tmux does not start"
            self._run("new-session", "-d", "-s", "bench", "-x", str(columns), "-y", str(rows), program)

    @property
    def text(self) -> str:
        """What stands in the window."""
        return self._run("capture-pane", "-p", "-t", "bench")

    @property
    def pid(self) -> int:
        """The process of the workbench."""
        return int(self._run("display-message", "-p", "-t", "bench", "#{pane_pid}"))

    def until(self, *said: str, seconds: float = 30) -> str:
        """Wait until the window says all of this."""
        end = time.monotonic() + seconds
        while not all(part in self.text for part in said):
            if time.monotonic() > end:
                raise AssertionError(f"{said!r} did not appear in:\n{self.text}")
            time.sleep(0.1)
        return self.text

    def press(self, *keys: str) -> None:
        """Type."""
        self._run("send-keys", "-t", "bench", *keys)

    def close(self) -> None:
        """End the server and what runs in it."""
        self._run("kill-server")


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    """A server that ends with the test."""
    (tmp_path / "fumehood.toml").write_text(recorded.ENVIRONMENT)
    (tmp_path / "replay.json").write_text('[{"final": "ok"}]')
    server = Tmux(tmp_path)
    yield server
    server.close()


def test_wide_shows_all_panes(tmux: Tmux) -> None:
    recorded.everything()
    tmux.open(200, 50)
    tmux.until("1 Tasks", "2 Environment", "3 Cache", "4 Log", "5 Diff", "rg -n proxies= src", "1 running")
    tmux.press("j")
    tmux.until("All 15 tests pass.", "4 files +10 −2", "def join(*parts: str)")


def test_narrow_shows_tabs(tmux: Tmux) -> None:
    recorded.everything()
    tmux.open(80, 24)
    tmux.until("1 Tasks 2 Env 3 Cache 4 Log 5 Diff 6 Network 7 Time", "bump httpx", "? help")
    for key, said in (
        ("2", "off after setup"),
        ("4", "rg -n proxies= src"),
        ("5", "The diff comes when"),
        ("1", "docs: typo"),
    ):
        tmux.press(key)
        tmux.until(said)


def test_killed_and_opened_again_it_shows_the_same(tmux: Tmux) -> None:
    task = recorded.running()
    tmux.open(120, 40)
    tmux.until("tests/test_client.py ....")
    os.kill(tmux.pid, 9)
    task.output("0003", b"while nobody looked\n", 30)
    deadline = time.monotonic() + 10
    while "bench" in tmux._run("list-sessions") and time.monotonic() < deadline:
        time.sleep(0.1)
    tmux.open(120, 40)
    shown = tmux.until("while nobody looked")
    assert shown.count("tests/test_client.py ....") == 1
    task.output("0003", b"and now\n", 31)
    tmux.until("and now")
    tmux.press("q")
    deadline = time.monotonic() + 10
    while "bench" in tmux._run("list-sessions"):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_is_copied_in_tmux_reaches_the_terminal_outside(tmp_path: Path) -> None:
    (tmp_path / "fumehood.toml").write_text(recorded.ENVIRONMENT)
    recorded.finished()
    program = f"cd {tmp_path} && PYTHONPATH={ROOT} exec {sys.executable} -m tui --no-watch"
    server = ["tmux", "-S", str(tmp_path / "tmux"), "-f", "/dev/null"]
    terminal = Terminal([*server, "-u", "new-session", program], columns=120, rows=40)
    try:
        terminal.until("4 files +10 −2")
        terminal.press("5")
        terminal.press("]")
        terminal.press("y")
        end = time.monotonic() + 20
        while not (found := re.search(rb"\x1b\]52;[a-z]*;([A-Za-z0-9+/=]+)", terminal.written)):
            assert time.monotonic() < end, "nothing was copied"
            terminal.read(0.1)
        copied = (state_dir() / "copied.txt").read_bytes()
        assert copied
        assert base64.b64decode(found[1]) == copied
    finally:
        subprocess.run([*server, "kill-server"], capture_output=True, check=False)
        terminal.close()
