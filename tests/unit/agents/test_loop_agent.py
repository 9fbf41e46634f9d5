"""The loop against scripted models: its options, its conversation, what it does when models fail (SPEC A1, A4)."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.agents.base import Alive, Begun, Ended, Finished, Output, Started, Yielded
from engine.agents.loop.agent import LoopAgent
from engine.agents.loop.conversation import Answer, Call, Result, Results, Session, Turn, User, tokens, trimmed
from engine.agents.loop.settings import read
from engine.tasks import events as ev
from tests.agents.model_server import ModelServer, Step, serving
from tests.unit.agents.terminals import turn


async def run(model: ModelServer, folder: Path, prompt: str = "go", session: str = "", **options: Any) -> list[Yielded]:
    given = {"model": "m", "base_url": model.url, "retries": 0, **options}
    return await turn(LoopAgent(), folder, prompt, session, **given)


def ended(items: list[Yielded]) -> Ended:
    assert isinstance(items[-1], Ended)
    return items[-1]


async def test_commands_run_and_their_results_are_sent_back(tmp_path: Path) -> None:
    with serving(Step(shell=["echo one; exit 3", "true"]), Step(say="done")) as model:
        items = await run(model, tmp_path)
    kinds = [type(item) for item in items if not isinstance(item, (Alive, ev.Usage))]
    assert kinds == [Begun, Started, Output, Finished, Started, Finished, Ended]
    results = [m["content"] for m in model.requests[1]["messages"] if m["role"] == "tool"]
    assert results == ["exit code 3\none\n", "exit code 0, nothing was printed"]
    assert (ended(items).status, ended(items).answer) == ("completed", "done")


async def test_a_follow_up_goes_on_in_the_conversation(tmp_path: Path) -> None:
    with serving(Step(shell=["echo one"]), Step(say="done"), Step(say="more done")) as model:
        first = await run(model, tmp_path, "first")
        second = await run(model, tmp_path, "second", ended(first).session)
    roles = [m["role"] for m in model.requests[2]["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert ended(second).session == ended(first).session
    (kept,) = (tmp_path / "home/loop").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["0" * 16, "../../x", "damaged", ""])
async def test_a_conversation_that_is_gone_begins_anew(tmp_path: Path, name: str) -> None:
    with serving(Step(say="done")) as model:
        items = await run(model, tmp_path, session=name)
    notices = [item.text for item in items if isinstance(item, ev.Notice)]
    assert ["gone" in text for text in notices] == ([True] if name else [])
    assert ended(items).session not in ("", name)


def test_a_conversation_stopped_in_a_command_can_go_on(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.turns += [User("u"), Answer("", [Call("a", "bash", "{}"), Call("b", "bash", "{}")])]
    session.save()
    again = Session(tmp_path, session.name)
    assert isinstance(again.turns[-1], Results)
    assert [result.call for result in again.turns[-1].results] == ["a", "b"]


async def test_an_answer_that_was_cut_or_empty_is_asked_for_again(tmp_path: Path) -> None:
    with serving(Step(say="half", full=True), Step(), Step(say="whole")) as model:
        items = await run(model, tmp_path)
    assert [item.text for item in items if isinstance(item, ev.Message)] == ["half"]
    assert ended(items).answer == "whole"
    with serving(Step()) as model:
        items = await run(model, tmp_path)
    assert (ended(items).status, len(model.requests)) == ("failed", 2)


async def test_the_pause_a_server_asks_for_is_kept(tmp_path: Path) -> None:
    with serving(Step(status=429, headers=[("Retry-After", "1")]), Step(say="done")) as model:
        items = await run(model, tmp_path, retries=1)
    (notice,) = (item for item in items if isinstance(item, ev.Notice))
    assert "HTTP 429: scripted; asking again in 1.0 s (1 of 1)" in notice.text
    assert ended(items).status == "completed"


@pytest.mark.parametrize(
    ("step", "kind", "said", "hint"),
    [
        (Step(status=401), "auth", "HTTP 401", "wants a key"),
        (Step(status=404), "model", "HTTP 404", "is m a model of"),
        (Step(status=429, error={"error": {"code": "insufficient_quota", "message": "pay"}}), "model", "pay", ""),
        (Step(status=400, error={"error": "plain"}), "model", "plain", ""),
        (Step(status=302, headers=[("Location", "http://127.0.0.1:1/")]), "model", "HTTP 302", ""),
        (Step(raw=b"data: {\n\n"), "model", "not JSON", "answer?"),
        (Step(raw=b'data: {"choices": 5}\n\n'), "model", "cut off", "answer?"),
        (Step(raw=b""), "model", "cut off", "answer?"),
        (Step(cut=True, say="x" * 1000), "model", "cut off", "answer?"),
    ],
)
async def test_a_model_that_fails_is_told_with_what_to_do(
    tmp_path: Path, step: Step, kind: str, said: str, hint: str
) -> None:
    with serving(step) as model:
        items = await run(model, tmp_path)
    (error,) = (item for item in items if isinstance(item, ev.Error))
    assert (error.kind, said in error.text, hint in error.hint) == (kind, True, True), error
    assert (ended(items).status, len(model.requests)) == ("failed", 1)


async def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    with serving(Step()) as model:
        pass
    items = await run(model, tmp_path)
    (error,) = (item for item in items if isinstance(item, ev.Error))
    assert model.url.split("/")[2] in error.text


async def test_a_local_server_is_not_called_through_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with serving(Step(say="done")) as model:
        assert ended(await run(model, tmp_path)).status == "completed"


async def test_other_servers_are_called_through_the_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with serving(Step(status=404)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
        items = await run(proxy, tmp_path, base_url="http://model.invalid/v1")
        assert proxy.headers[0]["host"] == "model.invalid"
    assert ended(items).status == "failed"


async def test_a_command_is_ended_at_its_limit_and_the_model_told(tmp_path: Path) -> None:
    with serving(Step(shell=["echo begun; sleep 100"]), Step(say="done")) as model:
        items = await run(model, tmp_path, command_timeout="1s")
    (finished,) = (item for item in items if isinstance(item, Finished))
    assert finished.exit_code == 124
    assert model.requests[1]["messages"][-1]["content"] == "stopped at the limit of 1 seconds\nbegun\n"


async def test_a_model_that_holds_less_is_given_less(tmp_path: Path) -> None:
    too_long = Step(status=400, error={"error": {"code": "context_length_exceeded", "message": "too long"}})
    talk = [Step(shell=["head -c 9000 /dev/zero | tr '\\0' x"])] * 4
    with serving(*talk, too_long, Step(say="done")) as model:
        items = await run(model, tmp_path)
    assert ended(items).answer == "done"
    assert len(json.dumps(model.requests[5])) < len(json.dumps(model.requests[4])) * 3 // 4
    assert any("trimmed" in item.text for item in items if isinstance(item, ev.Notice))


async def test_the_requests_of_a_turn_are_counted_with_those_that_fail(tmp_path: Path) -> None:
    with serving(Step(status=500), Step(shell=["true"])) as model:
        items = await run(model, tmp_path, retries=5, max_requests=3)
    assert (ended(items).status, len(model.requests)) == ("limit", 3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "no model is named"),
        ({"model": 3}, "no model is named"),
        ({"model": "m", "api": "soap"}, "must be one of chat, responses, messages"),
        ({"model": "m", "api": ["chat"]}, "must be one of"),
        ({"model": "m", "base_url": "ftp://x"}, "base_url must be like"),
        ({"model": "m", "base_url": "http://u:p@x"}, "base_url must be like"),
        ({"model": "m", "base_url": "http://[x"}, "base_url must be like"),
        ({"model": "m"}, "export OPENAI_API_KEY=…"),
        ({"model": "m", "api": "messages"}, "export ANTHROPIC_API_KEY=…"),
        ({"model": "m", "key_env": "ODD"}, "ODD is no key"),
        ({"model": "m", "base_url": "http://x", "retries": 99}, "retries must be a number from 0 to 20"),
        ({"model": "m", "base_url": "http://x", "command_timeout": "soon"}, "command_timeout 'soon' is not a duration"),
        ({"model": "m", "base_url": "http://x", "request": {"stream": False}}, "request must be a table"),
        ({"model": "m", "base_url": "http://x", "temprature": 1}, "option temprature is unknown"),
    ],
)
def test_options_are_read_strictly(options: dict[str, Any], said: str) -> None:
    settings, problems = read(options, {"ODD": "two words"})
    assert settings is None
    assert said in " ".join(problems)


def test_no_server_gets_a_key_that_was_not_named_for_it() -> None:
    variables = {"OPENAI_API_KEY": "sk-1", "OTHER": "sk-2"}
    local = {"model": "m", "base_url": "http://localhost:8000/v1/"}
    keys = [read(options, variables)[0] for options in ({"model": "m"}, local, {**local, "key_env": "OTHER"})]
    assert [settings and settings.key for settings in keys] == ["sk-1", "", "sk-2"]
    assert "sk-1" not in repr(keys[0])


async def test_the_request_can_be_added_to(tmp_path: Path) -> None:
    with serving(Step(say="done")) as model:
        await run(model, tmp_path, request={"temperature": 0, "reasoning_effort": "high"})
    assert (model.requests[0]["temperature"], model.requests[0]["reasoning_effort"]) == (0, "high")


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 3000), st.booleans()), max_size=12), st.integers(-50, 5000)
)
def test_trimming_keeps_prompts_the_end_and_each_call_with_its_result(
    parts: list[tuple[int, int, bool]], room: int
) -> None:
    turns: list[Turn] = [User("first")]
    for number, (said, printed, prompt) in enumerate(parts):
        turns += [Answer("a" * said, [Call(str(number), "bash", "{}")]), Results([Result(str(number), "r" * printed)])]
        turns += [User(f"prompt {number}")] if prompt else []
    short = trimmed(turns, room)
    assert [turn for turn in short if isinstance(turn, User)] == [turn for turn in turns if isinstance(turn, User)]
    assert short[-4:] == turns[-4:]
    for before, after in pairwise(short):
        if isinstance(after, Results):
            assert isinstance(before, Answer)
            assert [call.id for call in before.calls] == [result.call for result in after.results]
    assert sum(isinstance(t, Answer) for t in short) == sum(isinstance(t, Results) for t in short)
    if tokens(turns) <= room:
        assert short is turns
