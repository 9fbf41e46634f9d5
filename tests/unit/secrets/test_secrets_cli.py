"""`fumehood secret`: the value goes in by a pipe, a file or a terminal, and never comes out."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from engine.environment.load import load
from engine.secrets.store import Store

VALUE = b"tok-ABCDEFGH12345678"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "fumehood.toml").write_text('name = "web"\n[secrets]\nTOKEN = {}\n')
    return tmp_path


def fumehood(project: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "tui.cli", "secret", *arguments, "--env", str(project)]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False, cwd=root)
    assert b"ABCDEFGH" not in done.stdout + done.stderr
    assert b"Traceback" not in done.stderr
    return done


def kept(project: Path, name: str = "TOKEN") -> bytes:
    return Store(load(project / "fumehood.toml")).values([name])[name].reveal()


def test_a_value_from_a_pipe_loses_one_newline(project: Path) -> None:
    assert fumehood(project, "set", "TOKEN", "-", stdin=VALUE + b"\n\n").returncode == 0
    assert kept(project) == VALUE + b"\n"


def test_a_value_from_a_file(project: Path) -> None:
    (project / "value").write_bytes(VALUE + b"\r\n")
    assert fumehood(project, "set", "TOKEN", "--file", str(project / "value")).returncode == 0
    assert kept(project) == VALUE
    assert fumehood(project, "set", "TOKEN", "--file", "/nowhere").returncode == 1
    assert fumehood(project, "set", "TOKEN", "-", "--file", "x").returncode == 2


def test_without_a_terminal_it_says_how_to_give_the_value(project: Path) -> None:
    done = fumehood(project, "set", "TOKEN")
    assert done.returncode == 2
    assert b"no terminal" in done.stderr


def test_a_value_on_the_command_line_is_refused_and_not_repeated(project: Path) -> None:
    done = fumehood(project, "set", "TOKEN", VALUE.decode())
    assert done.returncode == 2
    assert b"not taken from the command line" in done.stderr
    assert not Store(load(project / "fumehood.toml")).names()


def test_a_terminal_asks_without_echo(project: Path) -> None:
    command = [sys.executable, "-m", "tui.cli", "secret", "set", "TOKEN", "--env", str(project)]
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(Path(__file__).parents[3])
        os.execv(sys.executable, command)
    told = b""
    while b"value of TOKEN" not in told:
        told += os.read(terminal, 1024)
    os.write(terminal, VALUE + b"\n")
    try:
        while more := os.read(terminal, 1024):
            told += more
    except OSError:
        pass  # how Linux says that the other end of a terminal is closed
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert b"ABCDEFGH" not in told
    assert kept(project) == VALUE


def test_list_and_rm(project: Path) -> None:
    assert json.loads(fumehood(project, "list", "--json").stdout)["secrets"] == [
        {"name": "TOKEN", "declared": True, "set_at": None}
    ]
    fumehood(project, "set", "TOKEN", "-", stdin=VALUE)
    told = json.loads(fumehood(project, "set", "OTHER", "-", "--json", stdin=b"abc").stdout)
    assert [word in " ".join(told["warnings"]) for word in ("cannot be masked", "does not declare")] == [True, True]
    entries = json.loads(fumehood(project, "list", "--json").stdout)["secrets"]
    assert [(e["name"], e["declared"], e["set_at"] is not None) for e in entries] == [
        ("OTHER", False, True),
        ("TOKEN", True, True),
    ]
    assert b"not declared in the file" in fumehood(project, "list").stdout
    assert fumehood(project, "rm", "OTHER").returncode == 0
    assert fumehood(project, "rm", "OTHER").returncode == 2


def test_the_command_line_imports_neither_library_before_it_needs_it() -> None:
    script = (
        "import sys, tui.commands.secrets, engine.secrets.store, engine.secrets.masker, engine.secrets.scan\n"
        "import engine.secrets.diff_scan\nfrom engine.secrets.masker import Masker\n"
        "print([m for m in ('pyrage', 'ahocorasick_rs', 'docker', 'tarfile') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out == "[]\n"
