"""A model that follows a script: the Responses API on loopback, as much of it as an agent needs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Item = dict[str, Any]
_MADE_BY_THE_MODEL = ("function_call", "custom_tool_call", "reasoning")


@dataclass(frozen=True)
class Step:
    """One answer of the model: text and calls of tools, or a fault.

    `shell` and `patch` and `plan` become calls of the tools that codex offers for them. `status` other than 200 is
    answered to every request; with `hangs` the answer never comes. Codex goes on without a command that runs for longer
    than `yields_after` milliseconds.
    """

    say: str = ""
    think: str = ""
    shell: Sequence[str] = ()
    patch: str = ""
    plan: Sequence[tuple[str, str]] = ()
    status: int = 200
    hangs: bool = False
    tokens: tuple[int, int] = (100, 10)
    yields_after: int = 30000


@dataclass
class ScriptedModel:
    """The running server: where it is, what it was asked.

    Which step a request gets follows from the number of answers in its own history, so that repeating it is harmless.
    """

    steps: Sequence[Step]
    key: str = "sk-scripted"
    requests: list[Item] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        """The base URL for agents."""
        return f"http://127.0.0.1:{self.port}/v1"

    def step(self, request: Item) -> tuple[int, Step]:
        """The number of the step that answers this request, and the step."""
        number, inside = 0, False
        for item in request["input"]:
            own = item.get("type") in _MADE_BY_THE_MODEL or item.get("role") == "assistant"
            number += own and not inside
            inside = own
        return number, self.steps[number] if number < len(self.steps) else Step(say="the script is over")


@contextmanager
def scripted(*steps: Step, key: str = "sk-scripted") -> Iterator[ScriptedModel]:
    """Serve these steps until the block ends."""
    model = ScriptedModel(steps, key)
    handler = type("Handler", (_Handler,), {"model": model})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        model.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, name="model", daemon=True)
        thread.start()
        try:
            yield model
        finally:
            model.over.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model: ScriptedModel

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        key = self.headers.get("authorization", "").removeprefix("Bearer ")
        request = json.loads(body)
        self.model.requests.append(request)
        self.model.keys.append(key)
        self.model.asked.set()
        if not self.path.endswith("/responses"):
            return self._refuse(404, "no such route")
        if key != self.model.key:
            return self._refuse(401, "Incorrect API key provided")
        number, step = self.model.step(request)
        if step.hangs:
            self.model.over.wait()
            self.close_connection = True
            return None
        if step.status != 200:
            return self._refuse(step.status, "the model is not well")
        try:
            self._answer(number, step)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _refuse(self, status: int, message: str) -> None:
        data = json.dumps({"error": {"message": message, "type": "scripted", "code": None}}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _answer(self, number: int, step: Step) -> None:
        output = [
            {**item, "id": f"item_{number}_{i}", "status": "completed"} for i, item in enumerate(_items(number, step))
        ]
        given, made = step.tokens
        usage = {
            "input_tokens": given,
            "input_tokens_details": {"cached_tokens": given // 2},
            "output_tokens": made,
            "output_tokens_details": {"reasoning_tokens": made // 2},
            "total_tokens": given + made,
        }
        response = {
            "id": f"resp_{number}",
            "object": "response",
            "status": "completed",
            "output": output,
            "usage": usage,
        }
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self._event("response.created", response={**response, "status": "in_progress", "output": [], "usage": None})
        for index, item in enumerate(output):
            self._event("response.output_item.added", output_index=index, item=item)
            self._event("response.output_item.done", output_index=index, item=item)
        self._event("response.completed", response=response)
        self.close_connection = True

    def _event(self, kind: str, **fields: object) -> None:
        self.wfile.write(f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode())
        self.wfile.flush()


def _items(number: int, step: Step) -> Iterator[Item]:
    if step.think:
        yield {"type": "reasoning", "summary": [{"type": "summary_text", "text": step.think}]}
    if step.say:
        text = {"type": "output_text", "text": step.say, "annotations": []}
        yield {"type": "message", "role": "assistant", "content": [text]}
    for index, line in enumerate(step.shell):
        yield _call(f"shell_{number}_{index}", "exec_command", {"cmd": line, "yield_time_ms": step.yields_after})
    if step.plan:
        plan = [{"step": text, "status": status} for text, status in step.plan]
        yield _call(f"plan_{number}", "update_plan", {"plan": plan})
    if step.patch:
        yield {"type": "custom_tool_call", "call_id": f"patch_{number}", "name": "apply_patch", "input": step.patch}


def _call(call: str, name: str, arguments: Item) -> Item:
    return {"type": "function_call", "call_id": call, "name": name, "arguments": json.dumps(arguments)}
