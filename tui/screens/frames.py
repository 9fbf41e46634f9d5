"""When screens are painted: as soon as something changed, and all that one key changed in a single frame."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from textual.screen import ModalScreen, Screen
from textual.timer import Timer

_Result = TypeVar("_Result")
# Seconds from the end of one frame to the next.
_PERIOD = 1 / 60
# What a key changed comes to the screen from each widget by itself, some turns of the event loop later.
_TURNS = 4


class FrameTimer(Timer):
    """Lets its screen paint once each time it is resumed, when everything that is on its way has come.

    Textual's own fires at multiples of its interval, up to two of them later, and before the last widget has told.
    """

    def __init__(self, screen: PacedScreen[_Result]) -> None:
        super().__init__(screen, _PERIOD, name="frames", callback=screen._on_timer_update, pause=True)
        self._wanted = asyncio.Event()

    def resume(self) -> None:
        """Something changed."""
        self._wanted.set()

    def pause(self) -> None:
        """It is being painted."""
        self._wanted.clear()

    async def _run(self) -> None:
        loop, painted = asyncio.get_running_loop(), 0.0
        while await self._wanted.wait():
            await asyncio.sleep(max(0.0, painted + _PERIOD - loop.time()))
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            await self._tick(next_timer=0.0, count=0)
            painted = loop.time()


class PacedScreen(Screen[_Result]):
    """A screen that a `FrameTimer` lets paint."""

    _frames: FrameTimer | None = None

    @property
    def _update_timer(self) -> Timer:
        if self._frames is None:
            self._frames = FrameTimer(self)
            self._frames._start()
            self._timers.add(self._frames)
        return self._frames


class Dialog(PacedScreen[_Result], ModalScreen[_Result]):
    """A dialog that a `FrameTimer` lets paint."""
