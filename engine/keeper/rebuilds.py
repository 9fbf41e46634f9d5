"""What users ask of the keeper: to run setup again now, beside the snapshot there is (SPEC C5)."""

from __future__ import annotations

from pathlib import Path

from engine.keeper.clients import keeper_dir
from engine.state import write_atomic


def folder() -> Path:
    """One file for each environment that is to be set up again."""
    return keeper_dir() / "rebuilds"


def ask(environment_id: str) -> None:
    """Ask the keeper to set an environment up again."""
    write_atomic(folder() / environment_id, "")


def taken(environment_id: str) -> bool:
    """Whether that was asked for; what was asked is done with then."""
    try:
        (folder() / environment_id).unlink()
    except FileNotFoundError:
        return False
    return True
