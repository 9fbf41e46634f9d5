"""Writing a task down: events to the journal, command output to its files, phases with their times."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import msgspec

from engine.errors import Cancelled, EngineError, NoRoom, PhaseFailed
from engine.network.attribution import Attribution, Cause
from engine.state import is_full
from engine.tasks import events as ev
from engine.tasks.journal import OUTPUT, Journal, output_path

if TYPE_CHECKING:
    from engine.secrets.masker import MaskedStream, Masker

HEAD_KEPT = 8 << 20
TAIL_KEPT = 1 << 20
TAIL_LINES = 50
_BATCH_SECONDS = 0.05
_BATCH_BYTES = 32 << 10

Stream = Literal["out", "err"]
PhaseEnd = Literal["done", "skipped", "failed"]
CommandStatus = Literal["completed", "failed", "killed", "timeout", "lost"]


class _OpenCommand(msgspec.Struct):
    """A running command: its output file, the range not yet spoken of in the journal, what was not kept."""

    run: int
    started: float
    file: IO[bytes]
    size: int = 0
    total: int = 0
    lost: int = 0
    stream: Stream = "out"
    pending_from: int = 0
    pending_since: float = 0.0
    last_bytes: bytes = b""
    tail: deque[bytes] = msgspec.field(default_factory=deque)
    tail_size: int = 0
    masked: dict[Stream, MaskedStream] = {}


class Recorder:
    """Everything a task does is recorded through this; any thread may call it.

    What `masker` knows of secrets is masked in everything that is written (SPEC S3).
    """

    def __init__(self, folder: Path, journal: Journal) -> None:
        self.folder = folder
        self.masker: Masker | None = None
        self._journal = journal
        self._lock = threading.RLock()
        self._open: dict[str, _OpenCommand] = {}
        self._agent_commands: dict[int, int] = {}
        self._causes: dict[int, Attribution] = {}
        self._phases: dict[str, ev.Phase] = {}
        (folder / OUTPUT).mkdir(mode=0o700, exist_ok=True)
        self._commands = sum(1 for _ in (folder / OUTPUT).iterdir())

    @property
    def out_of_room(self) -> bool:
        """Whether the disk is full: what is recorded from now on may be left out."""
        return self._journal.full

    def emit(self, event: ev.Event) -> None:
        """Append an event."""
        with self._lock:
            self._journal.append(_masked(event, self.masker) if self.masker else event)

    def command_started(self, command: str, *, cwd: str, phase: ev.Phase, run: int) -> str:
        """A command begins; returns its id, which names its output file."""
        with self._lock:
            self._commands += 1
            name = f"{self._commands:04d}"
            try:
                file = output_path(self.folder, name).open("xb", buffering=0)
            except OSError as error:
                if is_full(error):
                    self._journal.out_of_room()
                    raise NoRoom(self.folder) from error
                raise
            if phase == "agent":
                self._agent_commands[run] = self.agent_commands(run) + 1
            self._phases[name] = phase
            self._open[name] = _OpenCommand(run, time.monotonic(), file)
            self._causes.setdefault(run, Attribution()).started(name, time.monotonic())
            self.emit(ev.CommandStarted(id=name, command=command, cwd=cwd, phase=phase, run=run))
        return name

    def output(self, name: str, stream: Stream, data: bytes) -> None:
        """Store a chunk of a command's output: all of it up to a cap, then only its end."""
        with self._lock:
            command = self._open[name]
            if self.masker is not None:
                if stream not in command.masked:
                    command.masked[stream] = self.masker.stream()
                data = command.masked[stream].feed(data)
            self._keep(name, command, stream, data)

    def _keep(self, name: str, command: _OpenCommand, stream: Stream, data: bytes) -> None:
        """Store bytes that hold no secret (any more)."""
        if data:
            command.total += len(data)
            if command.stream != stream:
                self._flush(name, command, whole=True)
                command.stream = stream
            room = HEAD_KEPT - command.size
            if room > 0:
                self._store(name, command, data[:room])
            if len(data) > max(room, 0):
                _keep_tail(command, data[max(room, 0) :])

    def command_finished(self, name: str, exit_code: int | None, status: CommandStatus | None = None) -> None:
        """A command ended; `status` follows from the exit code unless it was ended by us or lost."""
        with self._lock:
            command = self._open.pop(name)
            for stream, held in command.masked.items():
                self._keep(name, command, stream, held.flush())
            self._causes[command.run].finished(name, time.monotonic())
            tail = b"".join(command.tail)[-TAIL_KEPT:]
            missing = command.total - command.lost - command.size - len(tail)
            if tail:
                mark = f"\n… {missing} bytes not kept …\n".encode() if missing else b""
                self._store(name, command, mark + tail)
            self._flush(name, command, whole=True)
            command.file.close()
            self.emit(
                ev.CommandFinished(
                    id=name,
                    exit_code=exit_code,
                    duration=round(time.monotonic() - command.started, 3),
                    status=status or _status(exit_code),
                    bytes=command.total,
                    truncated=missing + command.lost > 0,
                    run=command.run,
                )
            )

    def close_agent_commands(self, run: int, status: CommandStatus) -> None:
        """End whatever command of this attempt's agent is still open: its end was not seen."""
        with self._lock:
            open_now = [name for name, command in self._open.items() if command.run == run]
            for name in open_now:
                if self._phases[name] == "agent":
                    self.command_finished(name, None, status)

    def cause(self, run: int, seconds_ago: float) -> Cause:
        """Which command of an attempt ran that many seconds ago (SPEC N6)."""
        with self._lock:
            return self._causes.setdefault(run, Attribution()).at(time.monotonic() - seconds_ago)

    def phase_of(self, command: str) -> ev.Phase | None:
        """The phase that a command belongs to; None when there is no such command."""
        return self._phases.get(command)

    def agent_commands(self, run: int) -> int:
        """How many commands the agent of this attempt has started."""
        return self._agent_commands.get(run, 0)

    def flush(self) -> None:
        """Tell the journal of output that has waited long enough; called twenty times a second."""
        with self._lock:
            now = time.monotonic()
            for name, command in self._open.items():
                for stream, held in command.masked.items():
                    self._keep(name, command, stream, held.stale(now))
                if command.pending_from < command.size and now - command.pending_since >= _BATCH_SECONDS:
                    self._flush(name, command, whole=False)

    def last_lines(self, name: str, count: int = TAIL_LINES) -> str:
        """The last lines of a command's output, as text."""
        path = output_path(self.folder, name)
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - (64 << 10)))
            lines = file.read().decode("utf-8", "replace").splitlines()
        return "\n".join(lines[-count:])

    def _store(self, name: str, command: _OpenCommand, data: bytes) -> None:
        written = self._written(command.file, data)
        command.lost += len(data) - written
        data = data[:written]
        now = time.monotonic()
        if command.pending_from == command.size:
            idle = now - command.pending_since >= _BATCH_SECONDS
            command.pending_since = now - _BATCH_SECONDS if idle else now
        command.size += len(data)
        command.last_bytes = (command.last_bytes + data)[-4:]
        waited = now - command.pending_since >= _BATCH_SECONDS
        if waited or command.size - command.pending_from >= _BATCH_BYTES:
            self._flush(name, command, whole=False)

    def _written(self, file: IO[bytes], data: bytes) -> int:
        """How many bytes there was room for; the room that is kept for the journal is not for output."""
        written = 0
        try:
            while not self._journal.full and written < len(data):
                written += file.write(data[written:])
        except OSError as error:
            if not is_full(error):
                raise
            self._journal.out_of_room()
        return written

    def _flush(self, name: str, command: _OpenCommand, *, whole: bool) -> None:
        """Journal the pending range; a character cut at its end waits for its rest unless `whole`."""
        end = command.size - (0 if whole else _cut_character(command.last_bytes))
        position = command.pending_from
        if position < end:
            self.emit(
                ev.CommandOutput(id=name, stream=command.stream, offset=position, size=end - position, run=command.run)
            )
            command.pending_from = end
        command.pending_since = time.monotonic()


def _masked(event: ev.Event, masker: Masker) -> ev.Event:
    """The event with every text in it masked."""

    def mask(value: Any) -> Any:
        if isinstance(value, str):
            return masker.text(value)
        if isinstance(value, (list, tuple)):
            return type(value)(mask(item) for item in value)
        return value

    texts = {name: mask(getattr(event, name)) for name in event.__struct_fields__}
    return msgspec.structs.replace(event, **texts)


def _status(exit_code: int | None) -> CommandStatus:
    if exit_code is None:
        return "lost"
    return "completed" if exit_code == 0 else "failed"


def _keep_tail(command: _OpenCommand, data: bytes) -> None:
    command.tail.append(data)
    command.tail_size += len(data)
    while command.tail_size - len(command.tail[0]) >= TAIL_KEPT:
        command.tail_size -= len(command.tail.popleft())


def _cut_character(last: bytes) -> int:
    """How many bytes at the end begin a UTF-8 character that is not complete yet."""
    for back in range(1, min(4, len(last)) + 1):
        byte = last[-back]
        if byte < 0x80:
            return 0
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if back < length else 0
    return 0


class Phase:
    """The running phase: lets its body say why it ran, that there was nothing to do, or that it failed and may."""

    def __init__(self, reason: str = "") -> None:
        self.status: PhaseEnd = "done"
        self.reason = reason
        self.exit_code: int | None = None
        self.tail = ""

    def failed(self, error: PhaseFailed) -> None:
        """It failed, and the task goes on all the same."""
        self.status, self.reason = "failed", error.message
        self.exit_code, self.tail = error.phase_exit_code, error.tail

    def skip(self, reason: str) -> None:
        """There was nothing to do."""
        self.status, self.reason = "skipped", reason


@contextmanager
def phase(recorder: Recorder, name: ev.Phase, run: int = 1, reason: str = "") -> Iterator[Phase]:
    """Record a phase around its body: start, end, seconds; a fault inside becomes its failure."""
    started = time.monotonic()
    recorder.emit(ev.PhaseStarted(phase=name, reason=reason, run=run))

    def finished(
        status: Literal["done", "skipped", "failed"], why: str, code: int | None = None, tail: str = ""
    ) -> None:
        seconds = round(time.monotonic() - started, 3)
        recorder.emit(
            ev.PhaseFinished(phase=name, status=status, reason=why, seconds=seconds, exit_code=code, tail=tail, run=run)
        )

    state = Phase(reason)
    try:
        yield state
    except PhaseFailed as error:
        finished("failed", error.message, error.phase_exit_code, error.tail)
        raise
    except Cancelled:
        finished("failed", "cancelled")
        raise
    except EngineError as error:
        finished("failed", str(error))
        raise PhaseFailed(name, error.message, tail=error.hint) from error
    except Exception as error:
        if is_full(error):
            finished("failed", str(full := NoRoom(recorder.folder)))
            raise PhaseFailed(name, full.message, tail=full.hint) from full
        finished("failed", f"internal fault: {type(error).__name__}: {error}")
        raise
    finished(state.status, state.reason, state.exit_code, state.tail)


def skipped(recorder: Recorder, name: ev.Phase, reason: str, run: int = 1) -> None:
    """Record that a phase was not needed, and why."""
    recorder.emit(ev.PhaseFinished(phase=name, status="skipped", reason=reason, run=run))


def restamped(event: ev.Event, run: int) -> ev.Event:
    """The event as one of attempt `run`."""
    return event if event.run == run else msgspec.structs.replace(event, run=run)
