"""AGENTS.md as the project has it: from the top down, one a folder, 32 KiB (SPEC A3)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.agents import instructions
from engine.agents.instructions import LIMIT, Instructions, from_fields, project_instructions
from engine.tasks import events as ev
from tests.unit.agents.terminals import HereTerminal
from tui.present.instructions import instructions_line
from tui.present.plain import PlainLog


def repository(folder: Path, below: str, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_md", ".md").replace("_override", ".override")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    subprocess.run(["git", "-C", str(folder), "add", "-A"], check=True)
    (folder / below).mkdir(parents=True, exist_ok=True)
    return str(folder / below).rstrip("/")


async def read(folder: Path, below: str = "", **files: str) -> Instructions:
    return await project_instructions(HereTerminal(), repository(folder, below, files))


async def test_files_from_the_top_to_the_work_directory_are_read_in_this_order(tmp_path: Path) -> None:
    files = {"AGENTS_md": "top", "a__AGENTS_md": "a", "a__b__AGENTS_md": "b", "a__c__AGENTS_md": "c"}
    found = await read(tmp_path, "a/b", **files)
    assert found.files == ("AGENTS.md", "a/AGENTS.md", "a/b/AGENTS.md")
    assert [found.text.index(f">\n{name}\n<") for name in ("top", "a", "b")] == sorted(
        found.text.index(f">\n{name}\n<") for name in ("top", "a", "b")
    )
    assert found.notices == ()


async def test_an_override_takes_the_place_of_its_neighbour_and_empty_files_are_passed_over(tmp_path: Path) -> None:
    found = await read(
        tmp_path, "a", AGENTS_md="plain", AGENTS_override_md="mine", a__AGENTS_override_md="", a__AGENTS_md="x"
    )
    assert found.files == ("AGENTS.override.md", "a/AGENTS.md")
    assert "plain" not in found.text


async def test_files_further_down_are_named(tmp_path: Path) -> None:
    found = await read(tmp_path, AGENTS_md="top", a__AGENTS_md="a", a__b__AGENTS_md="b")
    assert found.files == ("AGENTS.md",)
    assert "- a/AGENTS.md\n- a/b/AGENTS.md" in found.text


def test_commands_for_tests_and_linters_are_found_in_code() -> None:
    text = """# Work
Run `make test` before you finish, `ruff check .` too, and read `tests/README.md`; `see the test` is no command.
Never `rm -rf test`. The folder `src/` is checked by `./scripts/check --all`.

```sh
$ npm run lint   # style
pytest -q tests
echo pytest
```
"""
    assert list(instructions.commands_in(text)) == [
        ("test", "make test"),
        ("lint", "ruff check ."),
        ("lint", "./scripts/check --all"),
        ("lint", "npm run lint"),
        ("test", "pytest -q tests"),
    ]


def test_the_journal_tells_the_files_the_commands_and_what_setup_made() -> None:
    found = from_fields(
        ["file", "AGENTS.md", "0", "`make test`", "file", "a/AGENTS.md", "1", "`make test` `make lint`"]
    )
    told, notice = found.events()
    assert isinstance(told, ev.Instructions)
    assert told.files == [("AGENTS.md", False), ("a/AGENTS.md", True)]
    assert told.commands == [("test", "make test"), ("lint", "make lint")]
    assert isinstance(notice, ev.Notice)
    assert "made or changed by setup" in notice.text
    assert list(Instructions().events()) == []
    line = "AGENTS.md, a/AGENTS.md (made by setup) · test: make test · lint: make lint"
    assert instructions_line(told) == line
    assert list(PlainLog(colour=False).lines(told)) == [f"· {line}"]


async def test_a_project_without_any_has_none(tmp_path: Path) -> None:
    assert await read(tmp_path) == Instructions()
    assert await project_instructions(HereTerminal(), str(tmp_path / "nowhere")) == Instructions()


async def test_all_together_are_limited(tmp_path: Path) -> None:
    found = await read(tmp_path, "a/b", AGENTS_md="x" * 1000, a__AGENTS_md="é" * LIMIT, a__b__AGENTS_md="late")
    assert LIMIT - 10 < len(found.text.encode()) < LIMIT + 500
    assert [("in part" in n, "not given" in n) for n in found.notices] == [(True, False), (False, True)]


async def test_what_setup_made_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = tmp_path / "record"
    record.write_bytes(b"100644 0123 0\tother\x00100644 0123 0\tAGENTS.md\x00")
    monkeypatch.setattr(instructions, "LEFTOVERS", str(record))
    found = await read(tmp_path / "w", "a", AGENTS_md="planted", a__AGENTS_md="fine")
    assert found.notices == ("AGENTS.md was made or changed by setup; the repository does not have it so",)
    assert found.text.count("made by the setup") == 1


async def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "AGENTS.md")
    assert await read(tmp_path) == Instructions()


@given(st.lists(st.sampled_from(["file", "below"]) | st.text(), max_size=12))
def test_no_fields_break_it(fields: list[str]) -> None:
    assert len(from_fields(fields).text) < LIMIT * 4
