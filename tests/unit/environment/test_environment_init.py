"""Writing the first environment file of a project (SPEC E3; SECURITY-CASES B03)."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.environment.init import initial, render, write
from engine.environment.load import check, load
from engine.errors import EngineError, UsageError

PROJECT = '[project]\nname = "p"\nversion = "1"\n'


def project(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("files", "automatic"),
    [
        ({}, False),
        ({"README.md": ""}, False),
        ({"package.json": "{}"}, True),
        ({"pyproject.toml": PROJECT, "tests/t.py": "", "package-lock.json": "", "package.json": "{}"}, True),
        ({"web/yarn.lock": "", "web/package.json": ""}, True),
    ],
)
def test_the_first_file_is_valid(files: dict[str, str], automatic: bool, tmp_path: Path) -> None:
    folder = project(tmp_path / "-Odd: näme.", files)
    folder.mkdir(exist_ok=True)
    path = folder / "fumehood.toml"
    write(path, initial(folder))
    assert check(path) == []
    assert load(path).setup.auto is automatic


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "fumehood.toml"
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="exists already"):
        write(path, {"name": "x"})
    write(path, {"name": "x"}, force=True)
    assert load(path).name == "x"
    with pytest.raises(EngineError, match="cannot write"):
        write(path / "below" / "fumehood.toml", {"name": "x"})


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_scripts_survive_writing(script: str) -> None:
    data = {"name": "x", "setup": {"script": script + "\n"}, "variables": {"A": script}}
    assert tomllib.loads(render(data)) == data


@pytest.mark.parametrize("script", ["a\r\nb\r\n", "no end", "cat <<EOF\n$A `b` \"c\" 'd' \\\nEOF\n", '"""', "\n\n"])
def test_scripts_survive_writing_and_loading(script: str, tmp_path: Path) -> None:
    path = tmp_path / "fumehood.toml"
    write(path, {"name": "x", "setup": {"script": script}})
    assert load(path).setup.script == script
