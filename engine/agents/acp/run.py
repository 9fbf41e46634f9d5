"""One turn of an ACP agent: greeted, given the prompt, listened to, and cancelled when it is to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

from engine import __version__
from engine.agents.acp import INSIDE
from engine.agents.acp.connection import Connection, Message
from engine.agents.acp.story import Story
from engine.agents.base import Alive, Begun, Ended, Job, Yielded
from engine.agents.earlier import NEVER_BEGUN, anew
from engine.agents.instructions import project_instructions
from engine.agents.parts import items, table, text
from engine.errors import EngineError
from engine.tasks import events as ev

_PROTOCOL = 1
_CANCEL_SECONDS = 4.0
_NOT_OFFERED = -32601
_HELLO = {
    "protocolVersion": _PROTOCOL,
    "clientCapabilities": {"fs": {"readTextFile": False, "writeTextFile": False}, "terminal": False},
    "clientInfo": {"name": "fumehood", "version": __version__},
}


async def work(job: Job) -> AsyncIterator[Yielded]:
    """Do the job; the last thing that is yielded is an `Ended`."""
    found = await project_instructions(job.terminal, job.workdir)
    # A login shell, as commands of agents have: setup may have put the program on its path, before the installed one.
    argv = ["bash", "-lc", f'PATH=$PATH:{INSIDE} exec "$@"', "acp", *job.settings.get("command", ())]
    async with Connection(job.terminal, argv, job.workdir) as connection:
        turn = _Turn(job, connection)
        try:
            async for event in turn.events(found.text):
                yield event
                if isinstance(event, Begun):
                    for told in found.events():
                        yield told
            ended = turn.ended
        except EngineError as error:
            words = f": {connection.last_words}" if connection.last_words else ""
            code = f" (exit code {connection.code})" if connection.code is not None else ""
            yield ev.Error(text=f"{error.message}{code}{words}", kind="agent")
            ended = Ended("failed", reason=f"{error.message}{code}", session=turn.session, exit_code=connection.code)
        yield ended


class _Turn:
    """From the greeting to the end of the turn; `ended` is how it ended."""

    def __init__(self, job: Job, connection: Connection) -> None:
        self.session = ""
        self.ended = Ended("failed", reason="the agent did not begin")
        self._job, self._connection = job, connection
        self._story = Story(job.workdir)

    async def events(self, instructions: str) -> AsyncIterator[Yielded]:
        """Everything but the end."""
        hello = await self._connection.ask("initialize", _HELLO)
        self.session, why = await self._open(hello)
        told = table(hello.get("agentInfo"))
        yield Begun(version=text(told.get("version")), session=self.session)
        prompt = self._job.prompt
        if why:
            prompt, notice = anew(self._job, why)
            yield notice
        if instructions and (why or not self._job.session):
            prompt += f"\n\nThe project's instructions for agents:\n\n{instructions}"
        blocks = [{"type": "text", "text": prompt}]
        answer = self._connection.ask("session/prompt", {"sessionId": self.session, "prompt": blocks})
        try:
            async for message in self._until(answer):
                yield Alive()
                for event in self._told(message):
                    yield event
        finally:
            if not answer.done():
                await self._cancel(answer)
        for event in self._story.end():
            yield event
        self.ended = self._outcome(text(answer.result().get("stopReason")))

    async def _open(self, hello: Message) -> tuple[str, str]:
        """The session of an earlier turn if the agent can take one up, else a new one and why."""
        where: dict[str, Any] = {"cwd": self._job.workdir, "mcpServers": []}
        why = NEVER_BEGUN if self._job.before else ""
        if self._job.session:
            try:
                if table(hello.get("agentCapabilities")).get("loadSession") is not True:
                    raise EngineError("this agent cannot take up a session")
                await self._connection.ask("session/load", {"sessionId": self._job.session, **where})
            except EngineError as error:
                why = error.message
            else:
                # It has told the earlier turns again; they are in the journal already.
                while not self._connection.inbox.empty():
                    self._connection.inbox.get_nowait()
                return self._job.session, ""
        made = await self._connection.ask("session/new", where)
        return text(made.get("sessionId")), why

    async def _until(self, answer: asyncio.Future[Message]) -> AsyncIterator[Message]:
        """What comes before the answer. It is taken as told when all that was sent before it is."""
        inbox = self._connection.inbox
        while True:
            if inbox.empty():
                if answer.done():
                    return
                waiting = asyncio.ensure_future(inbox.get())
                both: list[asyncio.Future[Any]] = [waiting, answer]
                try:
                    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                    if not waiting.done():
                        continue
                    message = waiting.result()
                finally:
                    waiting.cancel()
            else:
                message = inbox.get_nowait()
            if message is None:
                return
            yield message

    def _told(self, message: Message) -> Iterator[Yielded]:
        method, params = text(message.get("method")), table(message.get("params"))
        if method == "session/update":
            if text(params.get("sessionId")) == self.session:
                yield from self._story.tell(table(params.get("update")))
        elif method == "session/request_permission" and "id" in message:
            self._connection.send({"id": message["id"], "result": {"outcome": _permission(params)}})
        elif "id" in message:
            refusal = {"code": _NOT_OFFERED, "message": f"{method} is not offered"}
            self._connection.send({"id": message["id"], "error": refusal})

    async def _cancel(self, answer: asyncio.Future[Message]) -> None:
        self._connection.send({"method": "session/cancel", "params": {"sessionId": self.session}})
        with suppress(EngineError, TimeoutError):
            await asyncio.wait_for(answer, _CANCEL_SECONDS)

    def _outcome(self, reason: str) -> Ended:
        said = self._story.answer.strip()
        if reason == "end_turn":
            return Ended("completed", said, session=self.session, exit_code=0)
        if reason in ("max_tokens", "max_turn_requests"):
            return Ended("limit", said, reason=f"it reached a limit of its own ({reason})", session=self.session)
        return Ended("failed", said, reason=f"the agent stopped: {reason or 'no reason given'}", session=self.session)


def _permission(params: dict[str, Any]) -> dict[str, str]:
    """Leave to do it: the container is the wall. Where no leave is offered, the question is taken back."""
    offered = items(params.get("options"))
    for kind in ("allow_always", "allow_once"):
        for option in offered:
            if option.get("kind") == kind:
                return {"outcome": "selected", "optionId": text(option.get("optionId"))}
    return {"outcome": "cancelled"}
