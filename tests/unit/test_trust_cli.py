"""Trust on the command line: who is asked, who is told, who is refused (SPEC E7)."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from engine.environment.load import load
from engine.environment.trust import trusted
from tui.cli import main

EVIL = "\x1b[2J\u202e"
# An agent that is not there ends the start behind the question of trust.
EXEC = ("exec", "--agent", "nobody", "go")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project as the current folder, with an environment that nobody trusts."""
    (tmp_path / "fumehood.toml").write_text('name = "web"\n[setup]\nscript = "echo \\u001b[2J\\u202E"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    told = capsys.readouterr()
    return code, told.out, told.err


def is_trusted(project: Path) -> bool:
    return trusted(load(project / "fumehood.toml"))


@pytest.mark.parametrize("named", [(), ("--env", "web"), ("--env", "WEB")])
def test_what_was_found_or_named_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str], named: tuple[str, ...]
) -> None:
    code, _, err = run(capsys, *EXEC, *named)
    assert code == 2
    assert "is not trusted yet" in err
    assert f"fumehood env trust {project}/fumehood.toml" in err
    assert not is_trusted(project)


@pytest.mark.parametrize("reference", [".", "fumehood.toml", "./fumehood.toml"])
def test_a_path_on_the_command_line_is_consent(
    project: Path, capsys: pytest.CaptureFixture[str], reference: str
) -> None:
    path = project / "fumehood.toml"
    _, out, err = run(capsys, *EXEC, "--env", reference)
    assert f"trusting {path} (first use); review: fumehood env trust --show {path}\n" in err
    assert "unknown agent" in err
    assert out == ""
    assert is_trusted(project)
    assert "trusting" not in run(capsys, *EXEC, "--env", reference)[2]
    path.write_text(path.read_text().replace("echo", "curl"))
    assert "changed since you trusted it: setup.script" in run(capsys, *EXEC)[2]
    assert f"trusting {path} (changed: setup.script)" in run(capsys, *EXEC, "--env", reference)[2]


def test_so_is_one_in_the_variable(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FUMEHOOD_ENV", str(project))
    assert "(first use)" in run(capsys, *EXEC)[2]
    assert is_trusted(project)


def test_so_is_the_option(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *EXEC, "--trust", "--json")
    assert f"trusting {project}/fumehood.toml: first use" in err
    assert "unknown agent" in json.loads(out)["error"]["message"]
    assert (code, is_trusted(project)) == (2, True)


class Terminal(io.StringIO):
    """Text as from a terminal, or for one."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("answer", "agreed"), [("y\n", True), ("Yes\n", True), ("\n", False), ("n\n", False), ("", False)]
)
@pytest.mark.parametrize("named", [(), ("--env", ".")])
def test_at_a_terminal_it_is_asked_once(
    project: Path, monkeypatch: pytest.MonkeyPatch, answer: str, agreed: bool, named: tuple[str, ...]
) -> None:
    told = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys, "stderr", told)
    assert main([*EXEC, *named]) == 2
    shown = told.getvalue()
    assert "echo ␛[2J⟨202E⟩" in shown
    assert not {"\x1b", "\u202e"} & set(shown)
    assert "Run this? [y/N]" in shown
    assert is_trusted(project) == agreed
    assert ("unknown agent" in shown) == agreed
    assert ("is not trusted yet: nothing of it runs" in shown) != agreed


def test_a_prompt_from_standard_input_leaves_nothing_to_answer_with(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    monkeypatch.setattr(sys, "stderr", told)
    assert main(["exec", "-"]) == 2
    assert "is not trusted yet: nothing of it runs" in told.getvalue()
    assert not is_trusted(project)


def test_trusting_showing_and_revoking(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "env", "trust", "--show")
    assert code == 1
    assert "setup.script" in out
    assert "echo ␛[2J⟨202E⟩" in out
    assert not is_trusted(project)
    assert run(capsys, "env", "trust")[0] == 0
    assert is_trusted(project)
    assert run(capsys, "env", "trust", "web", "--show")[0] == 0
    shown = json.loads(run(capsys, "env", "trust", ".", "--show", "--json")[1])
    assert shown["trusted"]
    assert shown["changed"] == []
    assert shown["security"]["setup.script"] == f"echo {EVIL}"
    (project / "fumehood.toml").write_text("broken")
    assert run(capsys, "env", "trust")[0] == 2
    assert run(capsys, "env", "trust", "--revoke")[0] == 0
    (project / "fumehood.toml").write_text('name = "web"\n[setup]\nscript = "echo \\u001b[2J\\u202E"\n')
    assert not is_trusted(project)


def test_reading_needs_no_trust(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (("env", "check"), ("env", "list"), ("network", "show"), ("network", "check", "x.org")):
        assert "is not trusted" not in run(capsys, *arguments)[2], arguments
    assert not is_trusted(project)


def test_a_file_made_here_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, words in enumerate((("init",), ("env", "init"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert run(capsys, *words, str(folder))[0] == 0
        assert is_trusted(folder)
    monkeypatch.chdir(tmp_path / "0")
    assert "unknown agent" in run(capsys, *EXEC)[2]
