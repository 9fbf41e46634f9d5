"""The connection to an ACP agent: JSON-RPC, a message a line, on the input and output of a program in the container."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

from engine.agents.base import Chunk, Terminal
from engine.agents.lines import Lines, json_object
from engine.agents.parts import table, text
from engine.errors import EngineError

_LAST_WORDS = 2000

Message = dict[str, Any]


class Gone(EngineError):
    """The program has ended, or hung up."""


class Connection:
    """Runs the program within its block.

    Attributes:
        inbox: what it sends unasked, in order; None when it has ended.
        code: how it ended.
        last_words: the end of what it wrote to standard error, or of what was no message.
    """

    def __init__(self, terminal: Terminal, argv: Sequence[str], cwd: str) -> None:
        self.inbox: asyncio.Queue[Message | None] = asyncio.Queue()
        self.code: int | None = None
        self.last_words = ""
        self._terminal, self._argv, self._cwd = terminal, argv, cwd
        self._outbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._answers: dict[int, asyncio.Future[Message]] = {}
        self._asked = 0

    async def __aenter__(self) -> Connection:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._reading = asyncio.ensure_future(self._read())
        self._writing = asyncio.ensure_future(self._write())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in (self._reading, self._writing):
            task.cancel()
        await asyncio.wait({self._reading, self._writing})
        self._ours.close()
        self._theirs.close()

    def ask(self, method: str, params: Mapping[str, Any]) -> asyncio.Future[Message]:
        """Send a request; its result comes later. `EngineError` is raised there when it is an error, or never comes."""
        self._asked += 1
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._answers[self._asked] = answer
        self.send({"id": self._asked, "method": method, "params": params})
        if self._reading.done():
            self._lost()
        return answer

    def send(self, message: Message) -> None:
        """Send a message; to a program that has ended, it is lost."""
        self._outbox.put_nowait(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    async def _write(self) -> None:
        """One message after the other; a program that reads no more has ended, or is about to."""
        with suppress(OSError):
            while True:
                await asyncio.get_running_loop().sock_sendall(self._ours, await self._outbox.get())

    async def _read(self) -> None:
        lines, said = Lines(), b""
        try:
            async for item in self._terminal.run(self._argv, cwd=self._cwd, stdin=self._theirs.fileno()):
                if not isinstance(item, Chunk):
                    self.code = item.code
                elif item.stream == "err":
                    said = (said + item.data)[-_LAST_WORDS:]
                else:
                    for line in lines.feed(item.data):
                        message = json_object(line)
                        if message is None:
                            said = (said + line + b"\n")[-_LAST_WORDS:]
                        else:
                            self._take(message)
                self.last_words = said.decode("utf-8", "replace").strip()
        except EngineError as error:
            self.last_words = str(error)
        finally:
            self._lost()
            self.inbox.put_nowait(None)

    def _take(self, message: Message) -> None:
        number = message.get("id")
        if "method" in message or not isinstance(number, int):
            self.inbox.put_nowait(message)
            return
        answer = self._answers.pop(number, None)
        if answer is None or answer.done():
            return
        if "error" in message:
            told = table(message["error"])
            answer.set_exception(EngineError(text(told.get("message")) or "the agent reported a fault"))
        else:
            answer.set_result(table(message.get("result")))

    def _lost(self) -> None:
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Gone("the agent has ended"))
        self._answers.clear()
