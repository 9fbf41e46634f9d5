"""`fumehood serve` as a process, for tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]


class Served:
    """The real command in a checkout, on a free port, until the end of a `with`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._argv = [sys.executable, "-m", "tui", "serve", "--port", "0", "--no-watch", *options]
        self._folder = folder
        self.link = self.told = ""

    def __enter__(self) -> Served:
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "FUMEHOOD_THEME": "dark"}
        self.process = subprocess.Popen(
            self._argv, cwd=self._folder, env=variables, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.link = self.process.stdout.readline().strip()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.end()

    @property
    def address(self) -> str:
        """Host and port, as in a `Host` header."""
        return urlsplit(self.link).netloc

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Press ctrl-c, or send another signal; returns the exit code."""
        self.process.send_signal(number)
        _, self.told = self.process.communicate(timeout=20)
        return self.process.returncode

    def workbenches(self) -> list[int]:
        """The processes of the workbenches that are open in browsers."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]


def runs(pid: int) -> bool:
    """Whether a process does, and is not only waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
