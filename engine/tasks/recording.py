"""Recordings: what a task wrote down, played again as a new task that every screen shows live; nothing of it runs.

A recording is a folder with the journal of a task, the output of its commands and the diffs of its attempts. Every
task's own folder is one; `save` makes one that leaves this machine.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

import msgspec

from engine.errors import EngineError, UsageError
from engine.state import private_dir, tasks_dir, write_atomic
from engine.tasks import events as ev
from engine.tasks.journal import JOURNAL, OUTPUT, Journal, append_to, encode, output_path, read, read_all
from engine.tasks.model import FINISHED
from engine.tasks.spec import PLAYBACK, new_id
from engine.tasks.stop import Stop
from engine.tasks.unfinished import endings

FASTEST = 1000.0
_BLOCK = 1 << 20
# What comes when the user wants it, or is found out later: nobody waits for it.
_NOT_WAITED_FOR = frozenset({"pending", "applied", "interrupted"})


def prepare(recording: Path, speed: float) -> Path:
    """Make the folder of a task that plays a recording; `play` does it.

    Args:
        speed: how many times as fast as it was.

    Raises:
        UsageError: there is no recording, or it cannot be played at this speed.
    """
    if not 0 < speed <= FASTEST:
        raise UsageError(f"--speed {speed:g} is out of range", f"1 is as fast as it was, {FASTEST:g} the fastest")
    created = _created(recording)
    import tomli_w

    task = new_id()
    folder = tasks_dir() / task
    write_atomic(folder / PLAYBACK, tomli_w.dumps({"recording": str(recording.absolute()), "speed": float(speed)}))
    again = msgspec.structs.replace(created, id=task, recording=created.recording or created.id)
    append_to(folder, again, ev.TaskStatus(status="pending"))
    return folder


def play(folder: Path) -> None:
    """Write the task in `folder`, as its recording tells it, to its end or until it is cancelled.

    Between two turns nothing waits for the user, and the task has not ended: the last end is the task's. That a diff
    was applied is not told again, as it was not.

    Raises:
        EngineError: the recording cannot be read any more.
    """
    try:
        told = tomllib.loads((folder / PLAYBACK).read_text())
        recording, speed = Path(told["recording"]), float(told["speed"])
    except (OSError, ValueError, KeyError) as error:
        raise EngineError(f"{folder / PLAYBACK} is unusable: {error}", "play the recording again") from error
    journal = Journal(folder)
    stop = Stop(folder, tick=lambda: "", force=lambda: None)
    try:
        _Player(folder, recording, journal, stop, speed).play()
    finally:
        stop.end()
        journal.close()


def save(task: Path, target: Path) -> int:
    """Make a recording of a task: what was seen of it, without where it was on this machine. Returns its bytes.

    What commands printed, and what the agent said, is in it as it is in the log.

    Raises:
        UsageError: there is something at `target` already; EngineError: it cannot be written.
    """
    created = _created(task)
    try:
        target.mkdir(parents=True)
        (target / OUTPUT).mkdir()
        with (target / JOURNAL).open("xb") as file:
            for event in read_all(task):
                if isinstance(event, ev.TaskCreated):
                    name = PurePosixPath(created.repository).name or created.environment
                    event = msgspec.structs.replace(event, environment_path="", repository=name)
                file.write(encode(event) + b"\n")
        for output in sorted((task / OUTPUT).glob("*.log")):
            (target / OUTPUT / output.name).write_bytes(output.read_bytes())
        for patch in sorted(task.glob("attempts/*/diff.patch")):
            copy = target / patch.relative_to(task)
            copy.parent.mkdir(parents=True)
            copy.write_bytes(patch.read_bytes())
    except FileExistsError:
        raise UsageError(f"{target} is there already", "give another name, or remove it") from None
    except OSError as error:
        raise EngineError(f"cannot write {target}: {error.strerror}", "give another name") from error
    return sum(path.stat().st_size for path in target.rglob("*") if path.is_file())


def _created(recording: Path) -> ev.TaskCreated:
    """The beginning of a recording, which every one has."""
    events = read(recording)[0]
    if not events or not isinstance(events[0], ev.TaskCreated):
        raise UsageError(f"{recording} is no recording", "give the id of a task, or a folder that replay --save made")
    return events[0]


class _Player:
    """Plays one recording into the journal of a task."""

    def __init__(self, folder: Path, recording: Path, journal: Journal, stop: Stop, speed: float) -> None:
        self._folder, self._recording, self._journal = folder, recording, journal
        self._stop, self._speed = stop, speed
        self._files: dict[str, IO[bytes]] = {}

    def play(self) -> None:
        private_dir(self._folder / OUTPUT)
        text = f"this is a recording, played at {self._speed:g} times its speed: nothing of it runs"
        self._journal.append(ev.Notice(level="info", text=text))
        last_diffs = self._last_diffs()
        end = ev.TaskStatus(status="interrupted", reason="the recording ends here")
        before = 0.0
        for event in self._events():
            status = event.status if isinstance(event, ev.TaskStatus) else ""
            waits = bool(before) and status not in _NOT_WAITED_FOR
            pause = max(0.0, event.ts - before) / self._speed if waits else 0.0
            before = event.ts
            if self._stop.event.wait(pause) if pause else self._stop.event.is_set():
                self._cancelled()
                return
            if isinstance(event, ev.TaskStatus) and status in FINISHED:
                end = event if status != "applied" else end
                continue
            if isinstance(event, ev.TaskCreated) or status == "pending":
                continue
            if isinstance(event, ev.DiffReady) and last_diffs.get(event.run) == event.seq:
                self._patch(event.run)
            self._append(event)
        self._journal.append(end)

    def _events(self) -> Iterator[ev.AnyEvent]:
        return read_all(self._recording)

    def _last_diffs(self) -> dict[int, int]:
        """The number of the event that the kept diff of each attempt belongs to."""
        return {event.run: event.seq for event in self._events() if isinstance(event, ev.DiffReady)}

    def _append(self, event: ev.AnyEvent) -> None:
        match event:
            case ev.CommandStarted():
                self._files[event.id] = output_path(self._folder, event.id).open("wb", buffering=0)
            case ev.CommandOutput() if event.id in self._files:
                self._output(event)
            case ev.CommandFinished():
                if file := self._files.pop(event.id, None):
                    file.close()
            case _:
                pass
        self._journal.append(event)

    def _output(self, event: ev.CommandOutput) -> None:
        try:
            with output_path(self._recording, event.id).open("rb") as file:
                file.seek(event.offset)
                left = event.size
                while left and (data := file.read(min(left, _BLOCK))):
                    self._files[event.id].write(data)
                    left -= len(data)
        except FileNotFoundError:
            return

    def _patch(self, run: int) -> None:
        try:
            data = (self._recording / "attempts" / str(run) / "diff.patch").read_bytes()
        except FileNotFoundError:
            return
        write_atomic(private_dir(self._folder / "attempts" / str(run)) / "diff.patch", data)

    def _cancelled(self) -> None:
        told = read_all(self._folder)
        for event in endings(told, command="killed", run="stopped", reason=self._stop.reason):
            self._journal.append(event)
        self._journal.append(ev.TaskStatus(status=self._stop.status, reason=self._stop.reason))
