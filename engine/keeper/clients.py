"""Who is at the bench: each open workbench and each `fumehood watch` has a file here, locked while it lives."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable
from pathlib import Path

from engine.detached import spawn
from engine.state import Lock, private_dir, state_dir


def keeper_dir() -> Path:
    """The keeper's folder: its lock, its journal, its clients, its refreshes."""
    return state_dir() / "keeper"


def clients_dir() -> Path:
    """One file for each client, with the paths of the environments it has open."""
    return keeper_dir() / "clients"


class Client:
    """Somebody at the bench, for as long as it is open; the kernel tells the keeper when it is not any more."""

    def __init__(self, environments: Iterable[Path]) -> None:
        self.path = private_dir(clients_dir()) / f"{os.getpid()}-{os.urandom(3).hex()}.json"
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        os.write(self._descriptor, json.dumps([str(path) for path in environments]).encode())

    def ensure_keeper(self) -> None:
        """Start the keeper if none runs; call it again now and then, in case it was killed."""
        if not Lock(keeper_dir() / "lock").held_elsewhere():
            spawn("engine.keeper", log=keeper_dir() / "keeper.log")

    def close(self) -> None:
        """This client is no more."""
        self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


def open_environments() -> set[Path]:
    """The environments that living clients have open; the files of dead ones are removed."""
    found: set[Path] = set()
    for path in clients_dir().glob("*.json"):
        lock = Lock(path)
        if lock.held_elsewhere():
            try:
                found |= {Path(name) for name in json.loads(path.read_text())}
            except (OSError, ValueError):
                continue
        else:
            path.unlink(missing_ok=True)
    return found
