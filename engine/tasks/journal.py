"""The journal of a task: one JSON event a line, appended only, read by every screen (DESIGN decision 1)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, get_args

import msgspec

from engine.errors import EngineError, NoRoom
from engine.state import is_full
from engine.tasks.events import AnyEvent, CommandOutput, Event, Notice

VERSION = 1
"""The events' `v`. New kinds and fields leave it as it is; it grows when events mean something else than they did."""
JOURNAL = "journal.jsonl"
OUTPUT = "output"
RESERVE = ".reserve"
# Room for the last events of a task that meets a full disk: some hundred of them.
_RESERVED = 64 << 10
_READ_SIZE = 1 << 20

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


class _Numbered(msgspec.Struct):
    seq: int


class _Typed(msgspec.Struct):
    type: str
    v: int = 1


_KNOWN = frozenset(kind.__struct_config__.tag for kind in get_args(AnyEvent))


class Journal:
    """The writing end; one process at a time holds it (the task's lock), any of its threads may append.

    Opening an existing journal goes on after its last complete line; a line cut short by a crash is removed.

    Args:
        reserve: keep room on the disk for an orderly end, should it be full one day.

    Attributes:
        full: the disk is. What is appended then goes into the reserve; what does not fit there is left out.

    Raises:
        EngineError: the folder cannot be written.
    """

    def __init__(self, folder: Path, *, reserve: bool = False) -> None:
        self.path = folder / JOURNAL
        self.full = False
        self._lock = threading.Lock()
        try:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._seq = _mend(self._descriptor)
        except OSError as error:
            raise EngineError(f"cannot write {self.path}: {error.strerror}", "check its owner and the disk") from error
        if reserve:
            self.full = not _reserved(folder / RESERVE)

    def append(self, event: Event) -> None:
        """Number, stamp and store `event`; it is on disk for every reader when this returns, unless that is full."""
        with self._lock:
            seq = self._seq + 1
            numbered = msgspec.structs.replace(event, seq=seq, ts=round(time.time(), 4))
            line = _encoder.encode(numbered) + b"\n"
            if not self._written(line):
                self.out_of_room()
                if not self._written(line):
                    return
            self._seq = seq

    def out_of_room(self) -> None:
        """The disk is full: from now on the reserve is used."""
        self.full = True
        self.path.with_name(RESERVE).unlink(missing_ok=True)

    def _written(self, line: bytes) -> bool:
        """Whether the whole line was written; else nothing of it is there."""
        written = 0
        try:
            written = os.write(self._descriptor, line)
        except OSError as error:
            if not is_full(error):
                raise
        if 0 < written < len(line):
            os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
        return written == len(line)

    def close(self) -> None:
        """Close the file and give up the reserve; the journal can be opened again."""
        os.close(self._descriptor)
        self.path.with_name(RESERVE).unlink(missing_ok=True)


def _reserved(path: Path) -> bool:
    """Whether the disk had room to keep in this file."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, _RESERVED)
    except OSError as error:
        if not is_full(error):
            raise
        return False
    finally:
        os.close(descriptor)
    return True


def append_to(folder: Path, *events: Event) -> None:
    """Append these to the journal in `folder`, which nobody else writes now.

    Raises:
        EngineError: the folder cannot be written.
        NoRoom: the disk is full.
    """
    journal = Journal(folder)
    try:
        for event in events:
            journal.append(event)
    finally:
        journal.close()
    if journal.full:
        raise NoRoom(journal.path)


def _mend(descriptor: int) -> int:
    """Cut a torn last line off and return the number of the last event."""
    size = os.fstat(descriptor).st_size
    if not size:
        return 0
    position, tail = size, b""
    while position and tail.count(b"\n") < 2:
        start = max(0, position - 65536)
        tail = os.pread(descriptor, position - start, start) + tail
        position = start
    complete, _, torn = tail.rpartition(b"\n")
    if torn:
        os.ftruncate(descriptor, size - len(torn))
    last = complete.rpartition(b"\n")[2]
    try:
        return msgspec.json.decode(last, type=_Numbered).seq if last else 0
    except (msgspec.MsgspecError, UnicodeDecodeError):
        # Numbers only have to grow: a journal has no more events than bytes.
        return size


def read(folder: Path, offset: int = 0) -> tuple[list[AnyEvent], int]:
    """The complete events of a task's journal after byte `offset`, at most about 1 MiB of them.

    Returns:
        The events, and the offset to go on from: equal to the given one when there is nothing new.
        Lines of a kind this version does not know are passed over; a damaged one is a notice that says where it is.

    Raises:
        EngineError: there is something that cannot be read, or a newer fumehood wrote it in its own way.
    """
    path = folder / JOURNAL
    try:
        with path.open("rb") as file:
            if file.seek(0, os.SEEK_END) < offset:
                # It was begun anew; only the keeper's is.
                offset = 0
            file.seek(offset)
            data = file.read(_READ_SIZE)
            while data and b"\n" not in data and (more := file.read(_READ_SIZE)):
                data += more
    except FileNotFoundError:
        return [], offset
    except OSError as error:
        hint = f"move {folder} away to be rid of it; other tasks do not depend on it"
        raise EngineError(f"{path} cannot be read: {error.strerror}", hint) from error
    end = data.rfind(b"\n") + 1
    events: list[AnyEvent] = []
    start = 0
    for line in data[:end].split(b"\n")[:-1]:
        try:
            event = _decoder.decode(line)
            if event.v > VERSION:
                raise made_by_newer(path)
            events.append(event)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            if not _is_later(path, line):
                events.append(_damaged(path, offset + start, events[-1] if events else None))
        start += len(line) + 1
    return events, offset + end


def _is_later(path: Path, line: bytes) -> bool:
    """Whether a line is an event of a kind that only a later release knows."""
    try:
        event = msgspec.json.decode(line, type=_Typed)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    if event.v > VERSION:
        raise made_by_newer(path)
    return event.type not in _KNOWN


def made_by_newer(path: Path) -> EngineError:
    """The error of a file that only a newer release can read; it is left as it is."""
    return EngineError(f"{path} was made by a newer fumehood", "update fumehood; other tasks do not depend on it")


def _damaged(path: Path, offset: int, before: Event | None) -> Notice:
    with path.open("rb") as file:
        number = sum(chunk.count(b"\n") for chunk in _chunks(file, offset)) + 1
    text = f"line {number} of {path} is damaged and left out"
    return Notice(level="warning", text=text, seq=before.seq if before else 0, ts=before.ts if before else 0.0)


def _chunks(file: IO[bytes], size: int) -> Iterator[bytes]:
    while size > 0 and (chunk := file.read(min(size, _READ_SIZE))):
        size -= len(chunk)
        yield chunk


def read_all(folder: Path) -> Iterator[AnyEvent]:
    """Every event of a task's journal, as far as it is written."""
    offset = 0
    while True:
        events, after = read(folder, offset)
        yield from events
        if after == offset:
            return
        offset = after


def output_path(folder: Path, command: str) -> Path:
    """The file that holds the output of the command with this id."""
    return folder / OUTPUT / f"{command}.log"


def with_text(folder: Path, event: AnyEvent) -> AnyEvent:
    """The event as `fumehood logs` shows it: a `command.output` with its text read from the output file."""
    if not isinstance(event, CommandOutput) or event.text:
        return event
    try:
        with output_path(folder, event.id).open("rb") as file:
            file.seek(event.offset)
            data = file.read(event.size)
    except FileNotFoundError:
        data = b""
    return msgspec.structs.replace(event, text=data.decode("utf-8", "replace"))


def plain(event: Event) -> object:
    """The event as plain data, for `json.dumps`."""
    return msgspec.to_builtins(event)


def encode(event: Event) -> bytes:
    """One event as its JSON line, without the newline."""
    return _encoder.encode(event)
