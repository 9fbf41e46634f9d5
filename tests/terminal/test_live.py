"""The whole way in a terminal: a task started from the workbench outlives it, and a new one shows it without a gap."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.docker.conftest import Lab, environment, lab
from tests.terminal.test_tmux import Tmux

pytestmark = [
    pytest.mark.terminal,
    pytest.mark.docker,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]
__all__ = ["lab"]

COUNT = "for i in $(seq 120); do echo line $i; sleep 0.05; done; echo more >> README"


def test_a_killed_workbench_loses_nothing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    project = lab.project("live", environment(command=COUNT))
    for name, value in lab.variables.items():
        monkeypatch.setenv(name, value)
    tmux = Tmux(project)
    try:
        tmux.open(140, 40)
        tmux.until("2 Environment ─ web", "no snapshot yet")
        tmux.press("n")
        tmux.until("New task")
        tmux.press("count the lines")
        tmux.until("count the lines")
        tmux.press("C-s")
        tmux.until("Run this file?")
        tmux.press("y")
        tmux.until("line 5", seconds=60)
        os.kill(tmux.pid, signal.SIGKILL)
        (task,) = [folder.name for folder in (lab.home / "state" / "fumehood" / "tasks").iterdir()]
        followed = lab.run("logs", "-f", "--raw", task, timeout=60)
        assert followed.stdout.splitlines() == [f"line {number}" for number in range(1, 121)]
        tmux.close()
        tmux.open(140, 40)
        shown = tmux.until("line 120", "ready", "+ more", seconds=30)
        assert "count the lines" in shown
    finally:
        tmux.close()
    assert json.loads(lab.run("status", task, "--json").stdout)["status"] == "ready"
    assert Path(project / "README").read_text() == "a project\n"
