"""Writing to a terminal without ever waiting for it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

_PIECE = 1 << 14


class Writer(threading.Thread):
    """Writes what it is given, in order, in a thread; what a terminal that is gone does not take is dropped.

    Args:
        descriptor: of the terminal.
        translate: what makes text into what the terminal takes.
    """

    def __init__(self, descriptor: int, translate: Callable[[str], str]) -> None:
        super().__init__(daemon=True, name="terminal-output")
        self._descriptor = descriptor
        self._translate = translate
        self._waiting = bytearray()
        self._changed = threading.Condition()
        self.gone = False

    @property
    def backlog(self) -> int:
        """Bytes that the terminal has not taken yet."""
        return len(self._waiting)

    def write(self, text: str) -> None:
        """Have the text written."""
        if self.gone or not text:
            return
        with self._changed:
            self._waiting += self._translate(text).encode("utf-8", "replace")
            self._changed.notify_all()

    def drain(self, seconds: float) -> None:
        """Let what waits be written, for so long at most."""
        end = time.monotonic() + seconds
        with self._changed:
            while self._waiting and not self.gone and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)

    def run(self) -> None:
        """Write until the terminal is gone."""
        while not self.gone:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                piece = bytes(self._waiting[:_PIECE])
            try:
                written = os.write(self._descriptor, piece)
            except OSError:
                written = 0
                self.gone = True
            with self._changed:
                if self.gone:
                    self._waiting.clear()
                del self._waiting[:written]
                self._changed.notify_all()
