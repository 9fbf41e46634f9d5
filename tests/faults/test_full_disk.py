"""The disk with the state is full: a task ends in order with that reason, and what was written stands (SECURITY-CASES R)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import NoRoom
from engine.repository import hostgit
from engine.state import write_atomic
from engine.tasks import events as ev
from engine.tasks.journal import RESERVE, Journal, append_to, read_all
from engine.tasks.recorder import Recorder
from tests.faults.small_disk import MISSING, fill, small_disk

needs_disk = pytest.mark.skipif(bool(MISSING), reason=MISSING)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 2) as made:
        yield made


@needs_disk
def test_the_journal_has_room_for_an_end_and_output_has_none(disk: Path) -> None:
    journal = Journal(disk, reserve=True)
    recorder = Recorder(disk, journal)
    name = recorder.command_started("yes", cwd="/", phase="agent", run=1)
    recorder.output(name, "out", b"before\n")
    fill(disk)
    recorder.output(name, "out", b"y" * (1 << 20))
    assert recorder.out_of_room
    recorder.output(name, "out", b"more")
    recorder.command_finished(name, None)
    recorder.emit(ev.TaskStatus(status="interrupted", reason="no room"))
    journal.close()
    events = list(read_all(disk))
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    finished, ended = events[-2:]
    assert isinstance(finished, ev.CommandFinished)
    assert (finished.bytes, finished.truncated) == (7 + (1 << 20) + 4, True)
    assert isinstance(ended, ev.TaskStatus)
    stored = (disk / "output" / f"{name}.log").read_bytes()
    assert stored == b"before\n" + b"y" * (len(stored) - 7)
    told = sum(event.size for event in events if isinstance(event, ev.CommandOutput))
    assert told == len(stored)
    assert not (disk / RESERVE).exists()


@needs_disk
def test_without_a_reserve_nothing_is_half_written(disk: Path) -> None:
    append_to(disk, ev.Notice(level="info", text="before"))
    ballast = fill(disk)
    with pytest.raises(NoRoom):
        append_to(disk, *(ev.Notice(level="info", text="x" * 3000) for _ in range(3)))
    ballast.unlink()
    append_to(disk, ev.Notice(level="info", text="after"))
    events = [event for event in read_all(disk) if isinstance(event, ev.Notice)]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [events[0].text, events[-1].text] == ["before", "after"]


@needs_disk
def test_a_file_is_replaced_whole_or_not_at_all(disk: Path) -> None:
    path = disk / "file"
    write_atomic(path, "old")
    fill(disk)
    with pytest.raises(NoRoom, match=str(path)):
        write_atomic(path, "new" * 5000)
    assert path.read_text() == "old"
    assert {entry.name for entry in disk.iterdir()} == {"file", "ballast"}


def test_what_git_says_of_a_full_disk_is_understood(tmp_path: Path) -> None:
    hostgit.run("init", "-q", "--bare", cwd=tmp_path)
    sha = hostgit.run("hash-object", "-w", "--stdin", git_dir=tmp_path, stdin=b"words\n" * 5000).out
    for command in (("pack-objects", "--stdout"), ("cat-file", "--batch-check")):
        with Path("/dev/full").open("wb") as full, pytest.raises(NoRoom):
            hostgit.run(*command, git_dir=tmp_path, stdin=sha, stdout=full)
