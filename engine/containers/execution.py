"""One streamed, demultiplexed, timed exec: the only way anything runs in a container."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Literal, Protocol

from msgspec import Struct

from engine.containers.api import Api, Refused, Stream
from engine.containers.endpoint import translated
from engine.errors import Lost

StreamName = Literal["out", "err"]
Sink = Callable[[StreamName, bytes], None]

_HEADER = struct.Struct(">BxxxL")
_STREAMS: dict[int, StreamName] = {1: "out", 2: "err"}
_READ_SIZE = 1 << 17
_POLL = 0.1


class Flag(Protocol):
    """Something that is raised once, by another thread: a `threading.Event`, or what knows of several reasons."""

    def is_set(self) -> bool:
        """Whether it is."""


class Exit(Struct, frozen=True):
    """How an exec ended: `code` is what docker reports of the process itself, never inferred from its output.

    `code` is None when the process was not seen to end: `timed_out`, `stopped`, or the container went away.
    """

    code: int | None
    seconds: float
    timed_out: bool = False
    stopped: bool = False


def run(
    api: Api,
    container: str,
    argv: Sequence[str],
    sink: Sink,
    *,
    stdin: bytes | int = b"",
    env: Mapping[str, str] | None = None,
    cwd: str = "",
    user: str = "",
    timeout: float | None = None,
    stop: Flag | None = None,
) -> Exit:
    """Run `argv` in `container` and hand every chunk of its output to `sink` as it comes.

    Args:
        sink: called in this thread with "out" or "err" and the bytes.
        stdin: given to the process, then closed; empty means an empty standard input. A descriptor is read, in blocks
            as they come, until it ends.
        timeout: seconds after which this returns with `timed_out`; the process is left for the caller to end.
        stop: when set by another thread, this returns with `stopped` within 0.1 s.

    Raises:
        ContainerError: the container is gone, or docker cannot start the process.
    """
    started = time.monotonic()
    deadline = None if timeout is None else started + timeout
    with translated(f"running {argv[0]} in container {container[:12]}"):
        process = api.exec_create(
            container,
            {
                "Cmd": list(argv),
                "Env": [f"{name}={value}" for name, value in (env or {}).items()],
                "WorkingDir": cwd,
                "User": user,
                "AttachStdin": stdin != b"",
                "AttachStdout": True,
                "AttachStderr": True,
            },
        )
        with closing(api.exec_start(process)) as stream:
            ended = pump(stream, stdin, sink, deadline=deadline, stop=stop)
        code = _exit_code(api, process, deadline, stop) if ended else None
    seconds = time.monotonic() - started
    late = deadline is not None and time.monotonic() >= deadline
    stopped = stop is not None and stop.is_set()
    return Exit(code, seconds, timed_out=code is None and late and not stopped, stopped=code is None and stopped)


def pump(
    stream: Stream,
    stdin: bytes | int,
    sink: Sink,
    *,
    deadline: float | None = None,
    stop: Flag | None = None,
    until: Callable[[], bool] = lambda: False,
    close_stdin: bool = True,
) -> bool:
    """Move bytes both ways until the stream ends or `until` (True), the deadline passes or `stop` is set (False).

    Without `close_stdin` the process is not told that its input has ended: another stream may go on with it.
    """
    raw = stream.connection
    raw.setblocking(False)
    frames = _Frames(sink)
    frames.feed(stream.already)
    source = stdin if isinstance(stdin, int) else None
    pending = memoryview(b"" if isinstance(stdin, int) else stdin)
    if close_stdin and source is None and not pending:
        _shut_write(raw)
    while not until():
        if (stop is not None and stop.is_set()) or (deadline is not None and time.monotonic() >= deadline):
            return False
        awaited: list[int] = [raw.fileno()] + ([source] if source is not None and not pending else [])
        readable, writable, _ = select.select(awaited, [raw] if pending else [], [], _POLL)
        ended = False
        if source is not None and source in readable:
            pending = memoryview(os.read(source, _READ_SIZE))
            if ended := not pending:
                source = None
        if writable:
            pending = pending[_send(raw, pending) :]
            ended = source is None and not pending
        if close_stdin and ended:
            _shut_write(raw)
        if raw.fileno() in readable:
            try:
                data = raw.recv(_READ_SIZE)
            except BlockingIOError:
                continue
            if not data:
                return True
            frames.feed(data)
    return True


def _send(raw: socket.socket, pending: memoryview) -> int:
    """Bytes of stdin taken; all of them when the process no longer reads."""
    try:
        return raw.send(pending[:_READ_SIZE])
    except BlockingIOError:
        return 0
    except (BrokenPipeError, ConnectionResetError):
        return len(pending)


def _shut_write(raw: socket.socket) -> None:
    try:
        raw.shutdown(socket.SHUT_WR)
    except OSError:
        return


def _exit_code(api: Api, process: str, deadline: float | None, stop: Flag | None) -> int | None:
    """The process's exit code; its output may be closed some time before it ends."""
    pause = 0.001
    while True:
        try:
            state = api.exec_inspect(process)
        except Refused as error:
            if error.status != 404:
                raise
            raise Lost(
                "the container engine lost the running command", "was dockerd restarted, or the container removed?"
            ) from None
        if not state["Running"] and state["ExitCode"] is not None:
            return int(state["ExitCode"])
        if (stop is not None and stop.is_set()) or (deadline is not None and time.monotonic() >= deadline):
            return None
        time.sleep(pause)
        pause = min(pause * 2, 0.1)


class _Frames:
    """Docker's multiplexed stream: an 8-byte head (stream, length), then that many bytes, again and again."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._buffer = bytearray()
        self._left = 0
        self._stream: StreamName = "out"

    def feed(self, data: bytes) -> None:
        """Take a piece of the stream, cut anywhere, and pass on what is complete or partly there."""
        self._buffer += data
        for stream, chunk in self._chunks():
            self._sink(stream, chunk)

    def _chunks(self) -> Iterator[tuple[StreamName, bytes]]:
        position, size = 0, len(self._buffer)
        while position < size:
            if self._left == 0:
                if size - position < _HEADER.size:
                    break
                number, self._left = _HEADER.unpack_from(self._buffer, position)
                self._stream = _STREAMS.get(number, "out")
                position += _HEADER.size
                continue
            taken = min(self._left, size - position)
            yield self._stream, bytes(self._buffer[position : position + taken])
            position += taken
            self._left -= taken
        del self._buffer[:position]
