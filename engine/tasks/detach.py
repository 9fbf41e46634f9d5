"""Starting supervisors: early, so that their imports run beside the command line's own work, then handed a task."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import engine
from engine.state import private_dir, state_dir

# What a supervisor that cannot even start its task says; a started one writes into the task's folder.
LOG = "supervisors.log"


class Supervisor:
    """A supervisor process waiting for its task: in its own session, so it outlives terminal and login (SPEC T4)."""

    def __init__(self) -> None:
        self.handed_over = False
        root = str(Path(engine.__file__).parent.parent)
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
        with (private_dir(state_dir()) / LOG).open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "engine.tasks"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
                cwd="/",
                env={**os.environ, "PYTHONPATH": path},
            )

    def hand_over(self, folder: Path) -> None:
        """Give it the task in `folder`; from here on it goes its own way."""
        assert self._process.stdin is not None
        self.handed_over = True
        self._process.stdin.write(os.fsencode(folder) + b"\n")
        self._process.stdin.close()
        # A long-lived bench reaps it when it ends.
        threading.Thread(target=self._process.wait, name="reaper", daemon=True).start()

    def dismiss(self) -> None:
        """There is no task for it: it ends."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
