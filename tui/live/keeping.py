"""The workbench as a client of the keeper, and what the keeper does, read on from its journal (SPEC C5)."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.bench import Bench
from engine.keeper.news import Care, News
from engine.tasks.events import Kept
from engine.tasks.model import PhaseState
from tui.live.feed import Feed

if TYPE_CHECKING:
    from engine.environment.model import Environment
    from engine.keeper.clients import Client


class CareNow(Struct, frozen=True):
    """What is done for one environment now.

    `watched`: this workbench has it in the keeper's care; `phase` is that of the refresh or rebuild that runs, and
    `expected` how many seconds it took the last time, 0 when that is not known.
    """

    care: Care
    watched: bool
    stands_by: bool
    phase: PhaseState | None = None
    expected: float = 0.0


class Keeping:
    """Opens environments for the keeper's care; every method but `close` is for a thread, one at a time.

    With `watch` off it only tells what others have the keeper do.
    """

    def __init__(self, bench: Bench, *, watch: bool) -> None:
        self._bench, self._watch = bench, watch
        self._client: Client | None = None
        self._paths: tuple[Path, ...] = ()
        self._news = News()
        self._offset, self._size = 0, -1
        self._job: Feed | None = None
        self._seconds: tuple[str, dict[str, float]] = ("", {})
        self._closed = threading.Event()
        self._lock = threading.Lock()

    def attend(self, paths: Sequence[Path]) -> None:
        """Have the keeper take care of these environment files, and see that it lives."""
        with self._lock:
            if not self._watch or self._closed.is_set():
                return
            wanted = tuple(paths)
            if wanted != self._paths:
                # The new client first: the keeper must not see a moment without any.
                before, self._client = self._client, self._bench.keeper.open(wanted) if wanted else None
                self._paths = wanted
                if before is not None:
                    before.close()
            elif self._client is not None:
                self._client.ensure_keeper()

    def look(self, environment: Environment, seconds: Mapping[str, float]) -> CareNow:
        """What is done for an environment; reads only what is new. `seconds`: what phases took in its last tasks."""
        size = self._bench.keeper.journal_size()
        if size < self._size:
            self._news, self._offset = News(), 0
        if size != self._size:
            self._size = size
            while True:
                events, after = self._bench.keeper.events(self._offset)
                self._news.apply(events)
                if after == self._offset:
                    break
                self._offset = after
        care = self._news.of(str(environment.path))
        lives = self._bench.keeper.lives()
        watched = self._watch and lives
        stands_by = lives and self._bench.keeper.stands_by(environment)
        if not lives:
            return CareNow(Care(last=care.last), watched=False, stands_by=False)
        if care.running is None:
            return CareNow(Care(None, care.last, care.waiting), watched, stands_by)
        phase = self._phase(care.running.job)
        known = {**seconds, **self._last(care.last)}
        expected = known.get(phase.name, 0.0) if phase else 0.0
        return CareNow(Care(care.running, care.last, care.waiting), watched, stands_by, phase, expected)

    def _last(self, done: Kept | None) -> dict[str, float]:
        """How long the phases of the last refresh or rebuild took."""
        if done is not None and done.status == "done" and done.job != self._seconds[0]:
            state = Feed(self._bench.keeper.job_folder(done.job)).read_all().state
            self._seconds = (done.job, {p.name: p.seconds for p in state.phases if p.status == "done"})
        return self._seconds[1] if done is not None and done.job == self._seconds[0] else {}

    def _phase(self, job: str) -> PhaseState | None:
        folder = self._bench.keeper.job_folder(job)
        if self._job is None or self._job.folder != folder:
            self._job = Feed(folder)
        self._job.poll()
        return next((p for p in reversed(self._job.state.phases) if p.status == "running"), None)

    def close(self) -> None:
        """This workbench has nothing open any more."""
        self._closed.set()
        # A thread that opens at this moment closes what it opened: the lock is waited for, briefly.
        if self._lock.acquire(timeout=1.0):
            client, self._client = self._client, None
            self._lock.release()
            if client is not None:
                client.close()
