"""Chat Completions: what OpenAI began, and most servers speak."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, field

from engine.agents.loop.conversation import Answer, Said, Turn, User
from engine.agents.loop.wire import BASH, DESCRIPTION, PARAMETERS, Body, OpenAI, call, reported
from engine.agents.parts import count, items, table, text
from engine.tasks import events as ev


class Chat(OpenAI):
    """`POST /chat/completions`."""

    path = "/chat/completions"

    def body(self, model: str, system: str, turns: Sequence[Turn]) -> Body:
        """See `Wire`."""
        tool = {"name": BASH, "description": DESCRIPTION, "parameters": PARAMETERS}
        return {
            "model": model,
            "messages": [{"role": "system", "content": system}, *(m for turn in turns for m in _messages(turn))],
            "tools": [{"type": "function", "function": tool}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }

    def reader(self) -> ChatReader:
        """See `Wire`."""
        return ChatReader()


def _messages(turn: Turn) -> list[dict[str, Any]]:
    if isinstance(turn, User):
        return [{"role": "user", "content": turn.text}]
    if not isinstance(turn, Answer):
        return [{"role": "tool", "tool_call_id": result.call, "content": result.text} for result in turn.results]
    message: dict[str, Any] = {"role": "assistant", "content": turn.text}
    if turn.calls:
        message["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}} for c in turn.calls
        ]
    return [message]


class _Parts(Struct):
    """A call as far as it has come."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class ChatReader:
    """Folds chunks; the parts of a call belong together by their index, or else follow each other."""

    def __init__(self) -> None:
        self.done = False
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, _Parts] = {}
        self._finish = ""
        self._usage = ev.Usage(scope="step")

    def feed(self, event: dict[str, Any]) -> None:
        """See `Reader`."""
        if event.get("error"):
            raise reported(event["error"])
        if event.get("usage"):
            self._usage = _usage(table(event["usage"]))
        for choice in items(event.get("choices"))[:1]:
            delta = table(choice.get("delta"))
            self._text.append(text(delta.get("content")))
            self._reasoning.append(text(delta.get("reasoning_content")) or text(delta.get("reasoning")))
            for part in items(delta.get("tool_calls")):
                self._part(part)
            self._finish = text(choice.get("finish_reason")) or self._finish
            self.done = self.done or bool(self._finish)

    def _part(self, part: dict[str, Any]) -> None:
        index, function = part.get("index"), table(part.get("function"))
        if not isinstance(index, int):
            last = len(self._calls) - 1
            index = last if last >= 0 and not part.get("id") else last + 1
        known = self._calls.setdefault(index, _Parts())
        known.id = known.id or text(part.get("id"))
        known.name = known.name or text(function.get("name"))
        known.arguments.append(text(function.get("arguments")))

    def said(self) -> Said:
        """See `Reader`."""
        calls = [call(c.id, c.name, "".join(c.arguments), n) for n, c in enumerate(self._calls.values(), 1)]
        answer = Answer("".join(self._text), calls)
        return Said(answer, self._usage, "".join(self._reasoning), self._finish == "length")


def _usage(told: dict[str, Any]) -> ev.Usage:
    cost = told.get("cost")
    return ev.Usage(
        input=count(told.get("prompt_tokens")),
        cached=count(table(told.get("prompt_tokens_details")).get("cached_tokens")),
        output=count(told.get("completion_tokens")),
        reasoning=count(table(told.get("completion_tokens_details")).get("reasoning_tokens")),
        cost_usd=float(cost) if isinstance(cost, (int, float)) and 0 <= cost < 1e9 else None,
        scope="step",
    )
