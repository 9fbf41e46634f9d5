"""What the user wrote for a new task so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from engine.bench.environments import EnvironmentEntry


class Draft(Struct):
    """What was written so far; kept when the dialog is left, `go` when the task is to be started."""

    prompt: str = ""
    branch: str = ""
    agent: str = ""
    attempts: int = 1
    entry: EnvironmentEntry | None = None
    go: bool = False
