"""Driving an adapter: its events are recorded, its commands numbered, its time limited; one `Ended` comes out."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import cast

from engine.agents.base import Agent, Alive, Begun, Chunk, Ended, Exit, Finished, Job, Output, Started, Yielded
from engine.agents.limits import Watch
from engine.containers.container import Container
from engine.containers.execution import StreamName
from engine.containers.processes import end_since
from engine.errors import Cancelled, EngineError
from engine.tasks import events as ev
from engine.tasks.recorder import Recorder, restamped

_CHUNKS_WAITING = 64
_POLL = 0.1
_GRACE = 5.0


class ContainerTerminal:
    """The agent's way into its container; a thread a command, never more output in memory than it can take."""

    def __init__(self, container: Container, stop: threading.Event, variables: Mapping[str, str] | None = None) -> None:
        self._container = container
        self._stop = stop
        self._variables = variables or {}

    async def run(
        self, argv: Sequence[str], *, cwd: str = "", env: Mapping[str, str] | None = None, stdin: bytes | int = b""
    ) -> AsyncIterator[Chunk | Exit]:
        """See `engine.agents.base.Terminal`."""
        loop = asyncio.get_running_loop()
        variables = {**self._variables, **(env or {})}
        queue: asyncio.Queue[Chunk | Exit | EngineError] = asyncio.Queue()
        room = threading.Semaphore(_CHUNKS_WAITING)
        gone = threading.Event()
        # The thread may go on when this has ended, and the caller has closed what it gave.
        given = os.dup(stdin) if isinstance(stdin, int) else stdin

        def put(item: Chunk | Exit | EngineError) -> None:
            if not gone.is_set():
                loop.call_soon_threadsafe(queue.put_nowait, item)

        def sink(stream: StreamName, data: bytes) -> None:
            while not gone.is_set() and not room.acquire(timeout=_POLL):
                if self._stop.is_set():
                    return
            put(Chunk(stream, data))

        def work() -> None:
            try:
                ended = self._container.exec(argv, sink, cwd=cwd, env=variables, stdin=given, stop=self._stop)
                put(Exit(ended.code))
            except EngineError as error:
                put(error)
            finally:
                if isinstance(given, int):
                    os.close(given)

        threading.Thread(target=work, name="command", daemon=True).start()
        try:
            while True:
                item = await queue.get()
                if isinstance(item, EngineError):
                    raise item
                room.release()
                yield item
                if isinstance(item, Exit):
                    return
        finally:
            gone.set()


def drive(
    agent: Agent,
    job: Job,
    recorder: Recorder,
    *,
    run: int,
    watch: Watch,
    container: Container,
    stop: threading.Event,
) -> Ended:
    """Let the agent do its job, within its limits.

    An agent that reached one is asked to end. What it started in the container is then ended, after five seconds
    whatever it does; if processes withstand that, the container is restarted. Nothing of it runs on (SPEC A4).

    Returns:
        How it ended: `limit` with the reason when that was a limit.

    Raises:
        Cancelled: `stop` was set. Processes of the agent may still run; the container is about to be removed.
        EngineError: the container went away.
    """
    turn = _Turn(agent, job, recorder, run, watch)
    try:
        return asyncio.run(_drive(turn, container, stop))
    finally:
        turn.begin(Begun())


class _Turn:
    """One turn of an adapter, being recorded."""

    def __init__(self, agent: Agent, job: Job, recorder: Recorder, run: int, watch: Watch) -> None:
        self.agent, self.job, self.recorder, self.run, self.watch = agent, job, recorder, run, watch
        self.session = job.session
        self._begun = False
        self._names: dict[str, str] = {}

    async def consume(self) -> Ended:
        """Record what the adapter yields; one that ends without `Ended` has failed."""
        started = cast("AsyncGenerator[Yielded, None]", self.agent.start(self.job))
        async with aclosing(started) as stream:
            async for item in stream:
                self.begin(item if isinstance(item, Begun) else Begun())
                if isinstance(item, Ended):
                    return item
                self.watch.saw(item)
                self._record(item)
                if self.watch.reached:
                    # It goes no further; `_drive` sees why, and cancels this.
                    await asyncio.Event().wait()
        return Ended("failed", reason=f"agent {self.agent.name} ended without a result", session=self.session)

    def begin(self, told: Begun) -> None:
        """Journal the beginning, once; everything else of the turn comes after it."""
        if self._begun:
            return
        self._begun = True
        self.session = told.session or self.session
        self.recorder.emit(
            ev.RunStarted(
                agent=self.agent.name,
                prompt=self.job.prompt,
                turn=self.job.turn,
                version=told.version,
                model=told.model,
                session=told.session,
                where=self.agent.capabilities.where,
                run=self.run,
            )
        )

    def notice(self, text: str) -> None:
        """Tell a step of ending the agent."""
        self.recorder.emit(ev.Notice(level="warning", text=text, run=self.run))

    def _record(self, item: Yielded) -> None:
        names, recorder = self._names, self.recorder
        match item:
            case Started():
                names[item.key] = recorder.command_started(item.command, cwd=item.cwd, phase="agent", run=self.run)
            case Output():
                if item.key in names:
                    recorder.output(names[item.key], item.stream, item.data)
            case Finished():
                if item.key in names:
                    recorder.command_finished(names.pop(item.key), item.exit_code, item.status)
            case Begun() | Ended() | Alive():
                return
            case _:
                recorder.emit(restamped(item, self.run))


async def _drive(turn: _Turn, container: Container, stop: threading.Event) -> Ended:
    started = time.monotonic()
    work = asyncio.ensure_future(turn.consume())
    while not work.done() and not stop.is_set() and not turn.watch.look():
        await asyncio.wait({work}, timeout=_POLL)
    if stop.is_set():
        await _cancelled(work)
        turn.recorder.close_agent_commands(turn.run, "killed")
        raise Cancelled("the task was cancelled")
    if work.done():
        turn.recorder.close_agent_commands(turn.run, "lost")
        return work.result()
    reason = turn.watch.reached
    turn.begin(Begun())
    turn.notice(f"the agent is stopped: {reason}")
    if not await _cancelled(work, _GRACE):
        turn.notice(f"the agent did not end within {_GRACE:g} s")
    await asyncio.to_thread(_end_processes, turn, container, started)
    await _cancelled(work)
    turn.recorder.close_agent_commands(turn.run, "timeout" if turn.watch.late else "killed")
    return Ended("limit", reason=reason, session=turn.session)


async def _cancelled(work: asyncio.Future[Ended], seconds: float | None = None) -> bool:
    """Ask the adapter to end, and wait for it; whether it has. What it says or raises at its end is of no interest."""
    work.cancel()
    await asyncio.wait({work}, timeout=seconds)
    if work.done() and not work.cancelled():
        work.exception()
    return work.done()


def _end_processes(turn: _Turn, container: Container, started: float) -> None:
    try:
        left = end_since(container, started)
    except EngineError as error:
        turn.notice(f"the agent's processes cannot be ended one by one: {error.message}")
        left = 1
    if left:
        turn.notice("processes of the agent go on running: its container is restarted")
        container.restart()
