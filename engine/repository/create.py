"""Making a git repository of a folder: for the demo, whose sample is shipped as plain files."""

from __future__ import annotations

import shutil
from pathlib import Path

from engine.errors import RepositoryError
from engine.repository import hostgit

_AUTHOR = {"NAME": "fumehood demo", "EMAIL": "demo@fumehood.invalid", "DATE": "2026-01-01T00:00:00Z"}


def from_folder(folder: Path, target: Path) -> Path:
    """Copy `folder` to `target` and commit it there; an unchanged copy from before is used as it is.

    Raises:
        RepositoryError: the copy cannot be made.
    """
    if _same(folder, target):
        return target
    try:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder, target, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    except OSError as error:
        raise RepositoryError(f"cannot copy the sample to {target}: {error}", "see that you may write there") from error
    signed = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in _AUTHOR.items()}
    for arguments in (
        ("init", "--quiet", "--initial-branch=main", "--template="),
        ("add", "--all"),
        ("commit", "--quiet", "--no-gpg-sign", "--message=Sample project"),
    ):
        done = hostgit.run(*arguments, cwd=target, variables=signed)
        if done.exit_code:
            raise RepositoryError(f"cannot make a repository of {target}: {done.reason}")
    return target


def _same(folder: Path, target: Path) -> bool:
    """Whether every file of the sample is in the copy with the same content."""
    if not (target / ".git").is_dir():
        return False
    for file in folder.rglob("*"):
        copy = target / file.relative_to(folder)
        if (
            file.is_file()
            and "__pycache__" not in file.parts
            and (not copy.is_file() or copy.read_bytes() != file.read_bytes())
        ):
            return False
    return True
