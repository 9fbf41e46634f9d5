"""What the scripts of this package need of a container; `engine.containers` provides it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from msgspec import Struct


class Output(Struct, frozen=True):
    """How a script ended, and what it wrote."""

    exit_code: int
    out: bytes
    err: bytes


class Shell(Protocol):
    """A running container in which bash scripts run; bash, git and coreutils are all they use."""

    def bash(self, script: str, *arguments: str, stdin: bytes = b"", timeout: float = 600.0) -> Output:
        """Run `script` with `arguments` as $1, $2, …; `timeout` in seconds."""
        ...

    def put(self, path: str, data: Path | bytes, mode: int = 0o644) -> None:
        """Write a file at `path` in the container, from bytes or from a file of the host."""
        ...


class FileShell(Protocol):
    """A running container whose scripts write more than is held in memory."""

    def bash_to_file(self, path: Path, script: str, *arguments: str, timeout: float = 600.0) -> Output:
        """As `Shell.bash`, with stdout written to `path` on the host; `Output.out` is empty."""
        ...
