"""Which of the agent's commands caused a request: told by what ran when it came (SPEC N6)."""

from __future__ import annotations

import math
import threading
from typing import NamedTuple


class Cause(NamedTuple):
    """The command that a request is put down to, empty when none ran.

    It is `sure` when it was the only one that ran; a process that an earlier command left behind is not seen.
    """

    command: str
    sure: bool


class Attribution:
    """When each command ran, in seconds of any one clock. All calls may be made from any thread."""

    def __init__(self) -> None:
        self._spans: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def started(self, command: str, at: float) -> None:
        """A command begins."""
        with self._lock:
            self._spans[command] = (at, math.inf)

    def finished(self, command: str, at: float) -> None:
        """A command that was started has ended."""
        with self._lock:
            self._spans[command] = (self._spans[command][0], at)

    def at(self, moment: float) -> Cause:
        """What a request that began at this moment is put down to; of several commands, the one started last."""
        with self._lock:
            running = [(begin, name) for name, (begin, end) in self._spans.items() if begin <= moment <= end]
        latest = max(running, key=lambda one: one[0], default=(0.0, ""))
        return Cause(latest[1], sure=len(running) == 1)
