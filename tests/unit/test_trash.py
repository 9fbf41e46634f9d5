"""Removed tasks: away from every list at once, back again when asked for in time, gone for good later."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from engine.bench import Bench
from engine.errors import UsageError
from engine.state import Lock, tasks_dir
from engine.tasks import trash
from engine.tasks.spec import LOCK
from tests.screens import recorded


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    # No container engine: what there is to remove is files.
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    return Bench(tmp_path)


def test_what_is_removed_comes_back_as_it_was(bench: Bench) -> None:
    recorded.finished("aaaa22")
    before = bench.tasks.get("aaaa22")
    assert bench.tasks.remove("aaaa") == "aaaa22"
    assert bench.tasks.list() == []
    assert trash.removed() == ["aaaa22"]
    assert bench.tasks.bring_back("aaaa22") == "aaaa22"
    assert bench.tasks.get("aaaa22") == before
    assert trash.removed() == []


def test_a_task_that_works_stays(bench: Bench) -> None:
    recorded.running("bbbb33")
    with pytest.raises(UsageError, match="still works"):
        bench.tasks.remove("bbbb33")
    assert (tasks_dir() / "bbbb33").is_dir()


def test_a_supervisor_that_has_not_let_go_is_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded.finished("aaaa22")
    lock = Lock(tasks_dir() / "aaaa22" / LOCK)
    assert lock.try_acquire()
    monkeypatch.setattr(trash, "_PATIENCE", 0.0)
    with pytest.raises(UsageError, match="still works"):
        bench.tasks.remove("aaaa22")
    lock.release()
    bench.tasks.remove("aaaa22")


def test_only_what_is_old_goes_for_good(bench: Bench) -> None:
    for task in ("aaaa22", "cccc44"):
        recorded.finished(task)
        bench.tasks.remove(task)
    long_ago = time.time() - trash.KEPT_SECONDS - 1
    os.utime(trash.folder() / "aaaa22", (long_ago, long_ago))
    assert trash.empty() == ["aaaa22"]
    assert [path.name for path in trash.folder().iterdir()] == ["cccc44"]
    with pytest.raises(UsageError, match="these can: cccc44"):
        bench.tasks.bring_back("aaaa22")


def test_what_a_crash_left_half_removed_goes_with_the_next(bench: Bench) -> None:
    recorded.finished("aaaa22")
    bench.tasks.remove("aaaa22")
    (trash.folder() / "aaaa22").rename(trash.folder() / ".aaaa22")
    assert trash.removed() == []
    assert trash.empty() == []
    assert list(trash.folder().iterdir()) == []


def test_for_good_touches_no_other(bench: Bench) -> None:
    for task in ("aaaa22", "cccc44"):
        recorded.finished(task)
    bench.tasks.remove("cccc44")
    bench.tasks.remove("aaaa22", for_good=True)
    assert trash.removed() == ["cccc44"]
