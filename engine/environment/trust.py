"""Which contents of repository-supplied environment files the user has agreed to run (SPEC E7)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from engine.environment.model import is_users_own
from engine.state import locked, state_dir, write_atomic


def trusted(path: Path, sha256: str) -> bool:
    """Whether the file may be used with the content of this hash.

    Files the user keeps in the config folder need no trust; all others are trusted once per content.
    """
    return is_users_own(path) or sha256 in _hashes(_record(path))


def trust(path: Path, sha256: str) -> None:
    """Trust the file with this content, beside the contents trusted before."""
    record = _record(path)
    with locked(state_dir() / "locks" / "trust.lock"):
        hashes = [*(h for h in _hashes(record) if h != sha256), sha256]
        write_atomic(record, "".join(f"{h}\n" for h in hashes))


def untrust(path: Path) -> None:
    """Forget every content of the file that was trusted."""
    with locked(state_dir() / "locks" / "trust.lock"):
        _record(path).unlink(missing_ok=True)


def _record(path: Path) -> Path:
    absolute = os.path.normpath(path.absolute())
    return state_dir() / "trust" / hashlib.sha256(os.fsencode(absolute)).hexdigest()


def _hashes(record: Path) -> list[str]:
    # A record that is missing or damaged trusts nothing.
    try:
        return record.read_text("ascii").split()
    except (OSError, UnicodeDecodeError):
        return []
