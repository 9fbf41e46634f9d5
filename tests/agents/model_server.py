"""Models that follow a script: Chat Completions, Responses and Messages, streamed by a server on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Data = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One answer: text, calls of the bash tool, raw calls (name, arguments); or a fault instead of it.

    Args:
        other_calls: calls of other kinds, as a response holds them.
        status: other than 200 is answered with `error` as its body.
        cut: the answer breaks off in its middle.
        hangs: it never comes.
        tokens: read and written.
        full: it reached the limit of length.
        raw: the stream, in place of all that.
    """

    say: str = ""
    think: str = ""
    shell: Sequence[str] = ()
    calls: Sequence[tuple[str, str]] = ()
    other_calls: Sequence[Data] = ()
    status: int = 200
    error: Data = field(default_factory=lambda: {"error": {"message": "scripted", "type": "scripted"}})
    headers: Sequence[tuple[str, str]] = ()
    cut: bool = False
    hangs: bool = False
    full: bool = False
    tokens: tuple[int, int] = (100, 10)
    raw: bytes | None = None

    def all_calls(self) -> list[tuple[str, str]]:
        return [*(("bash", json.dumps({"command": line})) for line in self.shell), *self.calls]


@dataclass
class ModelServer:
    """The running server, and what it was asked: bodies and header fields of its requests, in their order.

    Attributes:
        steps: the answers. The first is for the first request and so on, the last for all further ones.
        key: the bearer token that requests need; without one none is looked for.
        by_history: a request gets the step after those that its own history holds the answers of, so that repeating it
            is harmless, and several conversations follow the same script.
        titles: requests that offer no tools are for the title of the session: they get one, and are no step.
    """

    steps: Sequence[Step]
    key: str = ""
    by_history: bool = False
    titles: bool = False
    url: str = ""
    requests: list[Data] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def keys(self) -> list[str]:
        """The bearer token of each request."""
        return [headers.get("authorization", "").removeprefix("Bearer ") for headers in self.headers]

    def next(self, body: Data, headers: dict[str, str]) -> tuple[int, Step]:
        if self.titles and not body.get("tools"):
            return 0, Step(say="A title")
        with self.lock:
            number = answers_in(body["input"]) if self.by_history else len(self.requests)
            self.requests.append(body)
            self.headers.append(headers)
            wrong = self.key and self.keys[-1] != self.key
        self.asked.set()
        return number, WRONG_KEY if wrong else self.steps[min(number, len(self.steps) - 1)]


WRONG_KEY = Step(status=401, error={"error": {"message": "Incorrect API key provided", "type": "scripted"}})


def answers_in(history: Sequence[Data]) -> int:
    """How many answers of a model the input of a request to the Responses API holds."""
    number, inside = 0, False
    for item in history:
        own = item.get("type") in ("function_call", "custom_tool_call", "reasoning") or item.get("role") == "assistant"
        number += own and not inside
        inside = own
    return number


@contextmanager
def serving(*steps: Step, key: str = "", by_history: bool = False, titles: bool = False) -> Iterator[ModelServer]:
    """A model that follows these steps, until the block ends; see `ModelServer`."""
    model = ModelServer(steps, key, by_history, titles)
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"model": model})) as server:
        server.daemon_threads = True
        model.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        thread = threading.Thread(target=server.serve_forever, name="model", daemon=True)
        thread.start()
        try:
            yield model
        finally:
            model.over.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    model: ModelServer

    def log_message(self, *_: object) -> None:
        return

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        number, step = self.model.next(body, {name.lower(): value for name, value in self.headers.items()})
        if step.hangs:
            self.model.over.wait()
            return
        ok = step.status == 200
        self.send_response(step.status)
        self.send_header("Content-Type", "text/event-stream" if ok else "application/json")
        for name, value in step.headers:
            self.send_header(name, value)
        self.end_headers()
        if not ok:
            self.wfile.write(json.dumps(step.error).encode())
            return
        written = step.raw if step.raw is not None else stream(self.path.partition("?")[0], number, step)
        try:
            self.wfile.write(written[: len(written) // 2] if step.cut else written)
        except OSError:
            return


def stream(path: str, number: int, step: Step) -> bytes:
    """An answer as the interface at `path` streams it."""
    made = {"/v1/chat/completions": chat, "/v1/responses": responses, "/v1/messages": messages}[path](number, step)
    named = ((event.get("type", ""), json.dumps(event)) for event in made)
    text = "".join(f"event: {name}\ndata: {data}\n\n" if name else f"data: {data}\n\n" for name, data in named)
    return (text + ("data: [DONE]\n\n" if path.endswith("completions") else "")).encode()


def pieces(text: str, size: int = 7) -> list[str]:
    """The text as it streams."""
    return [text[at : at + size] for at in range(0, len(text), size)]


def chat(number: int, step: Step) -> list[Data]:
    """The chunks of an answer."""

    def chunk(delta: Data, finish: str | None = None) -> Data:
        return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    made = [chunk({"role": "assistant", "content": ""})]
    made += [chunk({"reasoning_content": piece}) for piece in pieces(step.think)]
    made += [chunk({"content": piece}) for piece in pieces(step.say)]
    for index, (name, arguments) in enumerate(step.all_calls()):
        begun = {"index": index, "id": f"call_{number}_{index}", "type": "function"}
        made.append(chunk({"tool_calls": [{**begun, "function": {"name": name, "arguments": ""}}]}))
        made += [
            chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}) for piece in pieces(arguments)
        ]
    made.append(chunk({}, "length" if step.full else "tool_calls" if step.all_calls() else "stop"))
    read, written = step.tokens
    return [*made, {"choices": [], "usage": {"prompt_tokens": read, "completion_tokens": written}}]


def responses(number: int, step: Step) -> list[Data]:
    """The events of a response."""
    made: list[Data] = []
    if step.think:
        made.append({"type": "reasoning", "summary": [{"type": "summary_text", "text": step.think}]})
    if step.say:
        content = [{"type": "output_text", "text": step.say, "annotations": []}]
        made.append({"type": "message", "role": "assistant", "content": content})
    calls = [{"type": "function_call", "name": name, "arguments": arguments} for name, arguments in step.all_calls()]
    for index, call in enumerate([*calls, *step.other_calls]):
        made.append({**call, "call_id": f"call_{number}_{index}"})
    output = [{**item, "id": f"item_{number}_{index}", "status": "completed"} for index, item in enumerate(made)]
    told: list[Data] = []
    for index, item in enumerate(output):
        told.append({"type": "response.output_item.added", "output_index": index, "item": item})
        if item["type"] == "message":
            told += [{"type": "response.output_text.delta", "delta": piece} for piece in pieces(step.say)]
        told.append({"type": "response.output_item.done", "output_index": index, "item": item})
    read, written = step.tokens
    usage = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
    ended = "incomplete" if step.full else "completed"
    response = {"id": f"resp_{number}", "object": "response", "status": ended, "output": output, "usage": usage}
    return [
        {"type": "response.created", "response": {**response, "status": "in_progress", "output": [], "usage": None}},
        *told,
        {"type": f"response.{ended}", "response": response},
    ]


def messages(number: int, step: Step) -> list[Data]:
    """The events of a message."""
    blocks: list[tuple[Data, list[Data]]] = []
    if step.think:
        parts = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(step.think)]
        blocks.append(({"type": "thinking", "thinking": ""}, parts))
    if step.say:
        blocks.append(
            ({"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces(step.say)])
        )
    for index, (name, arguments) in enumerate(step.all_calls()):
        begun = {"type": "tool_use", "id": f"toolu_{number}_{index}", "name": name, "input": {}}
        blocks.append((begun, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces(arguments)]))
    read, written = step.tokens
    begun = {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": "scripted", "content": []}
    made: list[Data] = [
        {"type": "message_start", "message": {**begun, "usage": {"input_tokens": read, "output_tokens": 1}}}
    ]
    for index, (begun, deltas) in enumerate(blocks):
        made.append({"type": "content_block_start", "index": index, "content_block": begun})
        made += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        made.append({"type": "content_block_stop", "index": index})
    reason = "max_tokens" if step.full else "tool_use" if step.all_calls() else "end_turn"
    made.append({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": written}})
    return [*made, {"type": "message_stop"}]
