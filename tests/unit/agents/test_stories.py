"""What claude and ACP agents stream is told as it was meant, and breaks nothing whatever it is (SPEC A2)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.agents.acp.story import Story as AcpStory
from engine.agents.base import Begun, Ended, Finished, Output, Started, Yielded
from engine.agents.claude.story import Story as ClaudeStory
from engine.agents.lines import LONGEST, Lines, json_object
from engine.tasks import events as ev

ANY = st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=5)


def json_of(keys: str, values: str) -> st.SearchStrategy[Any]:
    """JSON in which the words that matter stand anywhere."""
    names = st.sampled_from(keys.split())
    return st.recursive(
        ANY | st.sampled_from(values.split()),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
        max_leaves=15,
    )


def encoded(items: list[Yielded]) -> None:
    """Everything an adapter yields can be written down."""
    for item in items:
        msgspec.json.encode(item)


CLAUDE = json_of(
    "type subtype message content text id name input command file_path todos status tool_use_id is_error usage result",
    "system init assistant user result tool_use tool_result text thinking Bash Write TodoWrite Read",
)
ACP = json_of(
    "sessionUpdate toolCallId kind title status content locations path rawInput rawOutput command exitCode entries text",
    "agent_message_chunk agent_thought_chunk tool_call tool_call_update plan execute edit read completed failed",
)


@given(st.lists(CLAUDE, max_size=8), st.none() | st.integers(0, 255))
def test_no_stream_breaks_the_story_of_claude(lines: list[Any], code: int | None) -> None:
    story = ClaudeStory("/workspace/p")
    told = [event for line in lines for event in story.tell(line if isinstance(line, dict) else None, b"\xff\x00")]
    told += story.end(code, "")
    encoded(told)
    assert isinstance(told[-1], Ended)
    assert sum(isinstance(item, Ended) for item in told) == 1


@given(st.lists(ACP, max_size=10))
def test_no_stream_breaks_the_story_of_acp(updates: list[Any]) -> None:
    story = AcpStory("/workspace/p")
    told = [event for update in updates if isinstance(update, dict) for event in story.tell(update)]
    encoded([*told, *story.end()])
    begun = [item.key for item in told if isinstance(item, Started)]
    assert all(item.key in begun for item in told if isinstance(item, (Output, Finished)))


def claude(*events: dict[str, Any]) -> list[Yielded]:
    story = ClaudeStory("/workspace/p")
    told = [event for line in events for event in story.tell(line, b"")]
    return [*told, *story.end(1, "last words")]


def used(name: str, failed: bool, said: object, **given: object) -> list[dict[str, Any]]:
    call = {"type": "tool_use", "id": "t", "name": name, "input": given}
    result = {"type": "tool_result", "tool_use_id": "t", "is_error": failed, "content": said}
    return [
        {"type": "assistant", "message": {"content": [call]}},
        {"type": "user", "message": {"content": [result]}},
    ]


@pytest.mark.parametrize(
    ("failed", "said", "output", "code"),
    [
        (False, "fine", b"fine\n", 0),
        (True, "Exit code 3\nbad", b"bad\n", 3),
        (True, "was rejected", b"was rejected\n", None),
        (False, [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], b"a\nb\n", 0),
    ],
)
def test_the_end_of_a_command_of_claude(failed: bool, said: object, output: bytes, code: int | None) -> None:
    told = claude(*used("Bash", failed, said, command="run"))[:3]
    assert told == [
        Started("t", "run", "/workspace/p"),
        Output("t", "out", output),
        Finished("t", code, "failed" if failed else "completed"),
    ]


def test_other_tools_of_claude() -> None:
    assert claude(*used("Write", False, "ok", file_path="/workspace/p/a/b"))[0] == ev.FileChanged(
        path="a/b", kind="add"
    )
    assert not any(isinstance(item, ev.FileChanged) for item in claude(*used("Edit", True, "no", file_path="/x")))
    read = claude(*used("Read", False, "text", file_path="/workspace/p/a"))[:2]
    assert read == [ev.ToolStarted(id="t", name="Read", summary="/workspace/p/a"), ev.ToolFinished(id="t", ok=True)]
    todos = [{"content": "one", "status": "pending"}]
    assert claude(*used("TodoWrite", False, "ok", todos=todos))[0] == ev.Plan(items=[("one", "pending")])


def test_the_answer_of_claude_is_told_once_and_its_usage_is_counted_once() -> None:
    def said(text: str) -> dict[str, Any]:
        usage = {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 2}
        return {
            "type": "assistant",
            "message": {"id": "m", "content": [{"type": "text", "text": text}], "usage": usage},
        }

    result = {
        "type": "result",
        "is_error": False,
        "result": "The end.",
        "total_cost_usd": 0.5,
        "usage": {"input_tokens": 20},
    }
    begin = {"type": "system", "subtype": "init", "session_id": "s", "model": "m", "claude_code_version": "2"}
    told = claude(begin, said("First."), said("The end."), result)
    assert told[0] == Begun("2", "m", "s")
    assert [item.text for item in told if isinstance(item, ev.Message)] == ["First."]
    usages = [item for item in told if isinstance(item, ev.Usage)]
    assert [(u.input, u.cached, u.output, u.scope) for u in usages[:2]] == [(15, 5, 2, "run")] * 2
    assert usages[-1].cost_usd == 0.5
    assert told[-1] == Ended("completed", "The end.", session="s", exit_code=1)


@pytest.mark.parametrize(
    ("event", "kind", "reason"),
    [
        ({"type": "result", "subtype": "success", "is_error": True, "result": "API Error: 401 bad key"}, "auth", "401"),
        ({"type": "result", "is_error": True, "result": "API Error: 500"}, "model", "500"),
        ({"type": "result", "subtype": "error_during_execution"}, "model", "error_during_execution"),
        ({"type": "unknown"}, "agent", "ended without a result (exit code 1)"),
    ],
)
def test_faults_of_claude(event: dict[str, Any], kind: str, reason: str) -> None:
    *_, error, ended = claude(event)
    assert isinstance(error, ev.Error)
    assert error.kind == kind
    assert isinstance(ended, Ended)
    assert (ended.status, reason in ended.reason) == ("failed", True)


def test_a_command_of_acp_prints_what_is_new_only() -> None:
    story = AcpStory("/w")

    def update(what: str, **fields: Any) -> list[Yielded]:
        return list(story.tell({"sessionUpdate": what, "toolCallId": "t", **fields}))

    def printed(text: str) -> list[dict[str, Any]]:
        return [{"type": "content", "content": {"type": "text", "text": text}}]

    assert update("tool_call", kind="execute", rawInput={"command": ["ls", "-l"]}) == [Started("t", "ls -l", "/w")]
    assert update("tool_call_update", content=printed("one\n")) == [Output("t", "out", b"one\n")]
    assert update("tool_call_update", content=printed("one\ntwo\n")) == [Output("t", "out", b"two\n")]
    assert update("tool_call_update", status="completed") == [Finished("t", None, "completed")]
    assert update("tool_call_update", status="completed") == []


def test_an_acp_command_that_is_told_late_or_never_begins_all_the_same() -> None:
    story = AcpStory("/w")

    def update(told: str, **fields: Any) -> list[Yielded]:
        return list(story.tell({"sessionUpdate": told, "toolCallId": "t", **fields}))

    assert update("tool_call", kind="execute", title="bash") == []
    assert update("tool_call_update", status="in_progress") == []
    late = update("tool_call_update", status="in_progress", rawInput={"command": "ls"})
    assert late == [Started("t", "ls", "/w")]
    over = update("tool_call_update", status="completed", rawOutput={"metadata": {"exit": 3}})
    assert over == [Finished("t", 3, "failed")]
    assert update("tool_call", kind="execute", title="bash") == []
    assert update("tool_call_update", status="failed") == [Started("t", "bash", "/w"), Finished("t", None, "failed")]
    assert update("tool_call", kind="execute", status="completed") == [
        Started("t", "a command", "/w"),
        Finished("t", None, "completed"),
    ]


@given(st.lists(st.binary(max_size=20)), st.integers(1, 7))
def test_lines_are_read_however_they_are_cut(parts: list[bytes], size: int) -> None:
    stream = b"\n".join(parts) + b"\n"
    lines = Lines()
    found = [line for at in range(0, len(stream), size) for line in lines.feed(stream[at : at + size])]
    assert found == [line for line in stream.split(b"\n") if line.strip()]


def test_a_line_without_end_is_kept_to_its_limit() -> None:
    lines = Lines()
    for _ in range((LONGEST >> 20) + 3):
        assert lines.feed(b"x" * (1 << 20)) == []
    (line,) = lines.feed(b"\n")
    assert len(line) == LONGEST


@pytest.mark.parametrize("line", [b"", b"[]", b"5", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_none(line: bytes) -> None:
    assert json_object(line) is None
