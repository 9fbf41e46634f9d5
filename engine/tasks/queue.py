"""How many attempts run at once on this machine, and in which order tasks get their turn (SECURITY-CASES P01).

A place is a lock that a supervisor holds while its task works, so the places of one that dies are free at once. Whoever
finds none free draws a ticket, a locked file too, named by the time its task was asked for; the oldest goes first.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.errors import UsageError
from engine.state import Lock, private_dir, state_dir

VARIABLE = "FUMEHOOD_MAX_TASKS"
# An agent waits for its model most of the time, and what it runs seldom needs all the memory it may have.
_PER_CORE, _BYTES_EACH = 4, 1 << 30
_POLL, _YOUNG = 0.2, 5.0


def limit() -> int:
    """How many attempts may work at once: what the environment variable says, else what cores and memory suggest.

    Raises:
        UsageError: the variable is not a number from 1 on.
    """
    written = os.environ.get(VARIABLE, "")
    if written:
        if not written.isascii() or not written.isdigit() or not int(written):
            raise UsageError(f"{VARIABLE}={written!r} is not a number of tasks", "give a whole number from 1 on")
        return int(written)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(2, min(_PER_CORE * (os.cpu_count() or 1), memory // 2 // _BYTES_EACH))


@contextmanager
def places(task: str, count: int, asked_at: float, waiting: Callable[[int, int], None]) -> Iterator[None]:
    """Hold places for `count` attempts of a task while the block runs; wait for them in the order tasks were asked for.

    Args:
        asked_at: when the task was asked for (Unix seconds).
        waiting: called with the number of tasks before this one and the limit, again and again while it waits; may
            raise.

    Raises:
        UsageError: as `limit`.
    """
    most = limit()
    taken: list[Lock] = []
    ticket = Lock(private_dir(state_dir() / "queue") / f"{asked_at:017.6f}-{task}")
    try:
        if _before(ticket.path) or not _take(taken, min(count, most), most):
            ticket.try_acquire()
            while (before := _before(ticket.path)) or not _take(taken, min(count, most), most):
                waiting(before, most)
                # Whose turn is far off looks seldom: a long queue that looks at itself all the time is felt.
                time.sleep(_POLL * (1 + before // most))
        _tear(ticket)
        yield
    finally:
        _tear(ticket)
        for lock in taken:
            lock.release()


def _before(ticket: Path) -> int:
    """How many wait that came before; tickets of dead processes are cleared away."""
    earlier = [Lock(path) for path in sorted(ticket.parent.iterdir()) if path.name < ticket.name]
    alive = [lock for lock in earlier if lock.held_elsewhere()]
    for lock in earlier:
        if lock not in alive:
            _clear(lock.path)
    return len(alive)


def _clear(path: Path) -> None:
    with suppress(FileNotFoundError):
        # Not one that is about to be locked.
        if time.time() - path.stat().st_mtime > _YOUNG:
            path.unlink()


def _take(taken: list[Lock], count: int, most: int) -> bool:
    """Take free places until there are `count`; those taken stay taken, for nobody else may go before."""
    for number in range(most):
        if len(taken) >= count:
            break
        lock = Lock(state_dir() / "locks" / f"place-{number}.lock")
        if lock.try_acquire():
            taken.append(lock)
    return len(taken) >= count


def _tear(ticket: Lock) -> None:
    ticket.path.unlink(missing_ok=True)
    ticket.release()
