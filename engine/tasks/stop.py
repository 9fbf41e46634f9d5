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


class Order:
    """The order to end, given or not.

    Attributes:
        event: set once the work is to end.
        reason: why, in words; `status`: what a task is then.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self.reason = ""
        self.status: ev.Status = "cancelled"

    def give(self, reason: str) -> None:
        """From now on the work is to end."""
        self.reason = reason
        self.event.set()

    def check(self) -> None:
        """Raise Cancelled when the work is to end."""
        if self.event.is_set():
            raise Cancelled(self.reason)


class Stop(Order):
    """Watches for the order to end a task; twenty times a second it also calls `tick`.

    Args:
        folder: the task's folder, in which the request is left.
        tick: says why the task cannot go on, or nothing.
        force: called when the grace time is over and the task has not ended.
    """

    def __init__(self, folder: Path, *, tick: Callable[[], str], force: Callable[[], object]) -> None:
        super().__init__()
        self._ended = threading.Event()
        self._request = folder / CANCEL
        self._tick, self._force = tick, force
        self._thread = threading.Thread(target=self._watch, name="stop", daemon=True)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._thread.start()

    def end(self) -> None:
        """The task has ended: stop watching."""
        self._ended.set()
        self._thread.join()

    def _on_signal(self, number: int, _frame: object) -> None:
        self.status = "interrupted"
        self.give(f"the supervisor was told to end ({signal.Signals(number).name})")

    def _watch(self) -> None:
        while not self._ended.wait(_TICK):
            reason = self._tick()
            if reason and not self.event.is_set():
                self.status = "interrupted"
                self.give(reason)
            if not self.event.is_set() and self._request.exists():
                self.give("cancelled by the user")
            if self.event.is_set():
                break
        if self.event.is_set() and not self._ended.wait(GRACE_SECONDS):
            self._force()
