"""What is wrong with an environment file, and where (SPEC E2)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

KeyPath = tuple[str, ...]
_MOST = 100


class Problem(Struct, frozen=True):
    """One fault: file, line (from 1, where known), dotted key, what is wrong, what would be right.

    A "warning" does not stop the file from being used, an "error" does.
    """

    path: str
    line: int | None
    key: str
    message: str
    hint: str = ""
    severity: str = "error"

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.key}: {self.message}" if self.key else f"{where}{self.message}"


class Report:
    """The problems of one file as they are found; at most 100, so that a hostile file cannot flood a screen."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.lines: Mapping[KeyPath, int] = {}

    @property
    def full(self) -> bool:
        """Whether further problems are dropped."""
        return len(self.problems) >= _MOST

    @property
    def failed(self) -> bool:
        """Whether one of the problems is an error."""
        return any(problem.severity == "error" for problem in self.problems)

    def add(self, key: KeyPath, message: str, hint: str = "", *, severity: str = "error") -> None:
        """Note a problem of the value at `key`; its line is that of the nearest key the text has."""
        line = next((self.lines[key[:n]] for n in range(len(key), 0, -1) if key[:n] in self.lines), None)
        self.add_at(line, dotted(key), message, hint, severity=severity)

    def add_at(self, line: int | None, key: str, message: str, hint: str = "", *, severity: str = "error") -> None:
        """Note a problem at a line."""
        # Warnings give way: they must not push an error out.
        if not self.full:
            self.problems.append(Problem(str(self.path), line, key, message, hint, severity))
        elif severity == "error" and not self.failed:
            self.problems[-1] = Problem(str(self.path), line, key, message, hint, severity)


def dotted(key: KeyPath) -> str:
    """A key path for people: `network.allow[2]`; parts that are no bare keys in quotes, cut when very long."""
    text = ""
    for part in key:
        if not (part.startswith("[") and text):
            text += "." if text else ""
            part = part if part.isascii() and part.replace("-", "_").isidentifier() else repr(part)
        text += part if len(part) <= 60 else f"{part[:59]}…"
    return text
