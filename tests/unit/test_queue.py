"""Places for tasks: never more than there are, the oldest first, those of the dead free at once (SPEC P01)."""

from __future__ import annotations

import os
import signal
import threading
import time
from multiprocessing import get_context
from pathlib import Path

import pytest

from engine.errors import Cancelled, UsageError
from engine.tasks import queue


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv(queue.VARIABLE, "2")
    return tmp_path / "fumehood"


def ignore(_before: int, _most: int) -> None:
    return


def test_the_oldest_goes_first(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(queue.VARIABLE, "1")
    order: list[int] = []

    def task(number: int) -> None:
        with queue.places(f"t{number}", 1, float(number), ignore):
            order.append(number)

    # Asked for in the opposite order of their age.
    threads = [threading.Thread(target=task, args=(number,)) for number in (5, 4, 3, 2)]
    with queue.places("t1", 1, 1.0, ignore):
        for thread in threads:
            thread.start()
        while len(list((state / "queue").iterdir())) < len(threads):
            time.sleep(0.01)
    for thread in threads:
        thread.join()
    assert order == [2, 3, 4, 5]


def test_no_more_than_the_limit_at_once() -> None:
    inside, most, lock = 0, 0, threading.Lock()

    def task(number: int) -> None:
        nonlocal inside, most
        with queue.places(f"t{number}", 1, float(number), ignore):
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.05)
            with lock:
                inside -= 1

    threads = [threading.Thread(target=task, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


def test_one_that_takes_all_places_waits_for_all() -> None:
    with queue.places("a", 1, 1.0, ignore):
        seen = []

        def waiting(before: int, most: int) -> None:
            seen.append((before, most))
            raise Cancelled("stopped")

        with pytest.raises(Cancelled), queue.places("b", 4, 2.0, waiting):
            raise AssertionError
        assert seen == [(0, 2)]
    with queue.places("b", 4, 2.0, waiting), pytest.raises(Cancelled), queue.places("c", 1, 3.0, waiting):
        raise AssertionError


def _hold(ready: object) -> None:
    with queue.places("dead", 2, 1.0, ignore):
        ready.set()  # type: ignore[attr-defined]
        time.sleep(60)


def test_places_of_a_killed_process_are_free(state: Path) -> None:
    context = get_context("fork")
    ready = context.Event()
    process = context.Process(target=_hold, args=(ready,))
    process.start()
    assert ready.wait(20)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    with queue.places("next", 2, 2.0, ignore):
        pass
    assert list((state / "queue").iterdir()) == []


def test_tickets_of_the_dead_are_cleared_away(state: Path) -> None:
    left = state / "queue" / "0000000001.000000-gone"
    left.parent.mkdir(parents=True)
    left.touch()
    os.utime(left, (1, 1))
    with queue.places("next", 1, 2.0, ignore):
        pass
    assert not left.exists()


@pytest.mark.parametrize("written", ["0", "-1", "many", "1.5", "٣"])
def test_a_limit_that_is_no_number_is_refused(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(queue.VARIABLE, written)
    with pytest.raises(UsageError, match=queue.VARIABLE):
        queue.limit()


def test_without_a_word_the_machine_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(queue.VARIABLE)
    assert 2 <= queue.limit() <= 4 * (os.cpu_count() or 1)
