"""`codex app-server`: a process of the host that is spoken to in JSON-RPC, a line each."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from engine.agents.codex.lines import Lines, Message, text
from engine.errors import EngineError

# The time a call has, the time to end after being told to.
CALL_SECONDS = 60.0
_END_SECONDS = 1.0
_BLOCK = 1 << 16
_STDERR_KEPT = 2000


class AppServer:
    """Runs while its block runs; afterwards the process and its children are gone.

    Args:
        inbox: gets notifications and requests of the server, in order; None when it has ended.
    """

    def __init__(
        self, argv: Sequence[str], environ: Mapping[str, str], folder: Path, inbox: asyncio.Queue[object]
    ) -> None:
        self._inbox = inbox
        self._argv, self._environ, self._folder = argv, environ, folder
        self._number = 0
        self._answers: dict[int, asyncio.Future[Message]] = {}
        self._last_words = b""

    async def __aenter__(self) -> AppServer:
        pipe = asyncio.subprocess.PIPE
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                env=dict(self._environ),
                cwd=self._folder,
                start_new_session=True,
            )
        except OSError as error:
            raise EngineError(f"cannot start {self._argv[0]}: {error.strerror}", "see `fumehood agent list`") from error
        self._readers = [asyncio.ensure_future(self._read()), asyncio.ensure_future(self._read_errors())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it: by closing its input, else by force."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _END_SECONDS)
        except TimeoutError:
            pass
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            for reader in self._readers:
                reader.cancel()
        await self._process.wait()

    async def call(self, method: str, params: Message, seconds: float = CALL_SECONDS) -> Message:
        """Ask for something and wait for the result.

        Raises:
            EngineError: it refuses, ends, or does not answer in time.
        """
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        self.send({"id": self._number, "method": method, "params": params})
        try:
            message: Message = await asyncio.wait_for(answer, seconds)
        except TimeoutError:
            raise EngineError(f"codex did not answer {method} within {seconds:g} s") from None
        if "error" in message:
            raise EngineError(f"codex refused {method}: {text(message, 'error', 'message') or 'no reason given'}")
        return message

    def send(self, message: Message) -> None:
        """Send a message that wants no answer; nothing happens when nobody reads it any more."""
        assert self._process.stdin is not None
        if not self._process.stdin.is_closing():
            self._process.stdin.write(json.dumps(message).encode() + b"\n")

    @property
    def last_words(self) -> str:
        """The last line that it printed to standard error."""
        lines = self._last_words.decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    async def _read(self) -> None:
        assert self._process.stdout is not None
        lines = Lines()
        while data := await self._process.stdout.read(_BLOCK):
            for message in lines.feed(data):
                number = message.get("id")
                if "method" in message:
                    self._inbox.put_nowait(message)
                elif isinstance(number, int) and (answer := self._answers.pop(number, None)) and not answer.done():
                    answer.set_result(message)
        ended = EngineError(f"codex ended unexpectedly: {self.last_words or 'it gave no reason'}")
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ended)
        self._inbox.put_nowait(None)

    async def _read_errors(self) -> None:
        assert self._process.stderr is not None
        while data := await self._process.stderr.read(_BLOCK):
            self._last_words = (self._last_words + data)[-_STDERR_KEPT:]
