"""A program in a terminal, with the time of everything it writes; the terminal answers what terminals are asked."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.bench.terminal_lab.screen import Screen

_QUESTION = re.compile(rb"\x1b\[6n|\x1b\[0?c|\x1b\[\?2026\$p|\x1b\[\?2048\$p")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Lost(Exception):
    """What was waited for did not come."""


class Program:
    """`argv` in a terminal of its own; nothing is read unless one of the waiting methods runs.

    Attributes:
        began: when it was started (`time.perf_counter`), as are all times here.
        first: when its first bytes came.
        bytes: how many it wrote so far.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        columns: int = 120,
        rows: int = 40,
        variables: Mapping[str, str],
        folder: Path,
    ) -> None:
        self.screen = Screen(columns, rows)
        self.bytes = 0
        self.first: float | None = None
        self.over = False
        self._last = 0.0
        environment = dict(variables)
        self.began = time.perf_counter()
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
                os.chdir(folder)
                os.execvpe(argv[0], list(argv), environment)
            finally:
                os._exit(127)
        os.set_blocking(self._descriptor, False)

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Reading

    def _read(self, seconds: float) -> bool:
        """Take in the next piece that comes within so many seconds; False when none did."""
        if self.over or not select.select([self._descriptor], [], [], max(0.0, seconds))[0]:
            if self.over:
                time.sleep(max(0.0, seconds))
            return False
        try:
            data = os.read(self._descriptor, 1 << 16)
        except OSError:
            data = b""
        if not data:
            self.over = True
            return False
        self._last = time.perf_counter()
        self.first = self.first or self._last
        self.bytes += len(data)
        self._take(data)
        return True

    def _take(self, data: bytes) -> None:
        """Show it, and answer each question as the screen is when it is asked."""
        position = 0
        for question in _QUESTION.finditer(data):
            self.screen.feed(data[position : question.start()])
            position = question.end()
            asked = question[0]
            if asked == b"\x1b[6n":
                answer = b"\x1b[%d;%dR" % (self.screen.row + 1, self.screen.column + 1)
            elif asked.endswith(b"c"):
                answer = b"\x1b[?62;22c"
            else:
                # Output in one piece is known here, resizing in band is not: as most terminals of today.
                answer = b"\x1b[?2026;2$y" if b"2026" in asked else b"\x1b[?2048;0$y"
            self.press(answer)
        self.screen.feed(data[position:])

    def until(self, seen: Callable[[Screen], bool], *, seconds: float = 30.0) -> float:
        """When the bytes came after which the screen is so.

        Raises:
            Lost: that was not within so many seconds.
        """
        end = time.perf_counter() + seconds
        while not seen(self.screen):
            left = end - time.perf_counter()
            if left <= 0 or (self.over and not self._read(0)):
                raise Lost(f"not seen within {seconds:.0f} s; the screen:\n{self.screen.text}")
            self._read(left)
        return self._last

    def shows(self, text: str, *, seconds: float = 30.0) -> float:
        """When a text stood on the screen."""
        return self.until(lambda screen: text in screen.text, seconds=seconds)

    def rest(self, seconds: float) -> int:
        """Read for so long; returns how many bytes came."""
        before, end = self.bytes, time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self._read(left)
        return self.bytes - before

    def settled(self, *, quiet: float = 0.06, seconds: float = 30.0) -> float:
        """When the last bytes came, before nothing did for `quiet` seconds."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end and self._read(quiet):
            pass
        return self._last

    def changed(self, keys: str, *, seconds: float = 30.0) -> float:
        """Type; how long until the screen had changed and was still again."""
        before = self.screen.text
        asked = self.press(keys)
        self.until(lambda screen: screen.text != before, seconds=seconds)
        return self.settled() - asked

    # Writing

    def press(self, keys: str | bytes) -> float:
        """Type; returns when."""
        now = time.perf_counter()
        os.write(self._descriptor, keys.encode() if isinstance(keys, str) else keys)
        return now

    # What it costs

    @property
    def memory(self) -> float:
        """MB it holds (RSS)."""
        return memory_of(self.pid)

    @property
    def most_memory(self) -> float:
        """The most it ever held, MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6

    @property
    def processor(self) -> float:
        """Seconds of a processor it used so far."""
        return processor_of(self.pid)

    def busy_until(self, *, quiet: float = 1.0, seconds: float = 120.0, share: float = 0.2) -> float:
        """When it last used more than this share of a processor, before `quiet` seconds in which it did not."""
        window, step = 0.2, 0.05
        taken: list[tuple[float, float]] = [(time.perf_counter(), self.processor)]
        last, end = taken[0][0], taken[0][0] + seconds
        while (now := taken[-1][0]) < end and now - last < quiet + window:
            self.rest(step)
            taken.append((time.perf_counter(), self.processor))
            since, used = next(
                ((t, taken[-1][1] - before) for t, before in reversed(taken) if t <= taken[-1][0] - window), taken[0]
            )
            if used > share * window:
                last = since + min(used, window)
        return last

    def close(self) -> None:
        """End it."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self._descriptor)
            self.pid = 0


def memory_of(pid: int) -> float:
    """MB that a process holds (RSS)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 1e6


def processor_of(pid: int) -> float:
    """Seconds of a processor that a process used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
