"""The adapter alone, with the real program, in containers of its own: sessions, and a way that is not there."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.agents.base import Begun, Ended, Finished, Job, Output, Started, Yielded
from engine.agents.codex import CodexAgent, program
from engine.agents.drive import ContainerTerminal
from engine.containers.container import Container, Mount, create
from engine.tasks import events as ev
from engine.tasks.work import Work
from tests.agents.codex_model import scripted, step
from tests.agents.model_server import ModelServer
from tests.docker.outlets import laboratory

pytestmark = [pytest.mark.docker, pytest.mark.slow]


class Place:
    """Containers of one piece of work, and codex as its agent."""

    def __init__(self, work: Work, image: str, home: Path) -> None:
        self.work, self.image, self.home = work, image, home
        self.made: list[Container] = []

    def container(self, mounts: Sequence[Mount] | None = None) -> Container:
        """A new one, started, with what the agent asks for unless it is given other mounts."""
        wanted = CodexAgent().mounts({}) if mounts is None else mounts
        made = create(self.work.api, self.work.container_spec(self.image, "task", len(self.made) + 2, tuple(wanted)))
        self.made.append(made)
        made.start()
        made.bash("mkdir -p /workspace/repo && git -C /workspace/repo init -q")
        return made

    def run(self, container: Container, model: ModelServer, prompt: str = "go", session: str = "") -> list[Yielded]:
        """Everything the adapter yields for one turn."""
        settings: Mapping[str, Any] = {"model": "gpt-5.5", "base_url": model.url, "key_env": "OPENAI_API_KEY"}
        terminal = ContainerTerminal(container, threading.Event())
        job = Job(prompt, "/workspace/repo", terminal, self.home, self.home, session=session, settings=settings)

        async def all_of_it() -> list[Yielded]:
            return [item async for item in CodexAgent().start(job)]

        return asyncio.run(all_of_it())


@pytest.fixture
def place(agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("XDG_DATA_HOME", str(agents))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-scripted")
    (tmp_path / "repo").mkdir()
    with laboratory(tmp_path / "repo") as (work, container):
        made = Place(work, container.image, tmp_path / "agent" / "1")
        try:
            yield made
        finally:
            for one in made.made:
                one.remove()


def usage(events: list[Yielded]) -> ev.Usage:
    return [event for event in events if isinstance(event, ev.Usage)][-1]


def test_a_session_goes_on_in_another_container(place: Place) -> None:
    steps = [step(shell=["echo one"]), step(say="first"), step(shell=["echo two"]), step(say="second")]
    with scripted(*steps) as model:
        first = place.run(place.container(), model, "remember: blue")
        session = first[-1].session if isinstance(first[-1], Ended) else ""
        # What one turn leaves on the host: the thread; neither a key nor a way to the container.
        assert not (place.home / "auth.json").exists()
        assert not (place.home / "link").exists()
        place.made[0].remove()
        second = place.run(place.container(), model, "which colour?", session)
    assert isinstance(first[0], Begun)
    assert first[0].session == session != ""
    assert first[-1] == Ended("completed", "first", session=session, exit_code=0)
    assert second[-1] == Ended("completed", "second", session=session, exit_code=0)
    assert [event.data for event in second if isinstance(event, Output)] == [b"two\n"]
    assert "remember: blue" in json.dumps(model.requests[-1]["input"])
    # Codex counts over both turns, the journal each run for itself.
    assert usage(first).input == usage(second).input == 200


def test_a_session_that_is_gone_begins_anew_and_says_so(place: Place) -> None:
    with scripted(step(say="hello")) as model:
        events = place.run(place.container(), model, session="01a204d0-787e-7652-9af2-3c4fafd3e00e")
    notices = [event.text for event in events if isinstance(event, ev.Notice)]
    assert any("it begins a new one" in text for text in notices)
    assert isinstance(events[-1], Ended)
    assert (events[-1].status, events[-1].answer) == ("completed", "hello")


def test_without_a_way_to_the_container_the_model_is_not_even_asked(place: Place) -> None:
    with scripted(step(say="all is well")) as model:
        events = place.run(place.container(mounts=()), model)
        assert model.requests == []
    errors = [event for event in events if isinstance(event, ev.Error)]
    assert [error.kind for error in errors] == ["container"]
    assert isinstance(events[-1], Ended)
    assert events[-1].status == "failed"


def test_a_flood_of_output_arrives_whole_and_in_order(place: Place) -> None:
    with scripted(step(shell=["seq 1 400000"]), step(say="done")) as model:
        events = place.run(place.container(), model)
    data = b"".join(event.data for event in events if isinstance(event, Output))
    assert data == b"".join(b"%d\n" % i for i in range(1, 400001))
    assert [event.exit_code for event in events if isinstance(event, Finished)] == [0]
    assert [event.command for event in events if isinstance(event, Started)] == ["seq 1 400000"]


def test_what_a_command_leaves_running_ends_with_the_turn(place: Place) -> None:
    with scripted(step(shell=["sleep 987654 & echo started"], yields_after=1000), step(say="done")) as model:
        container = place.container()
        events = place.run(container, model)
    assert isinstance(events[-1], Ended)
    assert events[-1].status == "completed"
    assert container.bash("pgrep -f 'sleep 98765[4]'").exit_code == 1


def test_the_program_is_seen_read_only(place: Place) -> None:
    container = place.container()
    done = container.bash('echo x > "$1" 2>&1 || touch "${1%/*}/new"', program.find().inside)
    assert done.exit_code != 0
