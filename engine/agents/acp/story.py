"""What an ACP agent tells of its turn, as the events of every agent. All of it comes from the container."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any, Literal

from engine.agents.base import Finished, Output, Started, Yielded
from engine.agents.parts import items, table, text
from engine.tasks import events as ev

_OVER = frozenset({"completed", "failed"})
_CHANGES: dict[str, Literal["update", "delete"]] = {"edit": "update", "move": "update", "delete": "delete"}
_SHOWN = 200


class _Call:
    """A tool call under way; what it printed so far is told again with each update."""

    def __init__(self, kind: str, title: str) -> None:
        self.kind, self.title = kind, title
        self.started = False
        self.printed = ""
        self.paths: list[str] = []


class Story:
    """The turn as far as it was told; `answer` is what was said last."""

    def __init__(self, workdir: str) -> None:
        self.answer = ""
        self._workdir = workdir
        self._thought = ""
        self._calls: dict[str, _Call] = {}

    def tell(self, update: dict[str, Any]) -> Iterator[Yielded]:
        """What an update of the session means."""
        match update.get("sessionUpdate"):
            case "agent_message_chunk":
                yield from self._reasoning()
                self.answer += text(table(update.get("content")).get("text"))
            case "agent_thought_chunk":
                yield from self._message()
                self._thought += text(table(update.get("content")).get("text"))
            case "tool_call":
                yield from self._message()
                yield from self._reasoning()
                yield from self._begun(update)
                yield from self._moved(update)
            case "tool_call_update":
                yield from self._moved(update)
            case "plan":
                entries = items(update.get("entries"))
                yield ev.Plan(items=[(text(entry.get("content")), text(entry.get("status"))) for entry in entries])
            case _:
                pass

    def end(self) -> Iterator[Yielded]:
        """What is still to be told, but the answer."""
        yield from self._reasoning()

    def _message(self) -> Iterator[Yielded]:
        said, self.answer = self.answer, ""
        if said.strip():
            yield ev.Message(text=said)

    def _reasoning(self) -> Iterator[Yielded]:
        thought, self._thought = self._thought, ""
        if thought.strip():
            yield ev.Reasoning(text=thought)

    def _begun(self, update: dict[str, Any]) -> Iterator[Yielded]:
        key, kind, title = (text(update.get(name)) for name in ("toolCallId", "kind", "title"))
        if key in self._calls:
            return
        self._calls[key] = _Call(kind, title)
        if kind != "execute" and kind not in _CHANGES:
            yield ev.ToolStarted(id=key, name=kind or "tool", summary=title[:_SHOWN])

    def _moved(self, update: dict[str, Any]) -> Iterator[Yielded]:
        key = text(update.get("toolCallId"))
        call = self._calls.get(key)
        if call is None:
            return
        contents = items(update.get("content"))
        status = text(update.get("status"))
        over = status in _OVER
        if call.kind == "execute" and not call.started:
            # Some tell the command only when it runs, or never.
            line = _command(update) or (call.title or "a command" if over or contents else "")
            if line:
                call.started = True
                yield Started(key, line, self._workdir)
        paths = [text(part.get("path")) for part in (*contents, *items(update.get("locations")))]
        call.paths = [path for path in paths if path] or call.paths
        printed = "".join(text(table(part.get("content")).get("text")) for part in contents)
        if call.kind == "execute" and printed != call.printed:
            new = printed.removeprefix(call.printed) if printed.startswith(call.printed) else printed
            call.printed = printed
            if new:
                yield Output(key, "out", new.encode())
        if over:
            del self._calls[key]
            yield from self._over(key, call, table(update.get("rawOutput")), failed=status == "failed")

    def _over(self, key: str, call: _Call, raw: dict[str, Any], *, failed: bool) -> Iterator[Yielded]:
        if call.kind == "execute":
            # The protocol has no place for it; this is where agents put it.
            places = (raw, table(raw.get("metadata")))
            codes = [place.get(name) for place in places for name in ("exitCode", "exit_code", "exit")]
            code = next((code for code in codes if isinstance(code, int) and not isinstance(code, bool)), None)
            code = code if code is not None and -1 <= code <= 255 else None
            went_wrong = failed or bool(code)
            yield Finished(key, code, "failed" if went_wrong else "completed")
        elif call.kind in _CHANGES:
            for path in dict.fromkeys(() if failed else call.paths):
                shown = posixpath.relpath(path, self._workdir) if path.startswith("/") else path
                yield ev.FileChanged(path=shown, kind=_CHANGES[call.kind])
        else:
            yield ev.ToolFinished(id=key, ok=not failed)


def _command(update: dict[str, Any]) -> str:
    """The command line of a call, which some give as a line, some as the words of it; empty when it is not told."""
    command = table(update.get("rawInput")).get("command")
    return " ".join(map(text, command)) if isinstance(command, list) else text(command)
