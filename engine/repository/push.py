"""A result as a branch of another repository, or as a bundle (SPEC T10, SECURITY-CASES S10).

git runs on the host, in the repository of results that only the host writes, with the user's own global configuration:
ssh, credential helpers, `url.*.insteadOf`. No hook runs, and no configuration, helper or program that an agent wrote is
in reach: containers hand out objects, nothing else. Credentials come from git's helpers or ssh, never from here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from engine.errors import RepositoryError, UsageError
from engine.repository import hostgit
from engine.repository.diff import diff_bytes, stat
from engine.repository.source import Source

_IDENTITY = re.compile(r"(.+) <([^<>]*)> \d+ [+-]\d{4}")
_NO_IDENTITY = 'git config --global user.name "Your Name"; git config --global user.email you@example.com'


class Identity(Struct, frozen=True):
    """Whose name a commit bears."""

    name: str
    email: str


class Seen(Struct, frozen=True):
    """What a remote says: its default branch ("" when it has none yet), and where the branches asked for are."""

    default_branch: str
    branches: Mapping[str, str]


def remote(named: str, source: Source, base: Path) -> Source:
    """The repository to push to: a URL, a path, or the name of a remote of the local checkout; empty for the usual one.

    The usual one is the environment's repository, or what its local checkout pushes to.

    Raises:
        RepositoryError: there is none, or its URL is of a form that is not allowed or holds credentials.
    """
    if source.kind == "remote":
        return Source.from_url(named, base, may_be_empty=True) if named else source
    checkout = Path(source.url)
    name = named or _setting("remote.pushDefault", checkout) or "origin"
    url = _git("remote", "get-url", "--push", "--", name, cwd=checkout)
    if url.exit_code == 0:
        found = url.out.decode(errors="surrogateescape").splitlines()[0]
        return Source.from_url(found, checkout, may_be_empty=True)
    if not named:
        hint = "name one: --remote URL, or in the checkout: git remote add origin URL"
        raise RepositoryError(f"{checkout} has no remote {name!r} to push to", hint)
    return Source.from_url(named, base, may_be_empty=True)


def address(git_dir: Path, url: str) -> str:
    """Where a URL leads to by the user's `url.*.insteadOf`."""
    done = hostgit.run("ls-remote", "--get-url", "--", url, git_dir=git_dir, user=True)
    return done.out.decode(errors="surrogateescape").removesuffix("\n") if done.exit_code == 0 else url


def author(checkout: Path | None) -> Identity:
    """The user's name and address, as the checkout or the user's configuration says.

    Raises:
        RepositoryError: neither does; git's guesses are not taken.
    """
    said = {name: value for name, value in os.environ.items() if re.fullmatch(r"GIT_AUTHOR_(NAME|EMAIL)", name)}
    arguments = ("-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT")
    done = hostgit.run(*arguments, cwd=checkout or Path("/"), user=True, variables=said)
    found = _IDENTITY.fullmatch(done.out.decode(errors="surrogateescape").strip())
    if found is None:
        raise RepositoryError("git does not know your name and address for the commit", _NO_IDENTITY)
    return Identity(found[1], found[2])


def one_commit(git_dir: Path, base: str, result: str, message: str, who: Identity, when: float) -> str:
    """The files of `result` as one commit on `base`; the same input gives the same commit.

    Args:
        when: its date, Unix seconds.
    """
    variables = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", who.name), ("EMAIL", who.email), ("DATE", f"{int(when)} +0000"))
    }
    done = hostgit.run("commit-tree", "-p", base, "-F", "-", f"{result}^{{tree}}", git_dir=git_dir,
                       stdin=message.encode("utf-8", "replace"), variables=variables)  # fmt: skip
    if done.exit_code:
        raise RepositoryError(f"cannot make the commit: {done.reason}")
    return done.out.decode().strip()


def carries(git_dir: Path, sha: str, base: str, result: str) -> bool:
    """Whether `sha` is one commit on `base` with the files of `result`."""
    done = hostgit.run("rev-parse", f"{sha}^@", f"{sha}^{{tree}}", f"{result}^{{tree}}", git_dir=git_dir)
    found = done.out.decode().split()
    return done.exit_code == 0 and len(found) == 3 and found[0] == base and found[1] == found[2]


def same_files(git_dir: Path, one: str, other: str) -> bool:
    """Whether two commits hold the same files."""
    names = (f"{one}^{{tree}}", f"{other}^{{tree}}")
    trees = hostgit.out("rev-parse", *names, git_dir=git_dir, failure="cannot read the result").split()
    return trees[0] == trees[1]


def changes(git_dir: Path, base: str, tip: str) -> list[tuple[str, str]]:
    """The pairs of commits between which every line lies that the history from `base` to `tip` ever added."""
    listed = hostgit.out("rev-list", "--parents", "--topo-order", f"{base}..{tip}", git_dir=git_dir,
                         failure="cannot read the commits").decode()  # fmt: skip
    pairs = []
    for line in listed.splitlines():
        commit, *parents = line.split()
        pairs += [(parent, commit) for parent in parents or [_nothing(git_dir)]]
    return pairs


def messages(git_dir: Path, base: str, tip: str) -> bytes:
    """The messages and authors of the commits from `base` to `tip`."""
    arguments = ("log", "--no-show-signature", "--format=%an <%ae>%n%B", f"{base}..{tip}")
    return hostgit.out(*arguments, git_dir=git_dir, failure="cannot read the commits")


def commits(git_dir: Path, base: str, tip: str) -> bytes:
    """The commits from `base` to `tip` as they are stored, with every header."""
    listed = hostgit.out("rev-list", f"{base}..{tip}", git_dir=git_dir, failure="cannot read the commits")
    if not listed:
        return b""
    return hostgit.out("cat-file", "--batch", git_dir=git_dir, stdin=listed, failure="cannot read the commits")


def patch(git_dir: Path, old: str, new: str) -> bytes:
    """The patch between two commits."""
    return diff_bytes(git_dir, old, new)


def binaries(git_dir: Path, old: str, new: str) -> list[tuple[str, bytes]]:
    """Path and content of the binary files that the second commit adds or changes, which a patch holds compressed."""
    paths = [file.path for file in stat(git_dir, old, new).files if file.binary and file.status != "D"]
    return [(path, _content(git_dir, new, path)) for path in paths]


def _content(git_dir: Path, commit: str, path: str) -> bytes:
    name = commit.encode() + b":" + os.fsencode(path)
    return hostgit.out("cat-file", "blob", name, git_dir=git_dir, failure=f"cannot read {path}")


def check_branch(name: str) -> None:
    """Refuse what cannot be the name of a branch (SECURITY-CASES G08).

    Raises:
        UsageError: it cannot.
    """
    checked = hostgit.run("check-ref-format", f"refs/heads/{name}")
    if checked.exit_code or name.startswith("-") or name == "HEAD" or not name.isprintable():
        raise UsageError(f"{name!r} cannot be the name of a branch", "use letters, digits, and - _ . / between them")


def look(git_dir: Path, url: str, branches: Sequence[str]) -> Seen:
    """Ask a remote for its default branch and these branches.

    Raises:
        RepositoryError: it cannot be read; with git's reason and what to do.
    """
    names = ("HEAD", *(f"refs/heads/{branch}" for branch in branches))
    done = hostgit.run("ls-remote", "--symref", "--", url, *names, git_dir=git_dir, user=True)
    if done.exit_code:
        raise RepositoryError(f"cannot read {url}: {done.reason}", hostgit.hint(done.err))
    default, found = "", {}
    for line in done.out.decode(errors="surrogateescape").splitlines():
        what, _, name = line.partition("\t")
        if what.startswith("ref: refs/heads/") and name == "HEAD":
            default = what.removeprefix("ref: refs/heads/")
        elif name.removeprefix("refs/heads/") in branches and name.startswith("refs/heads/"):
            found[name.removeprefix("refs/heads/")] = what
    return Seen(default, found)


def follows(git_dir: Path, old: str, new: str) -> bool:
    """Whether `new` continues `old`, as far as this repository knows."""
    return hostgit.run("merge-base", "--is-ancestor", old, new, git_dir=git_dir).exit_code == 0


def push(git_dir: Path, url: str, sha: str, branch: str, *, expected: str) -> None:
    """Let `branch` of the remote be `sha`, provided that it is still where it was seen.

    Args:
        expected: where it was seen; empty when it was not there.

    Raises:
        RepositoryError: the remote refused, has moved on, or cannot be reached.
    """
    ref = f"refs/heads/{branch}"
    done = hostgit.run(
        "push", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed", "--recurse-submodules=no",
        f"--force-with-lease={ref}:{expected}", "--", url, f"{sha}:{ref}",
        git_dir=git_dir, user=True, timeout=900.0,
    )  # fmt: skip
    if done.exit_code:
        why, hint = _refusal(done)
        raise RepositoryError(f"cannot push {branch} to {url}: {why}", hint)


def _refusal(done: hostgit.Finished) -> tuple[str, str]:
    """Why a push failed, and what to do: the remote's own words where it has some."""
    status = next((line for line in done.out.split(b"\n") if line.startswith(b"!\t")), b"")
    said = [line.removeprefix(b"remote:").strip() for line in done.err.split(b"\n") if line.startswith(b"remote:")]
    telling = [line for line in said if re.search(rb"(?i)error|fatal|denied|refus|reject|protect|not allowed", line)]
    if b"stale info" in status:
        return "the branch has moved since it was looked at", "run it again: what is there now will be considered"
    words = hostgit.reason((telling or said or [status.rpartition(b"\t")[2] or done.err])[0])
    if status:
        return words, hostgit.hint(done.err) or "the remote refused it: another --branch may be allowed"
    return hostgit.reason(done.err) if not telling else words, hostgit.hint(done.err)


def bundle(git_dir: Path, base: str, ref: str, target: Path) -> None:
    """Write `ref` and all it has beyond `base` as a bundle to the new file `target`.

    Raises:
        RepositoryError: there is nothing beyond the base, or it cannot be written.
    """
    with target.open("xb") as file:
        done = hostgit.run("bundle", "create", "--quiet", "-", ref, f"^{base}", git_dir=git_dir, stdout=file)
    if done.exit_code:
        target.unlink(missing_ok=True)
        raise RepositoryError(f"cannot write the bundle {target}: {done.reason}")


def _nothing(git_dir: Path) -> str:
    """The empty tree."""
    arguments = ("hash-object", "-t", "tree", "--stdin")
    return hostgit.out(*arguments, git_dir=git_dir, failure="cannot read the commits").decode().strip()


def _setting(name: str, checkout: Path) -> str:
    found = _git("config", "--get", name, cwd=checkout)
    return found.out.decode(errors="surrogateescape").strip()


def _git(*arguments: str, cwd: Path) -> hostgit.Finished:
    return hostgit.run(*arguments, cwd=cwd, user=True)
