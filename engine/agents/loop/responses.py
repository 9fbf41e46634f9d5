"""Responses: OpenAI's newer interface. Nothing is stored there; each request holds the whole conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.agents.loop.conversation import Answer, Said, Turn, User
from engine.agents.loop.wire import BASH, DESCRIPTION, PARAMETERS, Body, OpenAI, call, reported
from engine.agents.parts import count, items, table, text
from engine.tasks import events as ev


class Responses(OpenAI):
    """`POST /responses`."""

    path = "/responses"

    def body(self, model: str, system: str, turns: Sequence[Turn]) -> Body:
        """See `Wire`."""
        tool = {"type": "function", "name": BASH, "description": DESCRIPTION, "parameters": PARAMETERS, "strict": True}
        return {
            "model": model,
            "instructions": system,
            "input": [item for turn in turns for item in _input(turn)],
            "tools": [tool],
            "store": False,
            "stream": True,
        }

    def reader(self) -> ResponsesReader:
        """See `Wire`."""
        return ResponsesReader()


def _input(turn: Turn) -> list[dict[str, Any]]:
    if isinstance(turn, User):
        return [_message("user", "input_text", turn.text)]
    if not isinstance(turn, Answer):
        return [{"type": "function_call_output", "call_id": r.call, "output": r.text} for r in turn.results]
    said = [_message("assistant", "output_text", turn.text)] if turn.text else []
    return [
        *said,
        *({"type": "function_call", "call_id": c.id, "name": c.name, "arguments": c.arguments} for c in turn.calls),
    ]


def _message(role: str, kind: str, said: str) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": kind, "text": said}]}


class ResponsesReader:
    """Takes whole items as they are done; the parts they came in are only signs of life."""

    def __init__(self) -> None:
        self.done = False
        self._items: list[dict[str, Any]] = []
        self._cut = False
        self._usage = ev.Usage(scope="step")

    def feed(self, event: dict[str, Any]) -> None:
        """See `Reader`."""
        response = table(event.get("response"))
        match event.get("type"):
            case "response.output_item.done":
                self._items.append(table(event.get("item")))
            case "response.completed" | "response.incomplete":
                self.done = True
                self._cut = event["type"] == "response.incomplete"
                self._items = self._items or items(response.get("output"))
                self._usage = _usage(table(response.get("usage")))
            case "response.failed":
                raise reported(response.get("error"))
            case "error":
                raise reported(event.get("error") or event)
            case _:
                pass

    def said(self) -> Said:
        """See `Reader`."""
        said = [_text(item, "content") for item in self._items if item.get("type") == "message"]
        thought = [_text(item, "summary") for item in self._items if item.get("type") == "reasoning"]
        calls = [item for item in self._items if item.get("type") == "function_call"]
        made = [
            call(item.get("call_id"), item.get("name"), text(item.get("arguments")), n)
            for n, item in enumerate(calls, 1)
        ]
        return Said(Answer("\n\n".join(filter(None, said)), made), self._usage, "\n\n".join(thought), self._cut)


def _text(item: dict[str, Any], part: str) -> str:
    return "".join(text(piece.get("text")) or text(piece.get("refusal")) for piece in items(item.get(part)))


def _usage(told: dict[str, Any]) -> ev.Usage:
    return ev.Usage(
        input=count(told.get("input_tokens")),
        cached=count(table(told.get("input_tokens_details")).get("cached_tokens")),
        output=count(told.get("output_tokens")),
        reasoning=count(table(told.get("output_tokens_details")).get("reasoning_tokens")),
        scope="step",
    )
