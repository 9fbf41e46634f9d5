"""How often things are looked at: fast while something happens, seldom otherwise; only changes are painted."""

from __future__ import annotations

import time

# Seconds between looks at the journal of an open task that runs; at everything else; at what rarely changes.
FAST, IDLE, CHECK = 0.1, 1.0, 15.0


class Pace:
    """Says when something is due again."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def due(self, what: str, every: float) -> bool:
        """Whether `every` seconds have passed since this was last due; the first time it is."""
        now = time.monotonic()
        if now - self._last.get(what, -every) < every * 0.95:
            return False
        self._last[what] = now
        return True
