"""The files of a commit in a bare repository that fumehood owns, as automatic setup sees them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path

from engine.repository import hostgit
from engine.setup.tree import MAX_BYTES, MAX_FILES, seen

_REGULAR = (b"100644", b"100755")
# git gives whole files; of a larger one not even the beginning is read.
_LARGEST = 16 << 20


class CommitTree:
    """See `engine.setup.tree.Tree`; one git process lists the files, one reads all that are asked for.

    Raises:
        RepositoryError: git cannot read the commit (from both methods).
    """

    def __init__(self, git_dir: Path, sha: str) -> None:
        self._git_dir = git_dir
        self._sha = sha

    def paths(self) -> Collection[str]:
        """See `Tree.paths`."""
        return self._objects.keys()

    def read(self, paths: Collection[str]) -> Mapping[str, bytes]:
        """See `Tree.read`."""
        wanted = [(path, found[0]) for path in paths if (found := self._objects.get(path)) and found[1] <= _LARGEST]
        stdin = b"".join(name + b"\n" for _, name in wanted)
        data = self._git("cat-file", "--batch", stdin=stdin) if wanted else b""
        contents, at = {}, 0
        for path, _ in wanted:
            end = data.index(b"\n", at)
            size = int(data[at:end].split()[2])
            at = end + 1 + size + 1
            contents[path] = data[end + 1 : end + 1 + min(size, MAX_BYTES)]
        return contents

    @cached_property
    def _objects(self) -> Mapping[str, tuple[bytes, int]]:
        """The object and the size of every file that is seen."""
        found: dict[str, tuple[bytes, int]] = {}
        for line in self._git("ls-tree", "-r", "-z", "-l", "--full-tree", self._sha).split(b"\0"):
            if len(found) == MAX_FILES or not line:
                break
            about, _, name = line.partition(b"\t")
            mode, _, object_name, size = about.split()
            path = name.decode(errors="surrogateescape")
            if mode in _REGULAR and seen(path):
                found[path] = object_name, int(size)
        return found

    def _git(self, *arguments: str, stdin: bytes = b"") -> bytes:
        return hostgit.out(
            *arguments, git_dir=self._git_dir, stdin=stdin, failure=f"commit {self._sha[:12]} cannot be read"
        )
