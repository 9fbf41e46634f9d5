"""What codex and the container say is read tolerantly: nothing they send breaks the adapter (SPEC A2)."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.agents.base import Finished, Output, Started
from engine.agents.codex.lines import Lines
from engine.agents.codex.story import Story, model_error
from engine.agents.codex.tap import Tap, command_line, folder
from engine.tasks import events as ev

_METHODS = [
    "item/started",
    "item/completed",
    "turn/plan/updated",
    "thread/tokenUsage/updated",
    "error",
    "turn/completed",
    "warning",
    "model/rerouted",
    "process/start",
    "process/output",
    "process/exited",
    "process/closed",
]
_KEYS = [
    *(
        "method",
        "params",
        "id",
        "item",
        "type",
        "text",
        "summary",
        "changes",
        "kind",
        "path",
        "status",
        "turn",
        "turnId",
    ),
    *("plan", "step", "error", "codexErrorInfo", "tokenUsage", "total", "last", "inputTokens", "processId", "argv"),
    *("cwd", "chunk", "exitCode", "metadata", "toolCallId", "result", "command", "aggregatedOutput", "willRetry"),
]
_TEXTS = st.one_of(
    st.text(st.characters(codec=None), max_size=8),
    st.sampled_from([*_METHODS, "agentMessage", "commandExecution", "fileChange", "reasoning", "completed", "failed"]),
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=6),
    max_leaves=20,
)
_MESSAGES = st.fixed_dictionaries(
    {"method": st.sampled_from(_METHODS)},
    optional={"params": _VALUES, "id": _VALUES, "result": _VALUES, "error": _VALUES},
)


def line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"


@given(st.lists(_MESSAGES, max_size=6))
def test_a_story_survives_any_notification_and_tells_what_can_be_written_down(messages: list[dict[str, Any]]) -> None:
    story = Story("/workspace/repo", set())
    # As they arrive: read from a line.
    for message in Lines().feed(b"".join(map(line, messages))):
        for event in story.tell(message):
            msgspec.json.encode(event)
    if story.ended is not None:
        msgspec.json.encode(story.ended)


@given(st.lists(st.tuples(st.booleans(), _MESSAGES | st.none()), max_size=8), st.binary(max_size=20))
def test_a_tap_survives_any_line(messages: list[tuple[bool, dict[str, Any] | None]], noise: bytes) -> None:
    tap = Tap({})
    for asked, message in messages:
        data = noise + b"\n" if message is None else line(message)
        for told in (tap.asked if asked else tap.answered)(data):
            msgspec.json.encode(told)


@given(st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=5), max_size=2), max_size=5), st.data())
def test_lines_are_the_same_however_they_are_cut(messages: list[dict[str, str]], data: st.DataObject) -> None:
    whole = b"".join(map(line, messages))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    lines = Lines()
    found = [m for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True) for m in lines.feed(whole[a:b])]
    assert found == messages


def test_a_line_too_long_is_skipped_and_the_next_is_read() -> None:
    lines = Lines(longest=100)
    assert list(lines.feed(b'{"a": "' + b"x" * 80)) == []
    assert list(lines.feed(b"x" * 80)) == []
    assert list(lines.feed(b"x" * 500 + b'"}\n{"b": 1}\n{"c"')) == [{"b": 1}]
    assert list(lines.feed(b": 2}\n" + b"y" * 200 + b"\n" + b'{"d": 3}\n')) == [{"c": 2}, {"d": 3}]


def test_what_is_no_object_is_passed_over() -> None:
    assert list(Lines().feed(b'\n[1]\nnull\n{"a":\n\xff\xfe\n' + b"[" * 100000 + b'\n{"a": 1}\n')) == [{"a": 1}]


def start(process: str = "p1", request: object = 7, call: str = "c1", **more: object) -> dict[str, Any]:
    params = {"processId": process, "argv": ["/bin/bash", "-lc", "make test"], "cwd": "file:///workspace/my%20repo"}
    return {"id": request, "method": "process/start", "params": {**params, "metadata": {"toolCallId": call}, **more}}


def says(process: str, method: str, **params: object) -> dict[str, Any]:
    return {"method": f"process/{method}", "params": {"processId": process, **params}}


def test_a_command_is_told_from_its_start_to_its_end() -> None:
    tap = Tap({})
    out, err = (base64.b64encode(data).decode() for data in (b"a\xff", b"b"))
    assert list(tap.asked(line(start()))) == [Started("p1", "make test", "/workspace/my repo")]
    assert tap.calls == {"c1": "p1"}
    answers = [
        {"id": 7, "result": {"processId": "p1"}},
        says("p1", "output", stream="stdout", chunk=out),
        says("p1", "output", stream="stderr", chunk=err),
        says("p1", "exited", exitCode=2),
        says("p1", "output", stream="stdout", chunk=out),
        says("p1", "closed"),
        says("p1", "closed"),
    ]
    assert list(tap.answered(b"".join(map(line, answers)))) == [
        Output("p1", "out", b"a\xff"),
        Output("p1", "err", b"b"),
        Output("p1", "out", b"a\xff"),
        Finished("p1", 2),
    ]
    assert tap.ready


def test_a_command_whose_output_stays_open_ends_when_codex_has_done_with_it() -> None:
    tap = Tap({})
    list(tap.asked(line(start())))
    assert list(tap.done("c1")) == []
    list(tap.answered(line(says("p1", "exited", exitCode=0))))
    assert list(tap.done("c1")) == [Finished("p1", 0)]
    assert list(tap.done("c1")) + list(tap.answered(line(says("p1", "closed")))) == []


def test_a_command_that_could_not_be_started_is_told_with_the_reason() -> None:
    tap = Tap({})
    list(tap.asked(line(start())))
    told = list(tap.answered(line({"id": 7, "error": {"code": 1, "message": "no such folder"}})))
    assert told == [Output("p1", "err", b"no such folder"), Finished("p1", None)]
    assert not tap.ready


def test_ends_of_commands_that_nobody_started_are_forgotten() -> None:
    tap = Tap({})
    told = [t for i in range(100) for t in tap.answered(line(says(f"x{i}", "exited", exitCode=0)))]
    assert told + list(tap.answered(line(says("x1", "closed")))) == []


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["/bin/bash", "-lc", "echo 'a b'"], "echo 'a b'"),
        (["sh", "-c", "ls"], "ls"),
        (["bash", "-x", "a b"], "bash -x 'a b'"),
        (["rg", "a b"], "rg 'a b'"),
    ],
)
def test_commands_are_shown_as_the_agent_wrote_them(argv: list[str], shown: str) -> None:
    assert command_line(argv) == shown


def test_folders_come_as_addresses() -> None:
    assert [folder(a) for a in ("file:///a%2Fb", "/x", "", "file://[")] == ["/a/b", "/x", "", "file://["]


def item(kind: str, **fields: object) -> dict[str, Any]:
    return {"method": "item/completed", "params": {"turnId": "t", "item": {"type": kind, "id": "i", **fields}}}


def test_the_last_message_is_the_answer_and_others_are_told_in_their_place() -> None:
    story = Story("/w", set())
    story.turn = "t"
    told = [
        *story.tell(item("agentMessage", text="one")),
        *story.tell({"method": "thread/tokenUsage/updated", "params": {}}),
        *story.tell(item("reasoning", summary=["hm"])),
        *story.tell(item("agentMessage", text="two")),
        *story.tell({"method": "turn/completed", "params": {"turn": {"id": "t", "status": "completed"}}}),
    ]
    texts = [(type(event).__name__, event.text) for event in told if isinstance(event, (ev.Message, ev.Reasoning))]
    assert texts == [("Message", "one"), ("Reasoning", "hm")]
    assert story.ended is not None
    assert (story.ended.status, story.ended.answer) == ("completed", "two")


def test_other_turns_are_not_this_one() -> None:
    story = Story("/w", set())
    story.turn = "mine"
    assert list(story.tell(item("reasoning", summary=["hm"]))) == []
    assert list(story.tell({"method": "turn/completed", "params": {"turn": {"id": "x", "status": "failed"}}})) == []
    assert story.ended is None


def test_a_command_nobody_saw_is_told_as_codex_has_it() -> None:
    story = Story("/w", {"seen"})
    command = {"command": "/bin/bash -lc 'echo hi'", "cwd": "/w", "aggregatedOutput": "hi\n", "exitCode": 0}
    assert list(story.tell(item("commandExecution", **command))) == [
        Started("i", "echo hi", "/w"),
        Output("i", "out", b"hi\n"),
        Finished("i", 0),
    ]
    assert list(story.tell(item("commandExecution", **command, id="seen"))) == []
    lost = {"command": "it's", "exitCode": -1}
    assert list(story.tell(item("commandExecution", **lost))) == [Started("i", "it's", ""), Finished("i", None)]


def test_edits_are_told_below_the_work_directory_and_only_when_made() -> None:
    story = Story("/w", set())
    changes = [
        {"path": "/w/a", "kind": {"type": "add"}},
        {"path": "/w/b", "kind": {"type": "update", "move_path": "/w/c"}},
        {"path": "/etc/d", "kind": "delete"},
        {"path": "/w/e", "kind": {"type": "strange"}},
    ]
    told = list(story.tell(item("fileChange", status="completed", changes=changes)))
    assert [(e.path, e.kind) for e in told if isinstance(e, ev.FileChanged)] == [
        ("a", "add"),
        ("b", "update"),
        ("c", "add"),
        ("/etc/d", "delete"),
        ("e", "update"),
    ]
    assert list(story.tell(item("fileChange", status="failed", changes=changes))) == []


def test_tokens_are_those_of_the_run() -> None:
    def count(total: int, last: int) -> dict[str, Any]:
        usage = {"total": {"inputTokens": total, "outputTokens": 2}, "last": {"inputTokens": last, "outputTokens": 2}}
        return {"method": "thread/tokenUsage/updated", "params": {"tokenUsage": usage}}

    story = Story("/w", set())
    told = [event for total, last in ((1100, 100), (1300, 200)) for event in story.tell(count(total, last))]
    assert [event.input for event in told if isinstance(event, ev.Usage)] == [100, 300]


@pytest.mark.parametrize(
    ("fault", "reason", "kind"),
    [
        ({"codexErrorInfo": "unauthorized"}, "no", "auth"),
        ({"codexErrorInfo": {"httpConnectionFailed": {"httpStatusCode": 401}}}, "no", "auth"),
        (None, "unexpected status 401 Unauthorized", "auth"),
        ({"codexErrorInfo": "usageLimitExceeded"}, "no", "model"),
        ({"codexErrorInfo": {"x": None}}, "port 4013", "model"),
    ],
)
def test_whose_fault_a_failed_turn_is(fault: object, reason: str, kind: str) -> None:
    assert model_error(fault, reason).kind == kind


def test_retries_are_notices_and_only_the_end_is_an_error() -> None:
    story = Story("/w", set())
    retry = {"message": "Reconnecting... 1/5", "additionalDetails": "status 500"}
    told = [
        *story.tell({"method": "error", "params": {"error": retry, "willRetry": True}}),
        *story.tell({"method": "error", "params": {"error": {"message": "too bad"}, "willRetry": False}}),
        *story.tell({"method": "turn/completed", "params": {"turn": {"status": "failed"}}}),
    ]
    assert [(type(e).__name__, getattr(e, "text", "")) for e in told] == [
        ("Notice", "Reconnecting... 1/5: status 500"),
        ("Error", "too bad"),
    ]
    assert story.ended is not None
    assert (story.ended.status, story.ended.reason) == ("failed", "too bad")
