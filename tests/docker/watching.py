"""`fumehood watch` as a test sees it."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.docker.conftest import Lab

Event = dict[str, Any]
SECONDS = 60.0


class Watching:
    """`fumehood watch` on one environment, and what it tells."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.folder = folder
        self.lock = folder / "deps.lock"
        argv = [sys.executable, "-m", "tui.cli", "watch", "--env", str(folder), "--json"]
        self.process = subprocess.Popen(argv, env=lab.variables, cwd=lab.home, stdout=subprocess.PIPE, text=True)
        self._events: queue.Queue[Event] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._events.put(json.loads(line))

    def until(self, wanted: Callable[[Event], bool]) -> list[Event]:
        """What is told, up to the first event that is wanted."""
        seen: list[Event] = []
        while not seen or not wanted(seen[-1]):
            try:
                seen.append(self._events.get(timeout=SECONDS))
            except queue.Empty:
                pytest.fail(f"not told within {SECONDS} s; told: {seen}")
        return seen

    def ready(self) -> list[Event]:
        """What is told until a container stands by: then there is nothing left to do."""
        return self.until(lambda event: event["action"] == "standby" and event["status"] == "done")

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        with self.process:
            self.process.wait(10)
            self._reader.join()


@contextmanager
def watching(lab: Lab, folder: Path) -> Iterator[Watching]:
    watch = Watching(lab, folder)
    try:
        yield watch
    finally:
        watch.end()
