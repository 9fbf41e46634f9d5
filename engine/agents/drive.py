"""Driving an adapter: its events are recorded, its commands numbered, its time limited; one `Ended` comes out."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from engine.agents.base import Agent, Begun, Chunk, Ended, Exit, Finished, Job, Output, Started, Yielded
from engine.containers.container import Container
from engine.containers.execution import StreamName
from engine.errors import Cancelled, EngineError
from engine.tasks import events as ev
from engine.tasks.recorder import Recorder, restamped

_CHUNKS_WAITING = 64
_POLL = 0.1


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
    time_limit: float,
    stop: threading.Event,
    exceeded: Callable[[], str] = lambda: "",
) -> tuple[Ended, bool]:
    """Let the agent do its job.

    Args:
        exceeded: says which other limit it has passed, as the end of a sentence; empty while it has not.

    Returns:
        How it ended, and whether that was a limit of ours. Processes of a limited or cancelled agent may still
        run in the container: ending them is the caller's.

    Raises:
        Cancelled: `stop` was set.
        EngineError: the container went away.
    """
    return asyncio.run(_drive(agent, job, recorder, run, time_limit, stop, exceeded))


async def _drive(
    agent: Agent,
    job: Job,
    recorder: Recorder,
    run: int,
    time_limit: float,
    stop: threading.Event,
    exceeded: Callable[[], str],
) -> tuple[Ended, bool]:
    work = asyncio.ensure_future(_consume(agent, job, recorder, run))
    deadline = asyncio.get_running_loop().time() + time_limit
    while not work.done():
        await asyncio.wait({work}, timeout=_POLL)
        late = asyncio.get_running_loop().time() >= deadline
        passed = exceeded()
        if not work.done() and (late or passed or stop.is_set()):
            work.cancel()
            await asyncio.wait({work})
            recorder.close_agent_commands(run, "timeout" if late and not stop.is_set() else "killed")
            if stop.is_set():
                raise Cancelled("the task was cancelled")
            reason = f"stopped at its time limit of {time_limit:g} s" if late else f"stopped: it {passed}"
            return Ended("failed", reason=reason), True
    if stop.is_set():
        recorder.close_agent_commands(run, "killed")
        raise Cancelled("the task was cancelled")
    recorder.close_agent_commands(run, "lost")
    return work.result(), False


async def _consume(agent: Agent, job: Job, recorder: Recorder, run: int) -> Ended:
    """Record what the adapter yields; an adapter that ends without `Ended` has failed."""
    names: dict[str, str] = {}
    begun = False

    def begin(what: Begun) -> None:
        where = agent.capabilities.where
        told = ev.RunStarted(
            agent=agent.name,
            prompt=job.prompt,
            turn=job.turn,
            version=what.version,
            model=what.model,
            session=what.session,
            where=where,
            run=run,
        )
        recorder.emit(told)

    try:
        async for item in agent.start(job):
            if not begun:
                begun = True
                begin(item if isinstance(item, Begun) else Begun())
            if isinstance(item, Ended):
                return item
            _record(item, names, recorder, run)
    finally:
        if not begun:
            begin(Begun())
    return Ended("failed", reason=f"agent {agent.name} ended without a result")


def _record(item: Yielded, names: dict[str, str], recorder: Recorder, run: int) -> None:
    match item:
        case Started():
            names[item.key] = recorder.command_started(item.command, cwd=item.cwd, phase="agent", run=run)
        case Output():
            if item.key in names:
                recorder.output(names[item.key], item.stream, item.data)
        case Finished():
            if item.key in names:
                recorder.command_finished(names.pop(item.key), item.exit_code)
        case Begun() | Ended():
            return
        case _:
            recorder.emit(restamped(item, run))
