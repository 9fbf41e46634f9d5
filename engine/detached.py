"""Starting the supervisor of a task, in a session of its own: it outlives terminal and login (SPEC T4)."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import engine
from engine.state import private_dir, state_dir

# What a supervisor that cannot even start its task says; a started one writes into the task's folder.
LOG = "supervisors.log"


def fork(supervise: Callable[[], None]) -> None:
    """Run `supervise` in a fork of this process, with everything it has imported already (saves 0.1 s of a start).

    Only for a process with one thread: the command line, never the workbench.
    """
    if os.fork():
        return
    code = 1
    try:
        os.setsid()
        os.chdir("/")
        nowhere = os.open(os.devnull, os.O_RDWR)
        for source, target in ((nowhere, 0), (nowhere, 1), (_log(), 2)):
            os.dup2(source, target)
        supervise()
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        # Not sys.exit: what the parent registered to run at its end is not ours to run.
        os._exit(code)


def spawn(folder: Path) -> None:
    """Run the supervisor of the task in `folder` as a new process."""
    import subprocess

    root = str(Path(engine.__file__).parent.parent)
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
    log = _log()
    process = subprocess.Popen(
        [sys.executable, "-m", "engine.tasks", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=log,
        start_new_session=True,
        cwd="/",
        env={**os.environ, "PYTHONPATH": path},
    )
    os.close(log)
    threading.Thread(target=process.wait, name="reaper", daemon=True).start()


def _log() -> int:
    return os.open(private_dir(state_dir()) / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
