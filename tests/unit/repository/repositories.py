"""Real git repositories for tests."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git(*arguments: str | bytes, cwd: Path, stdin: bytes = b"") -> str:
    """Output of a git command that has to succeed."""
    done = subprocess.run(["git", *arguments], cwd=cwd, input=stdin, capture_output=True, check=True)
    return done.stdout.decode(errors="surrogateescape").strip()


def make(folder: Path, *, files: dict[str, str] | None = None) -> Path:
    """A repository at `folder` with one commit on main."""
    folder.mkdir(parents=True)
    git("init", "-q", "-b", "main", cwd=folder)
    for name, text in (files or {"a.txt": "a\n"}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    commit(folder, "base")
    return folder


def commit(folder: Path, message: str) -> str:
    """Commit everything; the new sha."""
    git("add", "-A", cwd=folder)
    git("commit", "-q", "--allow-empty", "-m", message, cwd=folder)
    return git("rev-parse", "HEAD", cwd=folder)
