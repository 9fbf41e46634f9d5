"""The user's own editor, as another program in this terminal."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from engine.errors import EngineError


def edit(path: Path) -> int:
    """Let the user edit a file; returns the editor's exit code.

    Raises:
        EngineError: it does not start.
    """
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or shutil.which("nano") or "vi"
    try:
        return subprocess.run([*shlex.split(editor), str(path)], check=False).returncode
    except (OSError, ValueError) as error:
        fault = f"the editor {editor!r} does not start: {error}"
        raise EngineError(fault, "set EDITOR to one that does") from error
