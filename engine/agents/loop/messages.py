"""Messages: Anthropic's interface."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from msgspec import Struct, field

from engine.agents.loop.conversation import Answer, Call, Said, Turn, User
from engine.agents.loop.wire import BASH, DESCRIPTION, PARAMETERS, Body, call, reported
from engine.agents.parts import count, table, text
from engine.tasks import events as ev

_VERSION = "2023-06-01"
# The interface wants to be told; every model it has takes this much.
_LONGEST_ANSWER = 8192
_CACHED = {"cache_control": {"type": "ephemeral"}}


class Messages:
    """`POST /messages`."""

    path = "/messages"
    base_url = "https://api.anthropic.com/v1"
    key_env = "ANTHROPIC_API_KEY"

    def headers(self, key: str) -> dict[str, str]:
        """See `Wire`."""
        return {"anthropic-version": _VERSION, **({"x-api-key": key} if key else {})}

    def body(self, model: str, system: str, turns: Sequence[Turn]) -> Body:
        """See `Wire`. What is the same in the next request is marked to be kept in the provider's cache."""
        contents = [_content(turn) for turn in turns]
        if contents:
            contents[-1][-1].update(_CACHED)
        return {
            "model": model,
            "max_tokens": _LONGEST_ANSWER,
            "system": [{"type": "text", "text": system, **_CACHED}],
            "messages": [{"role": _role(turn), "content": said} for turn, said in zip(turns, contents, strict=True)],
            "tools": [{"name": BASH, "description": DESCRIPTION, "input_schema": PARAMETERS}],
            "stream": True,
        }

    def reader(self) -> MessagesReader:
        """See `Wire`."""
        return MessagesReader()


def _role(turn: Turn) -> str:
    return "assistant" if isinstance(turn, Answer) else "user"


def _content(turn: Turn) -> list[dict[str, Any]]:
    if isinstance(turn, User):
        return [{"type": "text", "text": turn.text}]
    if not isinstance(turn, Answer):
        return [{"type": "tool_result", "tool_use_id": r.call, "content": r.text or "(nothing)"} for r in turn.results]
    said = [{"type": "text", "text": turn.text}] if turn.text.strip() else []
    used = [{"type": "tool_use", "id": c.id, "name": c.name, "input": _input(c)} for c in turn.calls]
    return [*said, *used] or [{"type": "text", "text": "(nothing)"}]


def _input(made: Call) -> dict[str, Any]:
    """The arguments as the object the interface wants back; those that were none are quoted as they came."""
    try:
        value = json.loads(made.arguments or "{}")
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"unreadable": made.arguments}


class _Block(Struct):
    """A piece of the answer as far as it has come."""

    kind: str = ""
    id: str = ""
    name: str = ""
    input: object = None
    said: list[str] = field(default_factory=list)
    json: list[str] = field(default_factory=list)


class MessagesReader:
    """Folds blocks of text, thinking and calls."""

    def __init__(self) -> None:
        self.done = False
        self._blocks: dict[int, _Block] = {}
        self._stop = ""
        self._usage: dict[str, Any] = {}

    def feed(self, event: dict[str, Any]) -> None:
        """See `Reader`."""
        match event.get("type"):
            case "message_start":
                self._usage |= table(table(event.get("message")).get("usage"))
            case "content_block_start":
                block, begun = self._block(event), table(event.get("content_block"))
                block.kind, block.id, block.name = (text(begun.get(key)) for key in ("type", "id", "name"))
                block.input = begun.get("input")
                block.said += [text(begun.get("text")), text(begun.get("thinking"))]
            case "content_block_delta":
                block, delta = self._block(event), table(event.get("delta"))
                block.said += [text(delta.get("text")), text(delta.get("thinking"))]
                block.json.append(text(delta.get("partial_json")))
            case "message_delta":
                self._stop = text(table(event.get("delta")).get("stop_reason")) or self._stop
                self._usage |= table(event.get("usage"))
            case "message_stop":
                self.done = True
            case "error":
                raise reported(event.get("error"))
            case _:
                pass

    def _block(self, event: dict[str, Any]) -> _Block:
        index = event.get("index")
        return self._blocks.setdefault(index if isinstance(index, int) else len(self._blocks), _Block())

    def said(self) -> Said:
        """See `Reader`."""
        blocks = [block for _, block in sorted(self._blocks.items())]
        said, thought = (
            ["".join(block.said) for block in blocks if (block.kind == "thinking") is thinking]
            for thinking in (False, True)
        )
        calls = []
        for number, block in enumerate((block for block in blocks if block.kind == "tool_use"), 1):
            begun = block.input if isinstance(block.input, dict) else {}
            calls.append(call(block.id, block.name, "".join(block.json) or json.dumps(begun), number))
        answer = Answer("\n\n".join(filter(None, said)), calls)
        return Said(answer, self._counted(), "\n\n".join(filter(None, thought)), self._stop == "max_tokens")

    def _counted(self) -> ev.Usage:
        """Tokens read from the cache, or written to it, are not among those it calls input."""
        cached = count(self._usage.get("cache_read_input_tokens"))
        written = count(self._usage.get("cache_creation_input_tokens"))
        return ev.Usage(
            input=count(self._usage.get("input_tokens")) + cached + written,
            cached=cached,
            output=count(self._usage.get("output_tokens")),
            scope="step",
        )
