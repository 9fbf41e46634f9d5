"""A terminal for tests: runs a program in a pty, keeps every byte it wrote, and shows what stands on the screen."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path

import pyte

ROOT = Path(__file__).resolve().parents[2]
# Questions that Textual asks a terminal; they are no text, and the emulator does not know them.
_ASKED = b"\x1b[6n"
_QUERIES = (b"\x1b[?2026$p", b"\x1b[>1u", b"\x1b[<u", b"\x1b[?2048$p")


class Terminal:
    """`argv` in a terminal of its own."""

    def __init__(
        self,
        argv: list[str],
        *,
        columns: int = 80,
        rows: int = 24,
        variables: Mapping[str, str] | None = None,
        answers: bool = True,
    ) -> None:
        # Whether it says where its cursor is when it is asked; how often it was asked, and has answered.
        self.answers = answers
        self.asked = self.answered = 0
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.written = b""
        own = {
            k: v
            for k, v in os.environ.items()
            if k not in ("NO_COLOR", "TMUX", "STY", "COLUMNS", "LINES", "LC_ALL", "LC_CTYPE")
        }
        own |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)}
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execvpe(argv[0], argv, own | dict(variables or {}))

    def read(self, seconds: float) -> None:
        """Take in what is written within so many seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self._descriptor], [], [], left)[0]:
                return
            try:
                data = os.read(self._descriptor, 1 << 16)
            except OSError:
                return
            if not data:
                return
            # A question may be cut in two.
            self.asked += (self.written[-3:] + data).count(_ASKED) - self.written[-3:].count(_ASKED)
            self.written += data
            self.answer()
            for query in _QUERIES:
                data = data.replace(query, b"")
            self._stream.feed(data)

    def answer(self) -> None:
        """Say where the cursor is, if that was asked and this terminal answers."""
        while self.answers and self.answered < self.asked:
            self.answered += 1
            self.press("\x1b[1;1R")

    def resize(self, columns: int, rows: int) -> None:
        """Make the window larger or smaller."""
        self.screen.resize(rows, columns)
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def text(self) -> str:
        """What stands on the screen."""
        return "\n".join(self.screen.display)

    def until(self, said: str, *, seconds: float = 30) -> str:
        """Read until the screen says something."""
        end = time.monotonic() + seconds
        while said not in self.text:
            if time.monotonic() > end:
                raise AssertionError(f"{said!r} did not appear in:\n{self.text}")
            self.read(0.1)
        return self.text

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._descriptor, keys.encode())

    def ended(self, *, seconds: float = 15) -> int | None:
        """The exit code once the program has ended; None when it does not, negative when a signal ended it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(0.05)
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
        return None

    def hang_up(self) -> None:
        """The connection is lost: the terminal is gone."""
        os.close(self._descriptor)
        self._descriptor = -1

    def close(self) -> None:
        """End the program, if it has not ended."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self._descriptor >= 0:
            os.close(self._descriptor)


WORKBENCH = [sys.executable, "-m", "tui"]


def workbench(*options: str, columns: int = 80, rows: int = 24, answers: bool = True,
              **variables: str) -> Terminal:  # fmt: skip
    """The workbench on the tasks of this test."""
    return Terminal([*WORKBENCH, *options], columns=columns, rows=rows, variables=variables, answers=answers)
