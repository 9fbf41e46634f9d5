"""What models stream is folded to one answer, whatever they stream; what they are sent is what was said (SPEC A1)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.agents.loop.agent import HEAD, TAIL, Shown, command_of
from engine.agents.loop.chat import Chat
from engine.agents.loop.conversation import Answer, Call, Result, Results, Said, Turn, User
from engine.agents.loop.messages import Messages
from engine.agents.loop.responses import Responses
from engine.agents.loop.sse import LONGEST, Events
from engine.agents.loop.wire import ModelError, Wire
from tests.agents import model_server
from tests.agents.model_server import Step

WIRES: dict[str, tuple[Wire, Any]] = {
    "chat": (Chat(), model_server.chat),
    "responses": (Responses(), model_server.responses),
    "messages": (Messages(), model_server.messages),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
wires = pytest.mark.parametrize("api", WIRES)


def fold(wire: Wire, events: list[dict[str, Any]]) -> Said:
    reader = wire.reader()
    for event in events:
        reader.feed(event)
    assert reader.done
    return reader.said()


@wires
@given(say=st.text(), think=st.text(), shell=st.lists(st.text(), max_size=3), full=st.booleans())
def test_an_answer_comes_through_as_it_was_meant(api: str, say: str, think: str, shell: list[str], full: bool) -> None:
    wire, stream = WIRES[api]
    said = fold(wire, stream(1, Step(say=say, think=think, shell=shell, full=full, tokens=(7, 3))))
    assert (said.answer.text, said.reasoning) == (say, think)
    assert [command_of(call)[0] for call in said.answer.calls] == [
        line if line.strip() and "\0" not in line else "" for line in shell
    ]
    assert len({call.id for call in said.answer.calls}) == len(shell)
    assert (said.usage.input, said.usage.output, said.usage.scope) == (7, 3, "step")
    if api != "responses" and not (api == "chat" and shell):
        assert said.cut is full


def events_of(api: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Streams in which any part is anything."""
    keys = {
        "chat": ("choices", "delta", "content", "tool_calls", "function", "arguments", "index", "id", "name", "usage"),
        "responses": ("type", "item", "response", "output", "content", "summary", "text", "usage", "arguments"),
        "messages": ("type", "index", "content_block", "delta", "message", "usage", "text", "partial_json", "input"),
    }[api]
    kinds = st.sampled_from(
        [
            "response.output_item.done",
            "response.completed",
            "message_start",
            "content_block_start",
            "content_block_delta",
            "message_delta",
            "message_stop",
            "message",
            "function_call",
            "tool_use",
            "reasoning",
        ]
    )
    inner = st.recursive(
        JSON | kinds,
        lambda more: st.lists(more, max_size=3) | st.dictionaries(st.sampled_from(keys), more, max_size=4),
        max_leaves=12,
    )
    return st.lists(st.dictionaries(st.sampled_from(keys), inner, max_size=4), max_size=6)


@wires
@given(data=st.data())
def test_no_stream_breaks_a_reader(api: str, data: st.DataObject) -> None:
    reader = WIRES[api][0].reader()
    try:
        for event in data.draw(events_of(api)):
            reader.feed(event)
    except ModelError:
        return
    said = reader.said()
    json.dumps(WIRES[api][0].body("m", "s", [User("u"), said.answer])).encode()
    said.answer.text.encode()
    for call in said.answer.calls:
        command, problem = command_of(call)
        assert bool(command) is not bool(problem)


TALK: list[Turn] = [
    User("do it"),
    Answer("I look.", [Call("c1", "bash", '{"command": "ls"}')]),
    Results([Result("c1", "exit code 0\nfile")]),
    Answer("done"),
    User("more"),
]


def test_chat_is_sent_the_conversation() -> None:
    body = Chat().body("m", "be good", TALK)
    assert [m["role"] for m in body["messages"]] == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert body["messages"][2]["tool_calls"][0]["function"] == {"name": "bash", "arguments": '{"command": "ls"}'}
    assert body["messages"][3] == {"role": "tool", "tool_call_id": "c1", "content": "exit code 0\nfile"}
    assert body["tools"][0]["function"]["name"] == "bash"


def test_responses_is_sent_the_conversation_and_asked_to_store_nothing() -> None:
    body = Responses().body("m", "be good", TALK)
    kinds = ["message", "message", "function_call", "function_call_output", "message", "message"]
    assert [item["type"] for item in body["input"]] == kinds
    assert (body["store"], body["instructions"]) == (False, "be good")


def test_messages_is_sent_the_conversation_with_its_end_marked_for_the_cache() -> None:
    body = Messages().body("m", "be good", TALK)
    assert [m["role"] for m in body["messages"]] == ["user", "assistant", "user", "assistant", "user"]
    assert body["messages"][1]["content"][1]["input"] == {"command": "ls"}
    assert "cache_control" in body["messages"][-1]["content"][-1]
    odd = Messages().body("m", "", [User("u"), Answer("", [Call("c", "bash", "{")]), Results([Result("c", "")])])
    assert odd["messages"][1]["content"] == [
        {"type": "tool_use", "id": "c", "name": "bash", "input": {"unreadable": "{"}}
    ]
    assert odd["messages"][2]["content"][0]["content"]


def test_parts_of_calls_without_index_or_id_are_put_together() -> None:
    reader = Chat().reader()
    for part in (
        {"id": "a", "function": {"name": "bash", "arguments": "{"}},
        {"function": {"arguments": "}"}},
        {"id": "b"},
    ):
        reader.feed({"choices": [{"delta": {"tool_calls": [part]}}]})
    reader.feed({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]})
    assert reader.said().answer.calls == [Call("a", "bash", "{}"), Call("b", "", "")]


@pytest.mark.parametrize(
    ("api", "event", "passing"),
    [
        ("chat", {"error": {"message": "busy", "code": "server_error"}}, True),
        (
            "responses",
            {"type": "response.failed", "response": {"error": {"code": "invalid_prompt", "message": "busy"}}},
            False,
        ),
        ("messages", {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}, True),
    ],
)
def test_a_fault_in_the_middle_of_an_answer_is_one(api: str, event: dict[str, Any], passing: bool) -> None:
    with pytest.raises(ModelError, match="busy") as caught:
        WIRES[api][0].reader().feed(event)
    assert caught.value.passing is passing


@given(
    st.lists(st.text(alphabet=st.characters(exclude_characters="\r\n", codec="utf-8")), max_size=5),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.integers(1, 9),
)
def test_events_are_read_however_they_are_cut(texts: list[str], end: str, size: int) -> None:
    stream = "".join(f"event: x{end}: note{end}data: {text}{end}{end}" for text in texts).encode()
    events, found = Events(), list[str]()
    for at in range(0, len(stream), size):
        found += events.feed(stream[at : at + size])
    # A lone carriage return at the very end may be half of a line's end.
    found += events.feed(b"\n") if end == "\r" else []
    assert found == texts


def test_an_event_without_end_is_refused() -> None:
    events = Events()
    for _ in range(LONGEST >> 20):
        assert events.feed(b"x" * (1 << 20)) == []
    with pytest.raises(ValueError, match="longer than"):
        events.feed(b"x" * (1 << 20))


@given(st.lists(st.binary(max_size=9000), max_size=8))
def test_long_output_loses_its_middle_only(chunks: list[bytes]) -> None:
    shown = Shown()
    shown.ended = "exit code 0"
    for chunk in chunks:
        shown.add(chunk)
    whole = b"".join(chunks)
    text = shown.text()
    assert len(text.encode()) <= 3 * (HEAD + TAIL) + 200
    if len(whole) <= HEAD + TAIL:
        assert whole.decode("utf-8", "replace").strip() in text
        assert "left out" not in text
    else:
        assert f"{len(whole) - HEAD - TAIL} bytes are left out" in text
