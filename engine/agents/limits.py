"""What one turn of an agent may use (SPEC A4): time, silence, commands, repetition, tokens, money."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct, field

from engine.agents.base import Finished, Output, Started, Yielded
from engine.tasks import events as ev

if TYPE_CHECKING:
    from engine.environment.model import Agent

# The longest cycle of commands that is noticed when it goes round.
_LONGEST_CYCLE = 3


class _Underway(Struct):
    command: str
    printed: hashlib._Hash = field(default_factory=hashlib.sha256)


class Watch:
    """Keeps an agent's turn within the `[agent]` section of its environment.

    A turn repeats itself when one command, or a cycle of up to three, has been run `max_repeats` times in a row and
    printed the same each time. A check that comes round between different edits is none of that.

    Args:
        passed: says which limit that others watch was reached, in words; empty while none is.
        over: set when a limit is reached.

    Attributes:
        reached: which limit was reached, in words; empty while none is.
        late: it was one of time.
    """

    def __init__(
        self,
        section: Agent,
        started: float | None = None,
        *,
        passed: Callable[[], str] = lambda: "",
        over: threading.Event | None = None,
    ) -> None:
        self.reached = ""
        self.late = False
        self._section = section
        self._passed = passed
        self._over = over or threading.Event()
        self._started = self._last = time.monotonic() if started is None else started
        self._commands = 0
        self._open: dict[str, _Underway] = {}
        self._ended: deque[bytes] = deque(maxlen=section.max_repeats * _LONGEST_CYCLE)
        self._tokens = self._cost = 0.0

    def saw(self, item: Yielded) -> None:
        """Take in what the agent did."""
        self._last = time.monotonic()
        match item:
            case Started():
                self._commands += 1
                self._open[item.key] = _Underway(item.command)
                if self._commands > self._section.max_commands:
                    self._reach(f"it ran {self._section.max_commands} commands, see [agent] max_commands")
            case Output() if item.key in self._open:
                self._open[item.key].printed.update(item.data)
            case Finished() if item.key in self._open:
                self._finished(self._open.pop(item.key), item.exit_code)
            case ev.Usage():
                self._use(item)
            case _:
                pass

    def look(self, now: float | None = None) -> bool:
        """Whether a limit is reached, those of time included."""
        now = time.monotonic() if now is None else now
        section = self._section
        if now - self._started >= section.timeout:
            self._reach(f"its time limit of {_shown(section.timeout)}, see [agent] timeout", late=True)
        elif now - self._last >= section.idle:
            self._reach(f"nothing happened for {_shown(section.idle)}, see [agent] idle", late=True)
        elif passed := self._passed():
            self._reach(passed)
        return bool(self.reached)

    def _reach(self, what: str, *, late: bool = False) -> None:
        if not self.reached:
            self.reached, self.late = what, late
            self._over.set()

    def _finished(self, command: _Underway, exit_code: int | None) -> None:
        command.printed.update(f"\0{exit_code}\0{command.command}".encode("utf-8", "replace"))
        self._ended.append(command.printed.digest())
        times = self._section.max_repeats
        ended = list(self._ended)
        for length in range(1, _LONGEST_CYCLE + 1):
            last = ended[-length * times :]
            if len(last) == length * times and last == last[:length] * times:
                what = "the same command" if length == 1 else f"the same {length} commands"
                self._reach(f"{what} printed the same {times} times in a row, see [agent] max_repeats")
                return

    def _use(self, usage: ev.Usage) -> None:
        tokens, cost = float(usage.input + usage.output), usage.cost_usd or 0.0
        if usage.scope == "step":
            tokens, cost = self._tokens + tokens, self._cost + cost
        self._tokens, self._cost = max(self._tokens, tokens), max(self._cost, cost)
        most, price = self._section.max_tokens, self._section.max_cost
        if most and self._tokens >= most:
            self._reach(f"it used {self._tokens:,.0f} tokens of {most:,}, see [agent] max_tokens")
        elif price and self._cost >= price:
            self._reach(f"it cost ${self._cost:.2f} of ${price:.2f}, see [agent] max_cost")


def _shown(seconds: int) -> str:
    from engine.environment.values import format_duration

    return format_duration(seconds)
