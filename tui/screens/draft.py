"""What the user wrote for a new task so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.bench.environments import EnvironmentEntry


@dataclass(slots=True)
class Draft:
    """What was written so far; kept when the dialog is left, `go` when the task is to be started."""

    prompt: str = ""
    branch: str = ""
    agent: str = ""
    attempts: int = 1
    entry: EnvironmentEntry | None = None
    go: bool = False
