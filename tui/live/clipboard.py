"""Copying from the workbench: over SSH too, and where a terminal does not take it, by a file."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import EngineError
from engine.state import state_dir, write_atomic

if TYPE_CHECKING:
    from textual.app import App

# Terminals refuse more in one sequence (OSC 52).
_LONGEST = 100_000


def copy(app: App[int], text: str) -> Path:
    """Put text on the clipboard of the terminal, and into a file; returns the file.

    tmux does not let the sequence for it pass by itself, but sends its own when it is asked to.

    Raises:
        EngineError: the file cannot be written.
    """
    path = state_dir() / "copied.txt"
    try:
        write_atomic(path, text)
    except OSError as error:
        raise EngineError(f"cannot write {path}: {error.strerror}", "see whether the disk is full") from error
    tmux = shutil.which("tmux") if os.environ.get("TMUX") else None
    if tmux:
        # Started and left alone: whoever looks at a slow terminal must not wait for it.
        process = subprocess.Popen([tmux, "load-buffer", "-w", str(path)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        app.set_timer(2, process.poll)
    elif len(text) <= _LONGEST:
        app.copy_to_clipboard(text)
    return path
