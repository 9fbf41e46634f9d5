"""Differences between two commits of a repository that fumehood owns: as a patch and as figures (SPEC T9, W5)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from engine.errors import RepositoryError
from engine.repository import hostgit

# The patch must be taken by `git apply` exactly as it is, whatever the user's git is set to (SECURITY-CASES G11).
_PATCH = (
    "diff", "--binary", "--full-index", "--no-ext-diff", "--no-textconv", "--no-color", "--no-relative",
    "--submodule=short", "--src-prefix=a/", "--dst-prefix=b/", "--unified=3",
)  # fmt: skip


class FileStat(Struct, frozen=True):
    """One changed file.

    Attributes:
        path: its name; bytes that are not UTF-8 are kept as surrogate escapes. Hostile text: show it escaped.
        old_path: its former name when it was renamed, else "".
        status: A added, M modified, D deleted, R renamed, T another type (file, symlink, submodule).
        added: lines; 0 when `binary`.
        removed: lines; 0 when `binary`.
        old_mode: git's mode before, such as 100644, 100755, 120000 (symlink), 160000 (submodule); 000000 when added.
        new_mode: git's mode after; 000000 when deleted.
    """

    path: str
    old_path: str
    status: str
    added: int
    removed: int
    binary: bool
    old_mode: str
    new_mode: str


class DiffStat(Struct, frozen=True):
    """How much changed between two commits."""

    files: tuple[FileStat, ...]
    lines_added: int
    lines_removed: int

    @property
    def files_changed(self) -> int:
        """The number of files that were added, modified, renamed or deleted."""
        return len(self.files)


def diff_bytes(git_dir: Path, base: str, sha: str, paths: Sequence[str] = ()) -> bytes:
    """The patch from `base` to `sha`, of `paths` only if some are given, for `git apply`."""
    renames = _renames(git_dir, base, sha)
    return hostgit.out(*_PATCH, renames, base, sha, *_limited(paths), git_dir=git_dir, failure=_failure(base, sha))


def write_patch(git_dir: Path, base: str, sha: str, target: Path) -> Path:
    """The patch from `base` to `sha` written to the file `target`, whole or not at all; of any size."""
    arguments = (*_PATCH, _renames(git_dir, base, sha), base, sha, "--")
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            done = hostgit.run(*arguments, git_dir=git_dir, stdout=file)
        if done.exit_code:
            raise RepositoryError(f"{_failure(base, sha)}: {done.reason}")
        return Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)


def stat(git_dir: Path, base: str, sha: str, paths: Sequence[str] = ()) -> DiffStat:
    """What changed from `base` to `sha`, file by file, renames found as in the patch."""
    printed = hostgit.out(
        "diff", "--raw", "--numstat", "-z", "-M", "--no-abbrev", "--no-relative", "--no-ext-diff", "--no-textconv",
        base, sha, *_limited(paths), git_dir=git_dir, failure=_failure(base, sha),
    )  # fmt: skip
    fields = iter(printed.split(b"\0")[:-1])
    changes: list[tuple[str, str, str]] = []
    files: list[FileStat] = []
    for field in fields:
        if field.startswith(b":"):
            old_mode, new_mode, _, _, status = field[1:].decode().split()
            changes.append((old_mode, new_mode, status[0]))
            _names(fields, renamed=status[0] in "RC")
        else:
            files.append(_file(field, fields, *changes[len(files)]))
    return DiffStat(tuple(files), sum(file.added for file in files), sum(file.removed for file in files))


def _renames(git_dir: Path, base: str, sha: str) -> str:
    """The option for renames: `git apply` does not take every patch that renames a symbolic link (`a` to `a/a`)."""
    arguments = ("diff", "--raw", "-z", "-M", "--diff-filter=R", base, sha, "--")
    renamed = hostgit.out(*arguments, git_dir=git_dir, failure=_failure(base, sha))
    return "--no-renames" if b":120000 " in renamed else "-M"


def _file(field: bytes, fields: Iterator[bytes], old_mode: str, new_mode: str, status: str) -> FileStat:
    """One record of --numstat -z: its name follows in the same field, or in the next two when it was renamed."""
    added, removed, name = field.split(b"\t", 2)
    old, new = _names(fields, renamed=True) if not name else (b"", name)
    binary = added == b"-"
    counts = (0, 0) if binary else (int(added), int(removed))
    return FileStat(os.fsdecode(new), os.fsdecode(old), status, *counts, binary, old_mode, new_mode)


def _names(fields: Iterator[bytes], *, renamed: bool) -> tuple[bytes, bytes]:
    return (next(fields), next(fields)) if renamed else (b"", next(fields))


def _limited(paths: Sequence[str]) -> list[bytes]:
    return [b"--", *map(os.fsencode, paths)]


def _failure(base: str, sha: str) -> str:
    return f"cannot compare {base[:12]} with {sha[:12]}"
