"""When what changes by itself may be painted: as fast as the terminal follows, and no faster (SPEC W8)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

# Asks the terminal where its cursor is: the answer comes when all that was written before has been shown.
ASK = "\x1b[6n"
# Seconds after which an answer is no longer waited for.
PATIENCE = 5.0
# Bytes a second inside a multiplexer, which answers in the terminal's place, and over a narrow link.
MULTIPLEXER, NARROW = 32_000, 8_000
HERTZ, HERTZ_NARROW = 10, 2


class Pace:
    """Frames of the log, apart from those that answer keys: these are never held back.

    Args:
        hertz: how many log frames are painted in a second at most.
        budget: bytes per second that frames may take up before the log has to wait; None for any number.
        clock: seconds, from any beginning.
    """

    def __init__(self, hertz: int, budget: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.hertz = hertz
        self.budget = budget
        self._clock = clock
        self._asked: float | None = None
        self._more = False
        self._answered = False
        self._deaf = False
        self._free_at = 0.0
        self._last = 0.0

    def may_paint(self) -> bool:
        """Whether the log may be painted now; who is told so paints it."""
        now = self._clock()
        if self._asked is not None:
            if now - self._asked < PATIENCE:
                return False
            # A terminal that never answers does not know the question: it is not asked again.
            self._deaf = not self._answered
            self._asked = None
        # Timers are early or late by a little.
        if now < self._free_at or now - self._last < 0.9 / self.hertz:
            return False
        self._last = now
        return True

    def wrote(self, size: int) -> str:
        """A frame of `size` bytes is being written; returns what to write after it."""
        now = self._clock()
        if self.budget is not None:
            self._free_at = max(now, self._free_at) + size / self.budget
        if self._deaf:
            return ""
        if self._asked is not None:
            self._more = True
            return ""
        self._asked = now
        return ASK

    def answered(self) -> str:
        """The terminal has shown what was written up to its question; returns the next question, if there is one."""
        self._answered = True
        self._deaf = False
        self._asked = None
        if not self._more:
            return ""
        self._more = False
        self._asked = self._clock()
        return ASK


def chosen(hertz: int, low_bandwidth: bool, variables: Mapping[str, str]) -> Pace:
    """The pace for this terminal; `hertz` 0 is what fits it."""
    if low_bandwidth:
        budget: int | None = NARROW
    elif variables.get("TMUX") or variables.get("STY"):
        budget = MULTIPLEXER
    else:
        budget = None
    return Pace(hertz or (HERTZ_NARROW if low_bandwidth else HERTZ), budget)
