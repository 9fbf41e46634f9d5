"""Services beside the agent (SPEC T2): the start script, its output as long as there is any, readiness, their end."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from engine.containers.container import Container
from engine.containers.execution import Exit, StreamName
from engine.errors import EngineError, PhaseFailed
from engine.tasks import events as ev
from engine.tasks.scripted import failure
from engine.tasks.scripts import AWAIT_SERVICES, HOME, RUN_SERVICES
from engine.tasks.work import Work

_SCRIPT = f"{HOME}/start.sh"
# How long the last output of a script that failed is waited for: what it left running may hold it open.
_OUTPUT_SECONDS = 2.0
# How long services have to answer again after something of theirs has ended.
_AGAIN_SECONDS = 10.0
_SAID_BYTES = 16 << 10
_KILLED = 137
_LINES_TOLD = 10


@contextmanager
def services(
    work: Work, container: Container, variables: Mapping[str, str], run: int, over: threading.Event
) -> Iterator[None]:
    """Run the start script, in a login shell in the work directory; the block begins when the services are ready.

    The script may exit or go on: its output, and that of what it leaves running, is recorded until the block ends. The
    processes are the caller's to end, with the container. Services that fail meanwhile are journalled as a warning.

    Args:
        variables: for the script and for `ready`, beside those of the container.
        over: set when the processes in the container are about to be ended: services may be among them.

    Raises:
        PhaseFailed: the script exited with another code than 0, or `ready` did not succeed in time (SPEC T3).
        Cancelled: the task was told to end.
    """
    script = _StartScript(work, container, variables, run, over)
    try:
        script.await_ready()
        yield
    finally:
        script.end()


class _StartScript:
    """One run of the start script; a thread of its own records it."""

    def __init__(
        self, work: Work, container: Container, variables: Mapping[str, str], run: int, over: threading.Event
    ) -> None:
        self._work, self._container, self._variables, self._run = work, container, variables, run
        self._over = over
        self._settings = work.environment.start
        self._name = work.recorder.command_started("start script", cwd=work.workdir, phase="start", run=run)
        # Named after the command: another run of the script in the same container has another.
        self._code_file = f"{HOME}/start.{self._name}"
        self._code: int | None = None
        self._fault: EngineError | None = None
        self._ready = False
        self._recorded, self._settled, self._ending = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._record, name="services", daemon=True)
        self._thread.start()

    def await_ready(self) -> None:
        """Return when the services are ready; see `services`."""
        try:
            ended, said = self._ask(self._settings.timeout if self._settings.ready else None, self._work.stop.event)
            self._work.stop.check()
            if self._fault:
                raise self._fault
            if ended.code:
                self._code = ended.code
            # A script that could not be run at all leaves no code to find in the container.
            if ended.code != 0 or (self._recorded.is_set() and self._code):
                raise self._failed(said)
            self._ready = True
        finally:
            self._settled.set()

    def end(self) -> None:
        """Record no more; what still runs is not waited for."""
        self._ending.set()
        self._thread.join()

    def _ask(self, timeout: float | None, stop: threading.Event) -> tuple[Exit, str]:
        """Wait until the services are ready or the script failed; how that ended, and what `ready` said last."""
        said = bytearray()

        def sink(_: StreamName, data: bytes) -> None:
            said.extend(data)
            del said[:-_SAID_BYTES]

        argv = ("bash", "-lc", AWAIT_SERVICES, "fumehood", self._settings.ready, self._work.workdir, self._code_file)
        ended = self._container.exec(argv, sink, env=self._variables, timeout=timeout, stop=stop)
        *tries, cut_off = bytes(said).decode("utf-8", "replace").split("\0")
        # A try that the time limit cut off may not have come to what it says of the reason.
        return ended, next((text.strip() for text in (*reversed(tries), cut_off) if text.strip()), "")

    def _failed(self, said: str) -> PhaseFailed:
        if self._code:
            self._recorded.wait(_OUTPUT_SECONDS)
        self._ending.set()
        self._recorded.wait()
        if self._code:
            why = failure(self._work, self._container, "start", self._code)
            return PhaseFailed("start", why, self._code, self._last_lines())
        why = f"the services were not ready within {self._settings.timeout:g} s"
        lines = said.splitlines()[-_LINES_TOLD:]
        told = f"`ready` said last: {lines[-1]}" if lines else "`ready` said nothing"
        tail = "\n".join((self._last_lines(), "`ready` said last:", *lines)) if lines else self._last_lines()
        return PhaseFailed("start", f"{why}; {told}", None, tail.strip())

    def _last_lines(self, *count: int) -> str:
        return self._work.recorder.last_lines(self._name, *count)

    def _record(self) -> None:
        """Record the script to its end, and tell when that comes while the agent works."""
        recorder = self._work.recorder

        def sink(stream: StreamName, data: bytes) -> None:
            recorder.output(self._name, stream, data)

        argv = ("bash", "-c", RUN_SERVICES, "fumehood", _SCRIPT, self._work.workdir, self._code_file)
        code = None
        try:
            script, env = self._settings.script.encode("utf-8", "surrogatepass"), {**self._variables, "BASH_ENV": ""}
            code = self._container.exec(argv, sink, stdin=script, env=env, stop=self._ending).code
        except EngineError as error:
            self._fault = error
        if code is not None:
            self._code = code
        killed = self._code in (None, _KILLED) and self._ended_by_us
        recorder.command_finished(self._name, self._code, "killed" if killed else None)
        self._recorded.set()
        self._settled.wait()
        lost = self._lost() if self._ready and not self._ended_by_us else ""
        if lost:
            text = f"while the agent worked, {lost}\n{self._last_lines(_LINES_TOLD)}".strip()
            recorder.emit(ev.Notice(level="warning", text=text, run=self._run))

    @property
    def _ended_by_us(self) -> bool:
        return any(event.is_set() for event in (self._ending, self._over, self._work.stop.event))

    def _lost(self) -> str:
        """What is lost now that the script's output has ended; empty when nothing is.

        A script that succeeded may have made daemons, which close its output and work on: only `ready` can tell.
        """
        try:
            if self._code:
                return failure(self._work, self._container, "start", self._code)
            if self._fault:
                raise self._fault
            ended = self._ask(_AGAIN_SECONDS, self._ending)[0] if self._settings.ready else None
        except EngineError as error:
            return f"the services were lost: {error.message}"
        gone = ended is not None and ended.code != 0 and not ended.stopped
        return "the services ended: `ready` does not succeed any more" if gone else ""
