"""A damaged file of one task takes nothing else down, is named, and is not thrown away (SECURITY-CASES C07)."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.bench import Bench
from engine.errors import EngineError
from engine.state import tasks_dir
from engine.tasks.journal import JOURNAL, read_all
from engine.tasks.spec import load
from tests.screens import recorded
from tui.live.feed import Board, Feed

BAD, GOOD = "cccc44", "aaaa22"


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four recorded tasks, as they are before anything happens to them."""
    home = tmp_path_factory.mktemp("tasks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(home))
        recorded.everything()
        for folder in tasks_dir().iterdir():
            (folder / "task.toml").write_text(
                f'id = "{folder.name}"\nenvironment = "/e.toml"\nprompt = "p"\nagent = "loop"\nbranch = ""\n'
                "attempts = 1\ncreated_at = 1.0\n"
            )
    return home


@pytest.fixture
def state(tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(tasks, tmp_path / "state")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tasks_dir()


def flip(path: Path, random_: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
    path.write_bytes(data)


def cut(path: Path, random_: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: random_.randrange(len(data))])


def empty(path: Path, _random: random.Random) -> None:
    path.write_bytes(b"")


def folder_instead(path: Path, _random: random.Random) -> None:
    path.unlink()
    path.mkdir()


def noise(path: Path, random_: random.Random) -> None:
    path.write_bytes(random_.randbytes(3000))


def other_version(path: Path, _random: random.Random) -> None:
    path.write_bytes(path.read_bytes().replace(b'"v":1', b'"v":999').replace(b"attempts = 1", b'attempts = "x"'))


DAMAGES: list[Callable[[Path, random.Random], None]] = [flip, cut, empty, folder_instead, noise, other_version]


@pytest.mark.parametrize("seed", range(200))
def test_the_others_are_as_they_were(state: Path, seed: int) -> None:
    random_ = random.Random(seed)
    before = {task.id: task for task in Bench().tasks.list()}
    files = sorted(path for path in (state / BAD).rglob("*") if path.is_file() and path.stat().st_size)
    path = random_.choice(files)
    DAMAGES[seed % len(DAMAGES)](path, random_)
    left = path.read_bytes() if path.is_file() else b""
    after = {task.id: task for task in Bench().tasks.list()}
    assert {name: task for name, task in after.items() if name != BAD} == {n: t for n, t in before.items() if n != BAD}
    # It is still there to be seen, whatever its file says.
    assert BAD in after
    board = Board()
    board.refresh()
    assert {task.id for task in board.newest_first()} == set(before)
    if path.is_file():
        # But for a last line that was cut: that is how a crash leaves a journal, and what was not written is not known.
        assert path.read_bytes().startswith(left[: left.rfind(b"\n") + 1])
    if path == state / BAD / JOURNAL and (not path.is_file() or b'"v":999' in left):
        with pytest.raises(EngineError, match=str(path)):
            Feed(state / BAD).read_all()
    else:
        Feed(state / BAD).read_all()
        Bench().tasks.get(BAD)


def test_a_damaged_line_is_told_where_it_was(state: Path) -> None:
    path = state / BAD / JOURNAL
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], b'{"type": "phase.sta\xff\n', *lines[3:]]))
    events = list(read_all(state / BAD))
    told = [getattr(event, "text", "") for event in events]
    assert [text for text in told if "line 4" in text and str(path) in text]
    assert len(events) == len(lines) + 1
    assert Bench().tasks.get(BAD).status == "error"


def test_kinds_of_events_of_a_later_release_are_passed_over(state: Path) -> None:
    path = state / BAD / JOURNAL
    before = list(read_all(state / BAD))
    path.write_bytes(path.read_bytes() + b'{"type":"something.new","v":1,"seq":99,"ts":1.0,"run":1}\n')
    assert list(read_all(state / BAD)) == before


@pytest.mark.parametrize("kind", ["something.new", "notice"])
def test_files_of_a_newer_version_are_named_and_left_as_they_are(state: Path, kind: str) -> None:
    path = state / BAD / JOURNAL
    newer = b'{"type":"%b","v":2,"seq":99,"ts":1.0,"run":1,"level":"info","text":"x"}\n' % kind.encode()
    path.write_bytes(path.read_bytes() + newer)
    before = path.read_bytes()
    found = {task.id: task for task in Bench().tasks.list()}
    assert found[BAD].error is not None
    assert found[BAD].error.message == f"{path} was made by a newer fumehood"
    assert "update fumehood" in found[BAD].error.hint
    assert found[GOOD].error is None
    assert path.read_bytes() == before
    spec = state / GOOD / "task.toml"
    spec.write_text(spec.read_text() + 'colour = "blue"\n')
    with pytest.raises(EngineError, match="keys of a newer fumehood: colour"):
        load(spec.parent)


def test_a_journal_that_is_no_file_is_an_error_that_names_it(state: Path) -> None:
    folder_instead(state / BAD / JOURNAL, random.Random(1))
    (found,) = [task for task in Bench().tasks.list() if task.id == BAD]
    assert found.error is not None
    assert str(state / BAD / JOURNAL) in found.error.message
    with pytest.raises(EngineError, match="cannot be read"):
        Bench().tasks.get(BAD)
