"""One turn of codex: the app server on the host, its commands in the container, both told in one order."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

from engine import __version__
from engine.agents.base import Alive, Begun, Ended, Finished, Job, Output, Started, Yielded
from engine.agents.codex.app_server import AppServer
from engine.agents.codex.home import codex_home, variables
from engine.agents.codex.lines import Message, text
from engine.agents.codex.program import Program, tested
from engine.agents.codex.relay import Relay
from engine.agents.codex.settings import Login, Settings
from engine.agents.codex.story import Story
from engine.agents.earlier import NEVER_BEGUN, anew
from engine.agents.instructions import Instructions, project_instructions
from engine.errors import EngineError
from engine.tasks import events as ev

_INTERRUPT_SECONDS = 1.0
_REFUSED = -32601
_CLIENT = {"name": "fumehood", "title": "fumehood", "version": __version__}
# The container is the sandbox, and nobody is there to be asked.
_FREE = {"approvalPolicy": "never", "sandbox": "danger-full-access"}


async def work(job: Job, settings: Settings, program: Program, login: Login) -> AsyncIterator[Yielded]:
    """Do the job; the last thing that is yielded is an `Ended`, after which nothing of codex runs.

    Closing or cancelling this interrupts the turn first, so that its thread can be resumed.
    """
    inbox: asyncio.Queue[object] = asyncio.Queue()
    argv = (str(program.path), "app-server")
    try:
        with codex_home(job.home, settings, login):
            environ = variables(job.home, login, os.environ)
            async with (
                Relay(job.terminal, program.inside, job.home, inbox) as relay,
                AppServer(argv, environ, job.home, inbox) as server,
            ):
                turn = _Turn(job, relay, server, inbox)
                async for event in turn.events():
                    yield event
        ended = turn.ended
    except EngineError as error:
        yield ev.Error(text=error.message, kind="agent", hint=error.hint)
        ended = Ended("failed", reason=error.message)
    yield ended


class _Turn:
    """From the greeting to the end of the turn; `ended` is how it ended."""

    def __init__(self, job: Job, relay: Relay, server: AppServer, inbox: asyncio.Queue[object]) -> None:
        self._job, self._relay, self._server, self._inbox = job, relay, server, inbox
        self._story = Story(job.workdir, relay.calls)
        self._thread = ""
        self.ended = Ended("failed", reason="codex did not begin")

    async def events(self) -> AsyncIterator[Yielded]:
        """Everything but the end."""
        # Codex reads them itself; this is for the user, and done while codex starts.
        reading = asyncio.ensure_future(project_instructions(self._job.terminal, self._job.workdir))
        try:
            async for event in self._events(reading):
                yield event
        finally:
            reading.cancel()
            await asyncio.wait({reading})

    async def _events(self, reading: asyncio.Future[Instructions]) -> AsyncIterator[Yielded]:
        hello = await self._server.call(
            "initialize", {"clientInfo": _CLIENT, "capabilities": {"experimentalApi": True}}
        )
        self._server.send({"method": "initialized"})
        version = _version(text(hello, "result", "userAgent"))
        opened, prompt, notice = await self._open()
        self._thread = text(opened, "result", "thread", "id")
        yield Begun(version, text(opened, "result", "model"), self._thread)
        if not tested(version):
            told = f"codex {version or 'of an unknown version'} is not one this version of fumehood was tried with"
            yield ev.Notice(level="warning", text=f"{told}; `fumehood agent install codex` installs one that is")
        if notice:
            yield notice
        if not self._relay.ready:
            yield self._unreachable()
            return
        for found in (await reading).events():
            yield found
        asked = [{"type": "text", "text": prompt}]
        started = await self._server.call("turn/start", {"threadId": self._thread, "input": asked})
        self._story.turn = text(started, "result", "turn", "id")
        try:
            async for event in self._until_the_end():
                yield event
        finally:
            if self._story.ended is None:
                await self._interrupt()

    async def _open(self) -> tuple[Message, str, ev.Notice | None]:
        """The thread of an earlier turn, or a new one; what to ask in it, and what to tell of that."""
        job = self._job
        where = {"cwd": job.workdir, **_FREE}
        why = NEVER_BEGUN if job.before else ""
        if job.session:
            try:
                earlier = {"threadId": job.session, "excludeTurns": True}
                return await self._server.call("thread/resume", {**earlier, **where}), job.prompt, None
            except EngineError as error:
                why = error.message
        opened = await self._server.call("thread/start", where)
        return (opened, *anew(job, why)) if why else (opened, job.prompt, None)

    async def _until_the_end(self) -> AsyncIterator[Yielded]:
        while self._story.ended is None:
            match await self._inbox.get():
                case Started() | Output() | Finished() as told:
                    self._relay.taken()
                    for event in self._story.overtaken() if isinstance(told, Started) else ():
                        yield event
                    yield told
                case {"method": "thread/environment/disconnected"}:
                    yield self._unreachable()
                    return
                case dict() as message:
                    yield Alive()
                    for event in self._told(message):
                        yield event
                case None:
                    reason = self._server.last_words or "it gave no reason"
                    yield ev.Error(text=f"codex ended unexpectedly: {reason}", kind="agent")
                    self.ended = Ended("failed", reason="codex ended unexpectedly", session=self._thread)
                    return
        if self._story.ended.status == "completed" and not self._relay.ready:
            # Codex tells the model that there is no place to work in, and takes its answer for a success.
            yield self._unreachable()
            return
        self.ended = Ended(
            self._story.ended.status,
            self._story.ended.answer,
            self._story.ended.reason,
            session=self._thread,
            exit_code=self._story.ended.exit_code,
        )

    def _told(self, message: Message) -> Iterator[Yielded]:
        """A notification; or a question, which is answered by saying that nobody is there."""
        if "id" in message:
            method = text(message, "method")
            self._server.send({"id": message["id"], "error": {"code": _REFUSED, "message": "nobody is there to ask"}})
            yield ev.Notice(level="warning", text=f"codex asked for something that nobody can answer: {method}")
            return
        yield from self._story.tell(message)
        if message.get("method") == "item/completed" and text(message, "params", "item", "type") == "commandExecution":
            yield from self._relay.done(text(message, "params", "item", "id"))

    def _unreachable(self) -> ev.Error:
        reason = "codex has no way to the container"
        self.ended = Ended("failed", reason=reason, session=self._thread)
        why = f": {self._relay.trouble}" if self._relay.trouble else ""
        return ev.Error(text=f"{reason}{why}", kind="container")

    async def _interrupt(self) -> None:
        """Let codex end the turn itself and write down that it did."""
        with suppress(EngineError):
            turn = {"threadId": self._thread, "turnId": self._story.turn}
            await self._server.call("turn/interrupt", turn, _INTERRUPT_SECONDS)


def _version(user_agent: str) -> str:
    """The version in the app server's greeting, `CLIENT/VERSION (…) …`."""
    found = re.match(r"[^/ ]+/(\d[^ ]*)", user_agent)
    return found[1] if found else ""
