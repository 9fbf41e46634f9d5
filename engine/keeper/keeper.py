"""The keeper: one process for each user, while a workbench or `fumehood watch` is open (DESIGN decision 1)."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec

from engine.containers.endpoint import connect
from engine.errors import DockerUnavailable
from engine.keeper import rebuilds
from engine.keeper.care import Care, jobs_dir
from engine.keeper.clients import clients_dir, keeper_dir, open_environments
from engine.keeper.news import News
from engine.keeper.watcher import Watcher
from engine.state import Lock, private_dir
from engine.tasks import standby
from engine.tasks.events import Kept
from engine.tasks.journal import JOURNAL, Journal, read_all
from engine.tasks.recovery import remove_containers
from engine.tasks.stop import Order

STANDBY_LIMIT = 3
MEMORY_FREE = 1 << 30
_WAIT_FOR_LOCK, _WITHOUT_CLIENTS = 5.0, 3.0
# Seconds after which an environment is looked at without a change: its snapshot ages, a remote repository moves on.
_AGAIN = 60.0
_TICK = 0.5
_JOURNAL_KEPT = 4 << 20


def keep() -> None:
    """Take care of every environment that a client has open, until none is left; one keeper at a time does."""
    lock = Lock(keeper_dir() / "lock")
    deadline = time.monotonic() + _WAIT_FOR_LOCK
    while not lock.try_acquire():
        if time.monotonic() > deadline:
            return
        time.sleep(0.1)
    journal = keeper_dir() / JOURNAL
    if journal.exists() and journal.stat().st_size > _JOURNAL_KEPT:
        journal.unlink()
    order = Order()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: order.give("the keeper was told to end"))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    starter, lifeline = _start_starter()
    writer = Journal(keeper_dir())
    _end_what_was_left(writer)
    try:
        _Keeper(writer, order).run()
    finally:
        os.close(lifeline)
        starter.wait()
        lock.release()


def _end_what_was_left(journal: Journal) -> None:
    """A keeper that was killed told of no end; nobody is to believe that what it began still runs."""
    news = News().apply(event for event in read_all(keeper_dir()) if isinstance(event, Kept))
    for care in news.environments.values():
        if care.running is not None:
            journal.append(msgspec.structs.replace(care.running, status="ended", reason="the keeper ended meanwhile"))


def _start_starter() -> tuple[subprocess.Popen[bytes], int]:
    """The process that forks supervisors; it ends when the pipe whose end is returned is closed."""
    reading, writing = os.pipe()
    starter = subprocess.Popen([sys.executable, "-m", "engine.tasks.starter", str(reading)], pass_fds=[reading])
    os.close(reading)
    return starter, writing


class _Keeper:
    def __init__(self, journal: Journal, order: Order) -> None:
        self._journal, self._order = journal, order
        self._watcher = Watcher()
        self._cares: dict[Path, Care] = {}
        self._looking: dict[Path, threading.Thread] = {}
        self._due: dict[Path, float] = {}

    def run(self) -> None:
        """Until there is no client for a while, or the order to end is given."""
        self._sweep()
        private_dir(standby.folder())
        private_dir(rebuilds.folder())
        alone_since = time.monotonic()
        try:
            while not self._order.event.is_set():
                if self._meet_clients():
                    alone_since = time.monotonic()
                elif time.monotonic() - alone_since > _WITHOUT_CLIENTS:
                    break
                self._look()
                self._watcher.watch({clients_dir(), *(f for care in self._cares.values() for f in care.folders)})
                self._wait()
        finally:
            self._order.give("nobody is at the bench any more")
            self._watcher.close()
            for thread in self._looking.values():
                thread.join()
            for care in self._cares.values():
                care.close()
            self._sweep()

    def _sweep(self) -> None:
        """Remove what an earlier keeper left, and what this one leaves."""
        try:
            standby.remove_all(connect())
        except DockerUnavailable:
            return
        for job in jobs_dir().glob("*"):
            remove_containers(job.name)

    def _meet_clients(self) -> bool:
        """Take on what clients have opened, let go of what nobody has open; whether there is any client."""
        wanted = open_environments()
        for path in wanted - self._cares.keys():
            self._cares[path] = Care(path, self._journal.append, self._order, lambda: self._may_stand_by())
            self._due[path] = 0.0
        for path in self._cares.keys() - wanted:
            if not self._is_looking(path):
                self._cares.pop(path).close()
                self._due.pop(path)
        return bool(wanted)

    def _wait(self) -> None:
        """Wait for a change, and mark the environments it concerns."""
        try:
            changed = self._watcher.changes.get(timeout=_TICK)
            while True:
                for path, care in self._cares.items():
                    if changed & care.folders:
                        self._due[path] = 0.0
                changed = self._watcher.changes.get_nowait()
        except queue.Empty:
            return

    def _look(self) -> None:
        for path, due in self._due.items():
            if due <= time.monotonic() and not self._is_looking(path):
                self._due[path] = time.monotonic() + _AGAIN
                self._looking[path] = threading.Thread(target=self._cares[path].look, name=f"care {path.stem}")
                self._looking[path].start()

    def _is_looking(self, path: Path) -> bool:
        return path in self._looking and self._looking[path].is_alive()

    def _may_stand_by(self) -> bool:
        """Whether there is room for one more container that only waits."""
        return sum(1 for _ in standby.folder().glob("[!.]*")) < STANDBY_LIMIT and _memory_available() > MEMORY_FREE


def _memory_available() -> int:
    """Bytes that could be used without swapping."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return MEMORY_FREE + 1
