"""The host-owned copy of a source, from which tasks are given their code (DESIGN decision 5, SPEC T2).

`source.git` has what the source has and nothing else: its branches, its tags and, as refs/fumehood/head, its HEAD.
It is fetched, never cloned by hard links: a clone would bring along what no ref reaches (dropped commits, stashes).
Nothing is ever pruned from it, because results point into it.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from engine.errors import RepositoryError
from engine.repository import hostgit
from engine.repository.source import Source
from engine.state import cache_dir, locked, private_dir, state_dir, write_atomic

HEAD = "refs/fumehood/head"
_REFSPECS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_NOT_A_NAME = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/$|^/|\.$|\.lock(/|$)|(^|/)\.")


class Resolved(Struct, frozen=True):
    """What a branch, tag or sha named. `branch` is "" when it was not a branch."""

    branch: str
    sha: str


class _Head(Struct, frozen=True):
    """A source's HEAD: its branch ("" when detached), whether it has a commit, and the object format."""

    branch: str
    born: bool = True
    object_format: str = "sha1"


class _Limits(Struct, frozen=True):
    timeout: float
    while_waiting: Callable[[], None]


class Mirror:
    """The mirror of one source; `update` makes it and brings it up to date."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.slug = f"{source.name}-{hashlib.sha256(source.url.encode(errors='surrogateescape')).hexdigest()[:12]}"
        self.folder = cache_dir() / "mirrors" / self.slug
        self.git_dir = self.folder / "source.git"

    def update(self, *, timeout: float = 600.0, while_waiting: Callable[[], None] = lambda: None) -> None:
        """Fetch what the source has now; the first call makes the mirror, whole or not at all (SECURITY-CASES C11).

        A local source whose refs have not moved costs one git process.

        Args:
            timeout: seconds for the transfer.
            while_waiting: called several times a second while another process updates or git runs; may raise.

        Raises:
            RepositoryError: the source cannot be read (git's reason and what to do), or has no commit.
        """
        limits = _Limits(timeout, while_waiting)
        refs = self._local_refs() if self.source.kind == "local" else b""
        if refs and self._seen() == refs:
            return
        with locked(state_dir() / "locks" / f"mirror-{self.slug}.lock", while_waiting):
            if not self.git_dir.is_dir():
                self._create(_local_head(refs) if refs else self._remote_head(limits), limits)
            elif refs:
                self._transfer(self.git_dir, _local_head(refs), limits)
            else:
                self._refresh(limits)
            if refs:
                write_atomic(self.folder / "refs", refs)

    def resolve(self, reference: str | None, default_branch: str = "") -> Resolved:
        """The commit that a branch, a tag or a full or short sha names; never another one (SECURITY-CASES B05).

        Without `reference` it is `default_branch`; without that too, or for "HEAD", the source's HEAD.

        Raises:
            RepositoryError: unknown or ambiguous name (with similar ones), not a commit, or an expression.
        """
        name = reference or default_branch
        if not name:
            return self._head()
        if _NOT_A_NAME.search(name):
            raise RepositoryError(f"{name!r} is not the name of a branch or tag", "give a branch, a tag or a sha")
        for branch in (name, name.removeprefix("refs/heads/")):
            if sha := self._ref(f"refs/heads/{branch}"):
                return Resolved(branch, sha)
        if not reference:
            raise self._unknown(f"the default branch {name!r} does not exist in {self.source.url}", name)
        if name == "HEAD":
            return self._head()
        for tag in (name, name.removeprefix("refs/tags/")):
            if sha := self._ref(f"refs/tags/{tag}"):
                return Resolved("", self._commit(sha, f"tag {tag!r}"))
        if re.fullmatch(r"[0-9a-fA-F]{4,64}", name):
            return Resolved("", self._by_sha(name.lower()))
        raise self._unknown(f"{self.source.url} has no branch or tag {name!r}", name)

    def names(self) -> list[str]:
        """The short names of all branches, then of all tags. They come from the source: show them as data."""
        listed = self._git("for-each-ref", "--format=%(refname)", "refs/heads", "refs/tags").decode(errors="replace")
        return [line.split("/", 2)[2] for line in listed.split("\n") if line]

    # -- the source ------------------------------------------------------------------------------------------------

    def _local_refs(self) -> bytes:
        """HEAD (`*` marks its branch) and every branch and tag of a local source, as one text to compare."""
        place = Path(self.source.url)
        listed = hostgit.run(
            "for-each-ref", "--format=%(HEAD)%(objectname) %(refname)", "refs/heads", "refs/tags", cwd=place, user=True
        )
        if listed.exit_code:
            raise self._unreadable(listed)
        if re.search(rb"^\*", listed.out, re.MULTILINE):
            return listed.out
        detached = hostgit.run("rev-parse", "--quiet", "--verify", "HEAD^{commit}", cwd=place, user=True)
        if not listed.out and not detached.out:
            raise self._empty()
        return listed.out + b"HEAD " + detached.out

    def _remote_head(self, limits: _Limits) -> _Head:
        asked = hostgit.run(
            "ls-remote", "--symref", "--", self.source.url, "HEAD",
            user=True, timeout=limits.timeout, while_waiting=limits.while_waiting,
        )  # fmt: skip
        if asked.exit_code:
            raise self._unreadable(asked)
        lines = asked.out.decode(errors="surrogateescape").split("\n")
        branch = next((line[16:].rpartition("\t")[0] for line in lines if line.startswith("ref: refs/heads/")), "")
        shas = [line.removesuffix("\tHEAD") for line in lines if re.match(r"[0-9a-f]{40,64}\tHEAD$", line)]
        return _Head(branch, bool(shas), _object_format(shas[0]) if shas else "sha1")

    def _unreadable(self, done: hostgit.Finished) -> RepositoryError:
        message = f"cannot read the repository {self.source.url}: {done.reason}"
        return RepositoryError(message, hostgit.hint(done.err))

    def _empty(self) -> RepositoryError:
        return RepositoryError(
            f"the repository {self.source.url} has no commit yet", "make the first one: git add . && git commit"
        )

    # -- the mirror ------------------------------------------------------------------------------------------------

    def _seen(self) -> bytes:
        """The refs of a local source at the last update; empty when there is no mirror."""
        try:
            return (self.folder / "refs").read_bytes() if self.git_dir.is_dir() else b""
        except FileNotFoundError:
            return b""

    def _create(self, head: _Head, limits: _Limits) -> None:
        private_dir(self.folder)
        for left in self.folder.glob(".new-*"):
            shutil.rmtree(left, ignore_errors=True)
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder))
        try:
            create_bare(temporary, head.object_format)
            self._transfer(temporary, head, limits)
            if not hostgit.run("for-each-ref", "--count=1", git_dir=temporary).out:
                raise self._empty()
            # Mounted, it is read by the container's user; on the host its folder keeps others out.
            temporary.chmod(0o755)
            temporary.rename(self.git_dir)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _refresh(self, limits: _Limits) -> None:
        """Fetch a remote in one connection; HEAD's branch is asked for only when the one known cannot be it."""
        known = (self.git_dir / "HEAD").read_text().removeprefix("ref: ").strip()
        self._transfer(self.git_dir, _Head(known.removeprefix("refs/heads/") if known != HEAD else ""), limits)
        if known == HEAD or not self._ref(HEAD) or self._ref(HEAD) != self._ref(known):
            _point_head(self.git_dir, self._remote_head(limits))

    def _transfer(self, git_dir: Path, head: _Head, limits: _Limits) -> None:
        specs = [*_REFSPECS, *([f"+HEAD:{HEAD}"] if head.born else [])]
        done = hostgit.run(
            "fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules",
            "--update-shallow", "--refmap=", "--", self.source.url, *specs,
            git_dir=git_dir, user=True, timeout=limits.timeout, while_waiting=limits.while_waiting,
        )  # fmt: skip
        if head.born and b"couldn't find remote ref HEAD" in done.err:
            self._transfer(git_dir, _Head(head.branch, False, head.object_format), limits)
            return
        if done.exit_code:
            raise self._unreadable(done)
        if not head.born:
            hostgit.out("update-ref", "-d", HEAD, git_dir=git_dir, failure="cannot update the mirror")
        _point_head(git_dir, head)

    def _ref(self, name: str) -> str:
        """The object a ref of exactly this full name points to, or ""."""
        listed = self._git("for-each-ref", "--format=%(objectname) %(refname)", "--", name)
        found = (line.partition(b" ") for line in listed.split(b"\n"))
        return next((sha.decode() for sha, _, ref in found if ref == name.encode(errors="surrogateescape")), "")

    def _head(self) -> Resolved:
        sha = self._ref(HEAD)
        if not sha:
            raise self._unknown(f"HEAD of {self.source.url} names a branch without a commit")
        known = (self.git_dir / "HEAD").read_text().removeprefix("ref: ").strip()
        return Resolved(known.removeprefix("refs/heads/") if known != HEAD else "", sha)

    def _by_sha(self, prefix: str) -> str:
        whole = _SHA.fullmatch(prefix)
        full = [prefix] if whole else self._git("rev-parse", f"--disambiguate={prefix}").decode().split()
        if not full:
            raise self._unknown(f"{self.source.url} has no commit, branch or tag {prefix}", prefix)
        checked = self._git("cat-file", "--batch-check", stdin="\n".join(full).encode() + b"\n").decode()
        kinds = dict(line.split()[:2] for line in checked.split("\n") if line)
        commits = [sha for sha in full if kinds[sha] == "commit"]
        tags = [sha for sha in full if kinds[sha] == "tag"]
        if len(commits) + len(tags) == 1:
            return self._commit((commits or tags)[0], prefix)
        if commits or tags:
            raise RepositoryError(
                f"the short sha {prefix} is ambiguous: {', '.join(sha[:16] for sha in (commits + tags)[:8])}",
                "give more of its digits",
            )
        other = sorted({kind for kind in kinds.values() if kind != "missing"})
        if other:
            raise RepositoryError(f"{prefix} is a {' and a '.join(other)}, not a commit", "give the sha of a commit")
        raise self._unknown(f"{self.source.url} has no commit, branch or tag {prefix}", prefix)

    def _commit(self, sha: str, what: str) -> str:
        """The commit that an annotated tag leads to, or the commit itself."""
        peeled = hostgit.run("rev-parse", "--quiet", "--verify", f"{sha}^{{commit}}", git_dir=self.git_dir)
        if peeled.exit_code:
            raise RepositoryError(f"{what} does not lead to a commit", "give a branch or the sha of a commit")
        return peeled.out.decode().strip()

    def _unknown(self, message: str, name: str = "") -> RepositoryError:
        names = self.names()
        near = difflib.get_close_matches(name, names, n=4, cutoff=0.6) or [n for n in names if name and name in n][:4]
        if near:
            return RepositoryError(message, f"did you mean {' or '.join(repr(n) for n in near)}?")
        some = ", ".join(repr(n) for n in names[:6]) + (", …" if len(names) > 6 else "")
        return RepositoryError(message, f"it has: {some}; a commit made elsewhere must be pushed there first")

    def _git(self, *arguments: str, stdin: bytes = b"") -> bytes:
        return hostgit.out(
            *arguments, git_dir=self.git_dir, stdin=stdin, failure=f"the mirror {self.folder} cannot be read",
            hint="remove that folder; it will be fetched again",
        )  # fmt: skip


def create_bare(git_dir: Path, object_format: str) -> None:
    """Make an empty bare repository that never collects garbage on its own.

    What is in it can be read by every user who gets as far, whatever the umask: a container's user is any number.
    """
    kind = f"--object-format={object_format}"
    done = hostgit.run("init", "--quiet", "--bare", "--shared=0644", "--template=", kind, "--", str(git_dir))
    if done.exit_code:
        raise RepositoryError(f"cannot make the repository {git_dir}: {done.reason}")
    settings = "[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n[core]\n\tlogAllRefUpdates = false\n"
    with (git_dir / "config").open("a") as file:
        file.write(settings)


def _local_head(refs: bytes) -> _Head:
    """HEAD as `Mirror._local_refs` lists it."""
    lines = refs.decode(errors="surrogateescape").split("\n")
    marked = next((line for line in lines if line.startswith("*")), "")
    first = re.search(r"[0-9a-f]{40,}", lines[0])
    return _Head(marked.partition(" refs/heads/")[2], lines[-1] != "HEAD ", _object_format(first[0] if first else ""))


def _object_format(sha: str) -> str:
    return "sha256" if len(sha) == 64 else "sha1"


def _point_head(git_dir: Path, head: _Head) -> None:
    """Let the mirror's HEAD be what the source's is; a detached one stands at refs/fumehood/head."""
    target = f"refs/heads/{head.branch}" if head.branch else HEAD
    if (git_dir / "HEAD").read_text().strip() != f"ref: {target}":
        hostgit.out("symbolic-ref", "HEAD", target, git_dir=git_dir, failure="cannot update the mirror")
