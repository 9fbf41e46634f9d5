"""Work on files that takes longer than a screen may wait: done in one thread, a piece at a time; may be dropped."""

from __future__ import annotations

import threading
from typing import Protocol


class Job(Protocol):
    """Something that is done in pieces of a few milliseconds."""

    def step(self) -> bool:
        """Do one piece; True while there are more."""


class Backlog:
    """Jobs in the order in which they came; the thread lives while there are any."""

    def __init__(self) -> None:
        # By what they are, in order.
        self._jobs: dict[int, Job] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether anything is still to be done."""
        return bool(self._jobs)

    def add(self, job: Job) -> None:
        """Do this after all others; nothing if it is waiting already."""
        with self._lock:
            self._jobs.setdefault(id(job), job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="backlog", daemon=True)
                self._thread.start()

    def drop(self, *kinds: type) -> None:
        """Leave all jobs of these kinds undone; without any, all jobs."""
        with self._lock:
            self._jobs = {key: job for key, job in self._jobs.items() if kinds and not isinstance(job, kinds)}

    def wait(self) -> None:
        """Return when nothing is to be done any more; for tests and for what runs without a screen."""
        while (thread := self._thread) is not None:
            thread.join()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._jobs:
                    self._thread = None
                    return
                job = next(iter(self._jobs.values()))
            try:
                more = job.step()
            except OSError:
                # What cannot be read is shown as far as it was read.
                more = False
            with self._lock:
                if not more:
                    self._jobs.pop(id(job), None)
