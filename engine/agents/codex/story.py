"""The app-server's notifications as events: messages, plan, edits, tokens, faults, the end of the turn."""

from __future__ import annotations

import re
import shlex
from collections.abc import Container, Iterator
from typing import Literal

import msgspec

from engine.agents.base import Ended, Finished, Output, Started, Yielded
from engine.agents.codex.lines import Message, at, items, number, text
from engine.agents.codex.tap import command_line
from engine.tasks import events as ev

_PLAN: dict[str, str] = {"inProgress": "in_progress", "pending": "pending", "completed": "completed"}
_KINDS: dict[str, Literal["add", "update", "delete"]] = {"add": "add", "update": "update", "delete": "delete"}
# Notifications that are for people; those about configuration and protocol are not, as these are ours.
_WARNINGS = frozenset({"warning", "guardianWarning"})
# Items that are told otherwise, or that the user knows.
_KNOWN_ITEMS = frozenset({"userMessage", "agentMessage", "reasoning", "commandExecution", "fileChange", "plan"})


class Story:
    """What one turn of a thread comes to.

    Args:
        workdir: paths of edits below it are told relative to it.
        seen: the tool calls whose commands are told by somebody who saw them run.

    Attributes:
        turn: the id of the turn; before it is known, everything counts.
        ended: how it ended, None while it runs.
    """

    def __init__(self, workdir: str, seen: Container[str]) -> None:
        self.turn = ""
        self.ended: Ended | None = None
        self._workdir = workdir.rstrip("/") + "/"
        self._seen = seen
        self._answer = ""
        self._held = False
        self._fault: object = None
        self._before: ev.Usage | None = None

    def tell(self, message: Message) -> Iterator[Yielded]:
        """The events of one notification; nothing when it is unknown, of another turn, or not made as expected."""
        for event in self._events(message):
            if not isinstance(event, (ev.Message, ev.Usage, ev.Notice)):
                yield from self.overtaken()
            yield event

    def overtaken(self) -> Iterator[Yielded]:
        """The last message, when something else follows it: it is told where it belongs. Otherwise it is the answer."""
        if self._held:
            yield ev.Message(text=self._answer)
        self._held = False

    def _events(self, message: Message) -> Iterator[Yielded]:
        method = message.get("method")
        params = at(message, "params")
        turn = text(params, "turnId") or text(params, "turn", "id")
        if self.turn and turn and turn != self.turn:
            return
        match method:
            case "item/started":
                yield from self._item_started(at(params, "item"))
            case "item/completed":
                yield from self._item_completed(at(params, "item"))
            case "turn/plan/updated":
                yield from _plan(params)
            case "thread/tokenUsage/updated":
                yield from self._usage(params)
            case "error":
                yield from self._error(params)
            case "turn/completed":
                yield from self._turn_completed(at(params, "turn"))
            case "model/rerouted":
                told = f"codex goes on with another model: {text(params, 'toModel') or 'unknown'}"
                yield ev.Notice(level="warning", text=told)
            case str() if method in _WARNINGS:
                if told := text(params, "message"):
                    yield ev.Notice(level="warning", text=told)

    def _item_started(self, item: object) -> Iterator[Yielded]:
        kind = text(item, "type")
        if kind and kind not in _KNOWN_ITEMS:
            yield ev.ToolStarted(id=text(item, "id"), name=_tool_name(item), summary=text(item, "query"))

    def _item_completed(self, item: object) -> Iterator[Yielded]:
        kind = text(item, "type")
        match kind:
            case "agentMessage":
                yield from self.overtaken()
                self._answer = text(item, "text")
                self._held = bool(self._answer)
            case "reasoning":
                parts = items(item, "summary") or items(item, "content")
                if told := "\n".join(part for part in parts if isinstance(part, str)):
                    yield ev.Reasoning(text=told)
            case "plan":
                if told := text(item, "text"):
                    yield ev.Message(text=told)
            case "fileChange":
                yield from self._file_change(item)
            case "commandExecution":
                yield from self._command(item)
            case "" | "userMessage":
                return
            case _:
                ok = text(item, "status") not in ("failed", "declined") and at(item, "error") is None
                yield ev.ToolFinished(id=text(item, "id"), ok=ok)

    def _file_change(self, item: object) -> Iterator[Yielded]:
        if text(item, "status") not in ("completed", ""):
            return
        for change in items(item, "changes"):
            path, kind = text(change, "path"), text(change, "kind", "type") or text(change, "kind")
            if path:
                yield ev.FileChanged(path=path.removeprefix(self._workdir), kind=_KINDS.get(kind, "update"))
            if moved := text(change, "kind", "move_path"):
                yield ev.FileChanged(path=moved.removeprefix(self._workdir), kind="add")

    def _command(self, item: object) -> Iterator[Yielded]:
        """A command that nobody saw run is told at its end, as codex has it."""
        name = text(item, "id")
        if not name or name in self._seen:
            return
        try:
            argv = shlex.split(text(item, "command"))
        except ValueError:
            argv = []
        yield Started(name, command_line(argv) if argv else text(item, "command"), text(item, "cwd"))
        if output := text(item, "aggregatedOutput"):
            yield Output(name, "out", output.encode("utf-8", "replace"))
        code = number(item, "exitCode")
        # Codex has numbers below zero for commands whose end it did not see.
        yield Finished(name, code if code is not None and code >= 0 else None)

    def _usage(self, params: object) -> Iterator[Yielded]:
        """Codex counts over the thread, resumed ones included; an event is about this run."""
        total, last = at(params, "tokenUsage", "total"), at(params, "tokenUsage", "last")
        now = _tokens(total)
        if self._before is None:
            self._before = _minus(now, _tokens(last))
        yield _minus(now, self._before)

    def _error(self, params: object) -> Iterator[Yielded]:
        error = at(params, "error")
        if at(params, "willRetry") is True:
            told = ": ".join(filter(None, (text(error, "message"), text(error, "additionalDetails"))))
            yield ev.Notice(level="warning", text=told or "the model could not be reached, codex tries again")
        else:
            self._fault = error

    def _turn_completed(self, turn: object) -> Iterator[Yielded]:
        status = text(turn, "status")
        if status == "completed":
            self.ended = Ended("completed", answer=self._answer, exit_code=0)
            return
        yield from self.overtaken()
        if status == "interrupted":
            self.ended = Ended("failed", reason="codex was interrupted")
            return
        fault = at(turn, "error") or self._fault
        reason = text(fault, "message") or "codex gave no reason"
        yield model_error(fault, reason)
        self.ended = Ended("failed", reason=reason)


def model_error(fault: object, reason: str) -> ev.Error:
    """Whose fault it is that a turn failed, and what to do."""
    info = at(fault, "codexErrorInfo")
    statuses = [number(value, "httpStatusCode") for value in info.values()] if isinstance(info, dict) else []
    if info == "unauthorized" or 401 in statuses or re.search(r"\b401\b", reason):
        return ev.Error(text=reason, kind="auth", hint="is the key right, and for this endpoint? see [agent] options")
    hint = {
        "contextWindowExceeded": "give it a smaller piece of work",
        "usageLimitExceeded": "wait until the limit of your account is over, or use another key",
        "modelNotFound": "see model in [agent] options",
    }.get(info if isinstance(info, str) else "", "")
    return ev.Error(text=reason, kind="model", hint=hint)


def _plan(params: object) -> Iterator[Yielded]:
    steps = [(text(step, "step"), _PLAN.get(text(step, "status"), "pending")) for step in items(params, "plan")]
    if steps:
        yield ev.Plan(items=steps)


def _tool_name(item: object) -> str:
    names = (text(item, "server"), text(item, "tool") or text(item, "name"))
    return " ".join(filter(None, names)) or text(item, "type")


def _tokens(count: object) -> ev.Usage:
    def of(name: str) -> int:
        return number(count, name) or 0

    return ev.Usage(
        input=of("inputTokens"),
        cached=of("cachedInputTokens"),
        output=of("outputTokens"),
        reasoning=of("reasoningOutputTokens"),
    )


def _minus(one: ev.Usage, other: ev.Usage) -> ev.Usage:
    names = ("input", "cached", "output", "reasoning")
    return msgspec.structs.replace(one, **{name: max(0, getattr(one, name) - getattr(other, name)) for name in names})
