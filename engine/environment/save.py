"""Storing the text of an environment file that the user edited (SPEC W2)."""

from __future__ import annotations

import hashlib
from pathlib import Path

from engine.environment import document
from engine.environment.kinds import BadValue
from engine.errors import EngineError
from engine.state import write_atomic


class ChangedMeanwhile(EngineError):
    """The file is not any more what the user began to edit."""


def sha256(data: bytes) -> str:
    """What a content is recognized by."""
    return hashlib.sha256(data).hexdigest()


def content(path: Path) -> bytes:
    """The bytes of an environment file, valid or not.

    Raises:
        EngineError: it cannot be read.
    """
    try:
        return document.read_bytes(path)
    except BadValue as error:
        raise EngineError(f"{path} {error.message}", error.hint) from None


def save(path: Path, data: bytes, *, before: str | None) -> None:
    """Replace the file by `data` in one step; its permissions stay, and a link to it stays one.

    Args:
        before: the hash of the content that was edited; None writes over whatever is there.

    Raises:
        ChangedMeanwhile: the file has another content.
        EngineError: it cannot be written.
    """
    target = path.resolve()
    found = sha256(content(target)) if target.exists() else ""
    if before is not None and found != before:
        raise ChangedMeanwhile(f"{path} was changed by somebody else meanwhile", "look at what it says now")
    try:
        write_atomic(target, data, target.stat().st_mode & 0o777 if found else 0o644)
    except OSError as error:
        raise EngineError(f"cannot write {path}: {error.strerror}", "check its owner and the disk") from error
