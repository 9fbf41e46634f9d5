"""What a container writes: held to the environment's limit while it runs, and weighed before it is stored (SPEC C9)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine import sizes
from engine.errors import ContainerError, PhaseFailed

if TYPE_CHECKING:
    from engine.containers.container import Container
    from engine.tasks.stop import Order
    from engine.tasks.work import Work

# The engine has no limit of its own on every storage, so it is asked: soon, then less and less often, and never for
# more than a small part of the time, as it walks the container's files for each answer.
_FIRST, _USUAL = 1.0, 10.0
_SHARE = 50


class DiskWatch:
    """Looks after what a container writes, in a thread of its own.

    Attributes:
        exceeded: what it did, as the end of a sentence, once it has written more than it may.
    """

    def __init__(self, container: Container, limit: int, order: Order) -> None:
        self.exceeded = ""
        self._container, self._limit, self._order = container, limit, order
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="disk", daemon=True)

    def is_set(self) -> bool:
        """Whether what runs in the container is to end: it wrote too much, or the work is to end."""
        return bool(self.exceeded) or self._order.event.is_set()

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def end(self) -> None:
        """Watch no longer; an answer that is on its way is not waited for."""
        self._ended.set()

    def _watch(self) -> None:
        usual, cost = _FIRST, 0.0
        while not self._ended.wait(max(usual, _SHARE * cost)):
            began = time.monotonic()
            try:
                written = self._container.written()
            except ContainerError:
                # It is gone: who runs something in it hears so without us.
                return
            if written > self._limit and not self._ended.is_set():
                self.exceeded = _exceeded(written, self._limit)
                return
            usual, cost = min(2 * usual, _USUAL), time.monotonic() - began


@contextmanager
def watched(work: Work, container: Container) -> Iterator[DiskWatch]:
    """Hold a container to the environment's `resources.disk` within the block."""
    watch = DiskWatch(container, work.environment.resources.disk, work.stop)
    watch.start()
    try:
        yield watch
    finally:
        watch.end()


def check_room(work: Work, container: Container) -> None:
    """Weigh what is about to be stored; a warning is journalled when it may not fit on the engine's disk.

    Raises:
        PhaseFailed: it is more than the environment allows.
    """
    from engine.containers import disk
    from engine.tasks import events as ev

    written, limit = container.written(), work.environment.resources.disk
    if written > limit:
        raise PhaseFailed("snapshot", f"the container {_exceeded(written, limit)}")
    if warning := disk.tight(written, disk.free_bytes(work.api)):
        work.recorder.emit(ev.Notice(level="warning", text=warning))


def _exceeded(written: int, limit: int) -> str:
    return f"wrote {sizes.words(written)}; [resources] disk allows {sizes.words(limit)}"
