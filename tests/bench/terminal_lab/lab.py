"""Where the measuring takes place: folders of its own, the programs that are measured, tasks that print."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.terminal_lab.driver import Program

ROOT = Path(__file__).resolve().parents[3]
MINIMAL = [sys.executable, str(Path(__file__).with_name("minimal.py"))]
# As the script that pip installs has it.
FUMEHOOD = [sys.executable, "-c", "import sys; from tui.cli import main; sys.exit(main())"]
_TOOLONG = "toolong==1.5.0"
_ENVIRONMENT = """\
name = "web"
[repository]
url = "."
default_branch = "main"
[image]
name = "fumehood/base:bookworm"
[agent]
use = "replay"
plan = "replay.json"
"""


class Lab:
    """A scratch folder on a disk, not in memory, and what is started in it.

    Args:
        quick: smaller inputs and fewer rounds.
    """

    def __init__(self, folder: Path, *, quick: bool) -> None:
        self.folder, self.quick = folder, quick
        self.project = folder / "project"
        (self.project / ".git").mkdir(parents=True)
        (self.project / ".git/HEAD").write_text("ref: refs/heads/main\n")
        (self.project / "fumehood.toml").write_text(_ENVIRONMENT)
        (self.project / "replay.json").write_text('[{"final": "ok"}]')
        self.toolong, self.without_toolong = _toolong(cache_folder())

    def state(self, name: str) -> Path:
        """The folder of states with this name, for `XDG_STATE_HOME`."""
        path = self.folder / "states" / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def variables(self, state: Path) -> dict[str, str]:
        """The environment of a program that shall see the tasks of a state, in a terminal of today."""
        left_out = ("NO_COLOR", "TMUX", "TMUX_PANE", "SSH_CONNECTION", "SSH_TTY", "COLUMNS", "LINES", "LESS", "PAGER")
        left_out += ("PYTHONDONTWRITEBYTECODE",)
        own = {name: value for name, value in os.environ.items() if name not in left_out}
        own |= {f"XDG_{kind}_HOME": str(self.folder / kind.lower()) for kind in ("CONFIG", "CACHE", "DATA")}
        own |= {"XDG_STATE_HOME": str(state), "HOME": str(self.folder), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
        own |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_PAGER": "less", "LESSHISTFILE": "-"}
        return own | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}

    def program(self, *argv: str, state: Path | None = None, folder: Path | None = None) -> Program:
        """A program in a terminal of 120×40."""
        return Program(argv, variables=self.variables(state or self.state("none")), folder=folder or self.project)

    def fumehood(self, *words: str, state: Path) -> Program:
        """The workbench; no keeper is started, which would rebuild caches meanwhile."""
        return self.program(*FUMEHOOD, *words, "--no-watch", state=state)

    @contextmanager
    def printing(self, state: Path, name: str, rate: int) -> Iterator[Path]:
        """A running task that prints so many lines a second; its folder's output file."""
        feeder = [sys.executable, "-m", "tests.bench.terminal_lab.feeder", str(state), name, str(rate)]
        process = subprocess.Popen(feeder, stdout=subprocess.PIPE, env=self.variables(state), text=True)
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError("the task that prints did not begin")
            yield state / "fumehood" / "tasks" / name / "output" / "0001.log"
        finally:
            process.kill()
            process.communicate()
            shutil.rmtree(state / "fumehood" / "tasks" / name)


def cache_folder() -> Path:
    """What is kept from run to run, and where scratch folders are made: on a disk, not in memory."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fumehood-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="run-") as folder:
        yield Path(folder)


def _toolong(folder: Path) -> tuple[str, str]:
    """The program of toolong, installed into an environment of its own, or "" and why not."""
    home = folder / "toolong"
    program = home / "bin" / "tl"
    if program.exists():
        return str(program), ""
    steps = ([sys.executable, "-m", "venv", str(home)], [str(home / "bin/pip"), "install", "-q", _TOOLONG])
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(home, ignore_errors=True)
            return "", f"cannot install {_TOOLONG}: {(done.stderr.strip().splitlines() or ['?'])[-1]}"
    return str(program), ""
