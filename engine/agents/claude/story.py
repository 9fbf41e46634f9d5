"""What claude streams, told as the events of every agent. All of it comes from the container: text, and never more."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any, Literal

from engine.agents.base import Begun, Ended, Finished, Output, Started, Yielded
from engine.agents.parts import count, items, table, text
from engine.tasks import events as ev

_SHELL = "Bash"
_PLAN = "TodoWrite"
_EDITS: dict[str, Literal["add", "update"]] = {
    "Write": "add",
    "Edit": "update",
    "MultiEdit": "update",
    "NotebookEdit": "update",
}
_EXIT = re.compile(r"Exit code ([0-9]{1,3})(?:\n|$)")
_SHOWN = 200


class Story:
    """The turn as far as it was told; `tell` takes a line, `end` what came after the last."""

    def __init__(self, workdir: str) -> None:
        self._workdir = workdir
        self._open: dict[str, tuple[str, str]] = {}
        self._said = ""
        self._session = ""
        self._used: dict[str, ev.Usage] = {}
        self._result: dict[str, Any] | None = None

    def tell(self, event: dict[str, Any] | None, line: bytes) -> Iterator[Yielded]:
        """What a line of the stream means; one that is no event is shown as it is."""
        if event is None:
            yield ev.Notice(level="info", text=f"claude: {line[:_SHOWN].decode('utf-8', 'replace')}")
            return
        content = items(table(event.get("message")).get("content"))
        match event.get("type"):
            case "system":
                yield from self._system(event)
            case "assistant":
                for block in content:
                    yield from self._spoken(block)
                yield from self._usage(table(event.get("message")))
            case "user":
                for block in content:
                    if block.get("type") == "tool_result":
                        yield from self._done(block)
            case "result":
                self._result = event
                self._session = text(event.get("session_id")) or self._session
            case _:
                pass

    def end(self, code: int | None, last_words: str) -> Iterator[Yielded]:
        """The end of the turn, from its result and how the program ended."""
        result = self._result
        if result is None:
            yield from self._message()
            reason = f"claude ended without a result ({'stopped' if code is None else f'exit code {code}'})"
            yield ev.Error(text=f"{reason}{f': {last_words}' if last_words else ''}", kind="agent")
            yield Ended("failed", reason=reason, session=self._session, exit_code=code)
            return
        answer = text(result.get("result"))
        if self._said != answer:
            yield from self._message()
        cost = result.get("total_cost_usd")
        usage = _usage(table(result.get("usage")))
        yield ev.Usage(
            input=usage.input,
            cached=usage.cached,
            output=usage.output,
            cost_usd=float(cost) if isinstance(cost, (int, float)) and 0 <= cost < 1e9 else None,
            scope="run",
        )
        if result.get("is_error") is False:
            yield Ended("completed", answer, session=self._session, exit_code=code)
            return
        reason = answer or text(result.get("subtype")) or "claude reported a fault"
        refused = re.search(r"\b40[13]\b|authentication|API key", reason) is not None
        hint = "the provider refuses the key: see option key_env" if refused else ""
        yield ev.Error(text=f"claude: {reason}", kind="auth" if refused else "model", hint=hint)
        yield Ended("failed", reason=reason, session=self._session, exit_code=code)

    def _system(self, event: dict[str, Any]) -> Iterator[Yielded]:
        if event.get("subtype") == "init" and not self._session:
            self._session = text(event.get("session_id"))
            yield Begun(text(event.get("claude_code_version")), text(event.get("model")), self._session)
        elif event.get("subtype") == "api_retry":
            yield ev.Notice(level="warning", text="the model did not answer: claude asks again")

    def _message(self) -> Iterator[Yielded]:
        """What was said last, once it is known that it is not the answer."""
        said, self._said = self._said, ""
        if said.strip():
            yield ev.Message(text=said)

    def _spoken(self, block: dict[str, Any]) -> Iterator[Yielded]:
        yield from self._message()
        match block.get("type"):
            case "text":
                self._said = text(block.get("text"))
            case "thinking":
                yield ev.Reasoning(text=text(block.get("thinking")))
            case "tool_use":
                yield from self._called(text(block.get("id")), text(block.get("name")), table(block.get("input")))
            case _:
                pass

    def _called(self, key: str, name: str, given: dict[str, Any]) -> Iterator[Yielded]:
        path = text(given.get("file_path")) or text(given.get("notebook_path"))
        self._open[key] = (name, path)
        if name == _SHELL:
            yield Started(key, text(given.get("command")), self._workdir)
        elif name == _PLAN:
            todos = items(given.get("todos"))
            yield ev.Plan(items=[(text(todo.get("content")), text(todo.get("status"))) for todo in todos])
        elif name not in _EDITS:
            told = path or next((text(value) for value in given.values() if text(value)), "")
            yield ev.ToolStarted(id=key, name=name, summary=told[:_SHOWN])

    def _done(self, block: dict[str, Any]) -> Iterator[Yielded]:
        key = text(block.get("tool_use_id"))
        name, path = self._open.pop(key, ("", ""))
        content, failed = block.get("content"), block.get("is_error") is True
        printed = text(content) or "\n".join(text(part.get("text")) for part in items(content))
        if name == _SHELL:
            code: int | None = None if failed else 0
            if failed and (found := _EXIT.match(printed)):
                code, printed = int(found[1]), printed[found.end() :]
            if printed:
                yield Output(key, "out", f"{printed}\n".encode())
            yield Finished(key, code, "failed" if failed else "completed")
        elif name in _EDITS:
            if not failed and path:
                yield ev.FileChanged(path=posixpath.relpath(path, self._workdir), kind=_EDITS[name])
        elif name and name != _PLAN:
            yield ev.ToolFinished(id=key, ok=not failed, summary=printed[:_SHOWN] if failed else "")

    def _usage(self, message: dict[str, Any]) -> Iterator[Yielded]:
        """The sum so far; one message may come in several events, which repeat its numbers."""
        told = table(message.get("usage"))
        if not told:
            return
        self._used[text(message.get("id"))] = _usage(told)
        used = self._used.values()
        total = (sum(u.input for u in used), sum(u.cached for u in used), sum(u.output for u in used))
        yield ev.Usage(input=total[0], cached=total[1], output=total[2], scope="run")


def _usage(told: dict[str, Any]) -> ev.Usage:
    cached, written = (count(told.get(f"cache_{kind}_input_tokens")) for kind in ("read", "creation"))
    given = count(told.get("input_tokens")) + cached + written
    return ev.Usage(input=given, cached=cached, output=count(told.get("output_tokens")))
