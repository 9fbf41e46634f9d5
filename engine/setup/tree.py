"""The files automatic setup may look at: of a folder, or of a commit (see `engine.repository.tree`)."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Protocol

MAX_DEPTH = 6
"""Folders a file may lie in, one within the other."""
MAX_FILES = 50_000
"""Files of a tree that are listed; of a larger one the rest is not seen."""
MAX_BYTES = 1 << 20
"""What is read of a file. A manifest that is larger is no manifest; of a lock file the beginning is enough."""
_SKIPPED = frozenset(
    (".git", ".hg", ".svn", ".tox", ".nox", ".venv", "venv", "__pycache__", "node_modules", "bower_components")
)


class Tree(Protocol):
    """Regular files by their POSIX paths, relative to the top. Their content is anybody's: never trusted."""

    def paths(self) -> Collection[str]:
        """Every file that `seen` lets through."""
        ...

    def read(self, paths: Collection[str]) -> Mapping[str, bytes]:
        """The first `MAX_BYTES` of those of `paths` that there are and that can be read, all at once."""
        ...


def seen(path: str) -> bool:
    """Whether a file is looked at: not too deep, in no folder of installed packages, with a name that can be shown."""
    *folders, _ = path.split("/")
    return len(folders) <= MAX_DEPTH and path.isprintable() and _SKIPPED.isdisjoint(folders)


class FolderTree:
    """The files of a folder on this machine; links are neither followed nor files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: tuple[str, ...] | None = None

    def paths(self) -> Collection[str]:
        """See `Tree.paths`."""
        if self._paths is None:
            self._paths = tuple(self._walk())
        return self._paths

    def read(self, paths: Collection[str]) -> Mapping[str, bytes]:
        """See `Tree.read`."""
        found = {}
        for path in set(paths).intersection(self.paths()):
            try:
                with open(self._folder / path, "rb", opener=_without_waiting) as file:
                    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                        found[path] = file.read(MAX_BYTES)
            except OSError:
                continue
        return found

    def _walk(self) -> Iterator[str]:
        pending, count = [""], 0
        while pending:
            below = pending.pop()
            try:
                entries = sorted(os.scandir(self._folder / below), key=lambda entry: entry.name)
            except OSError:
                continue
            for entry in entries:
                path = below + entry.name
                if entry.is_dir(follow_symlinks=False) and seen(f"{path}/x"):
                    pending.append(f"{path}/")
                elif entry.is_file(follow_symlinks=False) and seen(path):
                    count += 1
                    if count > MAX_FILES:
                        return
                    yield path


def _without_waiting(path: str, flags: int) -> int:
    # It may have been replaced since it was listed: by a link, or by a pipe that would be waited for.
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW)
