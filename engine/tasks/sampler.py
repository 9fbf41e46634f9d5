"""Sampling what a container uses while work goes on in it (SPEC W6)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.errors import ContainerError, NoRoom

if TYPE_CHECKING:
    from engine.containers.container import Container
    from engine.containers.gauge import Gauge
    from engine.tasks.resources import ResourceFile
    from engine.tasks.work import Work

# Seconds to the first sample, which is not to compete with a start, and between two.
_FIRST, _EVERY = 0.5, 2.0


class _Sampler:
    """Samples one container in a thread of its own; a fault of it ends the sampling, never the work."""

    def __init__(self, work: Work, container: Container, run: int) -> None:
        self._work, self._container, self._run = work, container, run
        self._ended = threading.Event()
        self._cpu_seconds, self._at = 0.0, time.monotonic()
        self._thread = threading.Thread(target=self._sample, name="sampler", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """One last sample where that costs nothing; the engine's answer is not waited for."""
        self._ended.set()
        self._thread.join(0.1)

    def _sample(self) -> None:
        if self._ended.wait(_FIRST):
            return
        from engine.containers.gauge import Gauge
        from engine.tasks.resources import Limits, ResourceFile, path_of

        resources, gauge = self._work.environment.resources, Gauge(self._container)
        try:
            limits = Limits(resources.cpus, resources.memory, resources.pids, resources.disk)
            file = ResourceFile(path_of(self._work.folder, self._run), limits)
            while True:
                self._take(gauge, file)
                if self._ended.wait(_EVERY):
                    break
            if gauge.quick:
                self._take(gauge, file)
        except (ContainerError, NoRoom, OSError):
            # The container went away, or there is no room: who works in it hears of that without us.
            return

    def _take(self, gauge: Gauge, file: ResourceFile) -> None:
        from engine.tasks.resources import Sample

        usage, now = gauge.read(), time.monotonic()
        if usage is None:
            return
        # A container that was started again counts from nothing.
        spent = usage.cpu_seconds - self._cpu_seconds if usage.cpu_seconds >= self._cpu_seconds else usage.cpu_seconds
        passed, self._at, self._cpu_seconds = now - self._at, now, usage.cpu_seconds
        if passed > 0:
            cpus = spent / passed
            file.add(Sample(time.time(), cpus, usage.memory, usage.pids, self._container.last_written))


@contextmanager
def sampled(work: Work, container: Container, run: int) -> Iterator[None]:
    """Record what a container uses within the block, in the file of attempt `run`."""
    sampler = _Sampler(work, container, run)
    sampler.start()
    try:
        yield
    finally:
        sampler.end()
