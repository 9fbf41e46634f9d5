"""Being told to end: by the user's request file or by a signal (SPEC T7)."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path

from engine.errors import Cancelled
from engine.tasks import events as ev
from engine.tasks.spec import CANCEL

# How long the phases have to end in order before the containers are taken away under them.
GRACE_SECONDS = 4.0
_TICK = 0.05


class Stop:
    """Watches for the order to end; twenty times a second it also calls `tick`.

    Attributes:
        event: set once the task is to end.
        reason: why, in words; `status`: what the task is then.

    Args:
        folder: the task's folder, in which the request is left.
        force: called when the grace time is over and the task has not ended.
    """

    def __init__(self, folder: Path, *, tick: Callable[[], None], force: Callable[[], None]) -> None:
        self.event = threading.Event()
        self.reason = ""
        self.status: ev.Status = "cancelled"
        self._ended = threading.Event()
        self._request = folder / CANCEL
        self._tick, self._force = tick, force
        self._thread = threading.Thread(target=self._watch, name="stop", daemon=True)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._thread.start()

    def check(self) -> None:
        """Raise Cancelled when the task is to end."""
        if self.event.is_set():
            raise Cancelled(self.reason)

    def end(self) -> None:
        """The task has ended: stop watching."""
        self._ended.set()
        self._thread.join()

    def _on_signal(self, number: int, _frame: object) -> None:
        self.status, self.reason = "interrupted", f"the supervisor was told to end ({signal.Signals(number).name})"
        self.event.set()

    def _watch(self) -> None:
        while not self._ended.wait(_TICK):
            self._tick()
            if not self.event.is_set() and self._request.exists():
                self.reason = "cancelled by the user"
                self.event.set()
            if self.event.is_set():
                break
        if self.event.is_set() and not self._ended.wait(GRACE_SECONDS):
            self._force()
