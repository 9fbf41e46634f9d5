"""What a task was asked to do, kept as `task.toml` in its folder."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from engine.errors import EngineError
from engine.state import private_dir, state_dir, tasks_dir, write_atomic

SPEC = "task.toml"
LOCK = "lock"
CANCEL = "requests/cancel"
# Instead of SPEC in the folder of a task that only plays a recording: which one, and how fast.
PLAYBACK = "playback.toml"
_ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"


class TaskSpec(Struct, frozen=True):
    """One prompt for one environment; `environment` is the absolute path of its file."""

    id: str
    environment: str
    prompt: str
    agent: str
    branch: str
    attempts: int
    created_at: float

    @property
    def folder(self) -> Path:
        """`tasks/ID` below the state folder."""
        return tasks_dir() / self.id

    def save(self) -> None:
        """Write `task.toml` (tomli-w)."""
        import tomli_w

        write_atomic(self.folder / SPEC, tomli_w.dumps(asdict(self)))


def new_id() -> str:
    """A fresh task id, with its folder made.

    Raises:
        EngineError: the state folder cannot be written.
    """
    return fresh_folder(tasks_dir()).name


def supervisors_log() -> Path:
    """What supervisors say that cannot even start their task; a started one writes into the task's folder."""
    return state_dir() / "supervisors.log"


def fresh_folder(parent: Path) -> Path:
    """A new folder in `parent` whose name is an id: six characters easy to type.

    Raises:
        EngineError: it cannot be made.
    """
    try:
        base = private_dir(parent)
        while True:
            made = base / "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in os.urandom(6))
            try:
                made.mkdir(mode=0o700)
            except FileExistsError:
                continue
            return made
    except OSError as error:
        raise EngineError(
            f"cannot make a folder in {parent}: {error}", "check the owner of the state folder"
        ) from error


def load(folder: Path) -> TaskSpec:
    """Read a task's `task.toml`.

    Raises:
        EngineError: it is missing, damaged, or made by a newer fumehood.
    """
    try:
        data = tomllib.loads((folder / SPEC).read_text())
        if unknown := data.keys() - set(TaskSpec.__struct_fields__):
            told = f"{folder / SPEC} has keys of a newer fumehood: {', '.join(sorted(unknown))}"
            raise EngineError(told, "update fumehood, or ask for the task again")
        return TaskSpec(**data)
    except (OSError, ValueError, TypeError) as error:
        raise EngineError(f"{folder / SPEC} is unusable: {error}", "the task cannot go on; start it again") from error
