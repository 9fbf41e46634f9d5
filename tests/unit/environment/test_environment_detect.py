"""Detecting a project and writing its first environment file (SPEC E3; SECURITY-CASES B03)."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.environment.detect import detect
from engine.environment.init import initial, render, write
from engine.environment.load import check, load
from engine.errors import EngineError, UsageError

PROJECT = '[project]\nname = "p"\nversion = "1"\n'


def project(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def pip(folder: Path) -> list[str]:
    """The arguments of each `pip install` of the setup script."""
    start = "/opt/venv/bin/python -m pip install "
    return [line.removeprefix(start) for line in detect(folder).install if line.startswith(start)]


@pytest.mark.parametrize(
    ("files", "arguments"),
    [
        ({"pyproject.toml": PROJECT}, ["-e ."]),
        ({"pyproject.toml": PROJECT, "tests/test_a.py": ""}, ["-e .", "pytest"]),
        (
            {"pyproject.toml": PROJECT + "[project.optional-dependencies]\ntest = ['x']\ndev = ['y']"},
            ["-e '.[test]'"],
        ),
        (
            {"pyproject.toml": PROJECT + "[dependency-groups]\ndev = ['tox']\ntests = ['pytest>=8']", "tests/t.py": ""},
            ["-e .", "'pytest>=8'"],
        ),
        (
            {
                "pyproject.toml": PROJECT + "[dependency-groups]\n"
                "a = ['x', {include-group = 'dev'}]\ndev = ['y', {include-group = 'a'}]"
            },
            ["-e .", "y x"],
        ),
        (
            {"pyproject.toml": PROJECT, "requirements/dev.txt": "", "requirements/tests.txt": "", "tests/t.py": ""},
            ["-e .", "-r requirements/tests.txt"],
        ),
        (
            {"setup.py": "", "requirements.txt": "", "requirements-dev.txt": ""},
            ["-r requirements.txt", "-e .", "-r requirements-dev.txt"],
        ),
        ({"requirements.txt": "", "test/test_a.py": ""}, ["-r requirements.txt", "pytest"]),
        ({"pyproject.toml": "[tool.ruff]\n"}, []),
        ({"pyproject.toml": "[[[ broken", "requirements.txt": ""}, ["-r requirements.txt"]),
        ({"latest-requirements.txt": ""}, []),
    ],
)
def test_python(files: dict[str, str], arguments: list[str], tmp_path: Path) -> None:
    assert pip(project(tmp_path, files)) == arguments
    assert detect(tmp_path).kinds == ("python",)


def test_hostile_manifests_stay_arguments(tmp_path: Path) -> None:
    groups = "[dependency-groups]\ntest = ['$(touch x)', '--index-url=http://evil.test', 3, {include-group = 4}]\n"
    project(tmp_path, {"pyproject.toml": PROJECT + groups, "requirements/test;x.txt": ""})
    assert pip(tmp_path) == ["-e .", "'$(touch x)'", "-r 'requirements/test;x.txt'"]
    doubling = "".join(f"g{n} = [{{include-group = 'g{n + 1}'}}, {{include-group = 'g{n + 1}'}}]\n" for n in range(60))
    project(tmp_path, {"pyproject.toml": PROJECT + "[dependency-groups]\ntest = [{include-group = 'g0'}]\n" + doubling})
    assert pip(tmp_path)[0] == "-e ."


def test_node(tmp_path: Path) -> None:
    project(tmp_path, {"package.json": '{"scripts": {"test": "node --test"}}'})
    assert detect(tmp_path).install == ("npm install --no-package-lock",)
    assert detect(tmp_path).test == ("npm", "test")
    project(tmp_path, {"package-lock.json": "{}"})
    assert detect(tmp_path).install == ("npm ci",)
    assert detect(tmp_path).watch == ("package.json", "package-lock.json")
    project(tmp_path, {"package.json": "[" * 100_000})
    assert detect(tmp_path).kinds == ("node",)


def test_both_and_none(tmp_path: Path) -> None:
    assert detect(tmp_path).kinds == ()
    assert detect(tmp_path).setup_script == ""
    project(tmp_path, {"package.json": "{}", "pyproject.toml": PROJECT})
    assert detect(tmp_path).kinds == ("python", "node")


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"package.json": "{}"},
        {"pyproject.toml": PROJECT, "tests/t.py": "", "package-lock.json": "", "package.json": "{}"},
    ],
)
def test_the_first_file_is_valid_and_its_scripts_are_bash(files: dict[str, str], tmp_path: Path) -> None:
    folder = project(tmp_path / "-Odd: näme.", files)
    folder.mkdir(exist_ok=True)
    path = folder / "fumehood.toml"
    write(path, initial(folder))
    assert check(path) == []
    environment = load(path)
    assert environment.setup.script == detect(folder).setup_script
    for script in (environment.setup.script, environment.maintenance.script):
        subprocess.run(["bash", "-n"], input=script.encode(), check=True)


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
