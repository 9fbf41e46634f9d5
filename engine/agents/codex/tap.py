"""Reading along on the link between codex and its exec server: the commands of the container as they happen.

The protocol is the vendor's own and moves. So nothing here steers: what is not understood is passed over, and the
app-server's own, later account fills in (`Story.command`).
"""

from __future__ import annotations

import binascii
import shlex
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from engine.agents.base import Finished, Output, Started
from engine.agents.codex.lines import Lines, Message, items, number, text

Told = Started | Output | Finished


class Tap:
    """The commands on one link.

    Attributes:
        ready: the exec server has answered.
        calls: the tool calls whose commands were seen here.
    """

    def __init__(self, calls: dict[str, str]) -> None:
        self.ready = False
        self.calls = calls
        self._asked, self._answered = Lines(), Lines()
        self._starting: dict[object, str] = {}
        self._running: dict[str, int | None] = {}
        self._exited: set[str] = set()

    def asked(self, data: bytes) -> Iterator[Told]:
        """What codex sends to the container."""
        for message in self._asked.feed(data):
            if message.get("method") == "process/start":
                yield from self._start(message)

    def answered(self, data: bytes) -> Iterator[Told]:
        """What the container sends back."""
        for message in self._answered.feed(data):
            self.ready = self.ready or "result" in message
            process = text(message, "params", "processId")
            match message.get("method"):
                case "process/output":
                    yield from _output(process, message)
                case "process/exited" if process in self._running:
                    self._running[process] = number(message, "params", "exitCode")
                    self._exited.add(process)
                case "process/closed":
                    yield from self._finished(process)
                case None:
                    yield from self._reply(message)

    def done(self, call: str) -> Iterator[Told]:
        """Codex has what it wants of this call: its command has ended if its exit code was seen.

        Its output may stay open for long, held by what it left running.
        """
        if (process := self.calls.get(call, "")) in self._exited:
            yield from self._finished(process)

    def _finished(self, process: str) -> Iterator[Told]:
        if process in self._running:
            self._exited.discard(process)
            yield Finished(process, self._running.pop(process))

    def _start(self, message: Message) -> Iterator[Told]:
        process = text(message, "params", "processId")
        argv = [part for part in items(message, "params", "argv") if isinstance(part, str)]
        if not process or not argv:
            return
        if call := text(message, "params", "metadata", "toolCallId"):
            self.calls[call] = process
        self._running[process] = None
        self._starting[_hashable(message.get("id"))] = process
        yield Started(process, command_line(argv), folder(text(message, "params", "cwd")))

    def _reply(self, message: Message) -> Iterator[Told]:
        """A start that was refused is a command that never ran."""
        process = self._starting.pop(_hashable(message.get("id")), "")
        if process and "error" in message:
            yield Output(process, "err", text(message, "error", "message").encode("utf-8", "replace"))
            yield from self._finished(process)


def _output(process: str, message: Message) -> Iterator[Told]:
    try:
        data = binascii.a2b_base64(text(message, "params", "chunk"))
    except ValueError:
        return
    yield Output(process, "err" if text(message, "params", "stream") == "stderr" else "out", data)


def _hashable(name: object) -> object:
    return name if isinstance(name, (str, int)) else None


def command_line(argv: list[str]) -> str:
    """The shell line as the agent wrote it, out of the call of the shell that runs it."""
    shell = argv[0].rpartition("/")[2]
    if len(argv) == 3 and shell in ("bash", "sh", "zsh", "dash") and argv[1] in ("-c", "-lc"):
        return argv[2]
    return shlex.join(argv)


def folder(address: str) -> str:
    """The path of a file: URL; a path is left as it is."""
    try:
        return unquote(urlsplit(address).path) if address.startswith("file://") else address
    except ValueError:
        return address
