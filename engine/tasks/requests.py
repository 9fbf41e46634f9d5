"""What users ask of a running task, through files in its folder that the supervisor watches."""

from __future__ import annotations

import os
from pathlib import Path

from engine.state import private_dir

ALLOW = "requests/allow"
"""Network entries the task's agent may reach too, one a line, only ever added to (SPEC N6)."""


def ask_to_allow(folder: Path, entry: str) -> None:
    """Ask the task in `folder` to let its agent reach `entry`, in its stored spelling."""
    path = folder / ALLOW
    private_dir(path.parent)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        # One write to a file opened for appending is never mixed with another's.
        os.write(descriptor, f"{entry}\n".encode("ascii"))
    finally:
        os.close(descriptor)


def asked_to_allow(folder: Path, offset: int = 0) -> tuple[list[str], int]:
    """The entries asked for from `offset` on, and the offset to go on from."""
    try:
        with (folder / ALLOW).open("rb") as file:
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return [], offset
    whole = data[: data.rfind(b"\n") + 1]
    return [line for line in whole.decode("ascii", "replace").split("\n") if line], offset + len(whole)
