"""The files a maintenance script depends on (SPEC C5, C6): which they are, and what tells their contents apart.

Patterns are relative to the folder a task works in. `*`, `?` and `[…]` stay within one name, `**` stands for any number
of folders, as in `.gitignore`; a pattern without a slash means that folder alone.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from engine.repository import hostgit
from engine.repository.source import Source

Watched = Mapping[str, str]
"""Path below the work folder -> git's name (blob id) of its content; a link counts by where it points."""

# Never entered for `**`: what is in there is made by others and follows from files that can be watched.
_NOT_ENTERED = frozenset((".git", "node_modules"))
_LARGEST = 64 << 20
_Names = tuple[str, ...]


def digest(files: Watched) -> str:
    """One short name for all contents."""
    text = "".join(f"{path}\0{blob}\n" for path, blob in sorted(files.items()))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:24]


def differences(old: Watched, new: Watched) -> list[str]:
    """The files that differ, in words: `package-lock.json changed`, `requirements-dev.txt added`."""
    told = []
    for path in sorted({*old, *new}):
        if old.get(path) != new.get(path):
            told.append(f"{path} {'added' if path not in old else 'removed' if path not in new else 'changed'}")
    return told


def at_commit(git_dir: Path, sha: str, subdirectory: str, patterns: Sequence[str]) -> dict[str, str]:
    """The watched files of a commit in a repository that fumehood owns.

    Raises:
        RepositoryError: the commit is not there.
    """
    below = f"{subdirectory}/" if subdirectory else ""
    wanted = [tuple(pattern.split("/")) for pattern in patterns]
    folders = {"/".join(names[:-1]) for names in wanted}
    # Without a wildcard in the names of folders, only those folders need to be listed.
    whole = any(c in folder for folder in folders for c in "*?[") or any("**" in names for names in wanted)
    listed = b""
    for place in [below] if whole else sorted(f"{below}{folder}/" if folder else below for folder in folders):
        how = ["-r"] if whole else []
        listed += hostgit.out(
            "ls-tree", *how, "-z", sha, "--", *([place] if place else []),
            git_dir=git_dir, failure=f"cannot list the files of {sha[:12]}",
        )  # fmt: skip
    files = {}
    for entry in listed.decode("utf-8", "surrogateescape").split("\0"):
        head, _, path = entry.partition("\t")
        if not path.startswith(below) or " blob " not in head:
            continue
        names = tuple(path[len(below) :].split("/"))
        if any(_matches(pattern, names) for pattern in wanted):
            files["/".join(names)] = head.split()[2]
    return files


def in_checkout(folder: Path, patterns: Sequence[str], *, like: str = "") -> dict[str, str]:
    """The watched files in a work tree on the host; what cannot be read counts as not there.

    Args:
        folder: the folder the patterns are relative to.
        like: a sha of the repository, whose object format the names are to have.
    """
    kind = "sha256" if len(like) == 64 else "sha1"
    found = _walk(folder, "", frozenset(tuple(pattern.split("/")) for pattern in patterns))
    named = ((path, _blob(folder / path, kind)) for path in found)
    return {path: blob for path, blob in named if blob}


def folders_of(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """The folders in which a file that matches could lie or appear: what a watcher has to look at."""
    found: list[Path] = []
    list(_walk(folder, "", frozenset(tuple(pattern.split("/")) for pattern in patterns), found))
    return found


def git_folders(source: Source) -> list[Path]:
    """The folders of a local repository in which something changes when one of its branches or its HEAD moves."""
    if source.kind != "local":
        return []
    asked = hostgit.run("rev-parse", "--absolute-git-dir", "--git-common-dir", cwd=Path(source.url), user=True)
    lines = asked.out.decode("utf-8", "surrogateescape").splitlines()
    places = [Path(source.url, line) for line in lines[:2]]
    branches = [folder for place in places[1:] for folder in (place / "refs/heads").glob("**") if folder.is_dir()]
    return [*dict.fromkeys(places), *branches]


def _walk(top: Path, below: str, wanted: frozenset[_Names], entered: list[Path] | None = None) -> Iterator[str]:
    """The paths of files that match, looking only into folders in which one can; `entered` gets those folders."""
    if entered is not None:
        entered.append(top / below if below else top)
    try:
        entries = sorted(os.scandir(top / below), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        path = f"{below}/{entry.name}" if below else entry.name
        if not entry.is_dir(follow_symlinks=False):
            if any(_matches(pattern, (entry.name,)) for pattern in wanted):
                yield path
            continue
        rest = frozenset(r for pattern in wanted for r in _inside(pattern, entry.name))
        if rest:
            yield from _walk(top, path, rest, entered)


def _inside(pattern: _Names, folder: str) -> Iterator[_Names]:
    """What remains of a pattern inside `folder`."""
    if pattern[0] == "**":
        if folder not in _NOT_ENTERED:
            yield pattern
        if len(pattern) > 1:
            yield from _inside(pattern[1:], folder)
    elif len(pattern) > 1 and fnmatch.fnmatchcase(folder, pattern[0]):
        yield pattern[1:]


def _matches(pattern: _Names, names: _Names) -> bool:
    if not pattern:
        return not names
    if pattern[0] == "**":
        return any(_matches(pattern[1:] or ("*",), names[skipped:]) for skipped in range(len(names)))
    return bool(names) and fnmatch.fnmatchcase(names[0], pattern[0]) and _matches(pattern[1:], names[1:])


def _blob(path: Path, kind: str) -> str:
    """Git's name of the content of a file or link; empty when it is neither, too large or unreadable."""
    try:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            data = os.fsencode(path.readlink())
        elif stat.S_ISREG(status.st_mode) and status.st_size <= _LARGEST:
            data = path.read_bytes()
        else:
            return ""
    except OSError:
        return ""
    return hashlib.new(kind, b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
