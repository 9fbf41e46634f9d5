"""Where a task's code comes from: the `url` of an environment, checked and made absolute (SPEC E1)."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from engine.errors import RepositoryError
from engine.repository import hostgit

if TYPE_CHECKING:
    from engine.environment.model import Environment

_SCP = re.compile(r"(?:(?P<user>[^/@:]+)@)?(?P<host>[^/@:]+):(?!/{2})(?P<path>.+)")
_TOKEN = re.compile(r"gh[pousr]_|github_pat_|glpat-|x-access-token$|oauth2$")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_FORMS = "use https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH or the path of a local repository"


class Source(Struct, frozen=True):
    """A git repository: where a task's code comes from, or where its result is pushed to.

    Attributes:
        url: what git is given: a URL, or the absolute path of a local repository's top folder.
        kind: `local` for a path on this machine, `remote` otherwise.
        name: the folder's name below /workspace: `[A-Za-z0-9._-]+`, never hidden, never an option.
        subdirectory: POSIX path of the folder named, below the top of a local checkout; "" at the top.
            The task works in that folder.
    """

    url: str
    kind: Literal["local", "remote"]
    name: str
    subdirectory: str = ""

    @property
    def identity(self) -> str:
        """What tells this source, and the folder the task works in, from every other."""
        return f"{self.url}#{self.subdirectory}"

    @classmethod
    def of(cls, environment: Environment) -> Source:
        """The repository of an environment.

        Raises:
            RepositoryError: as `from_url`.
        """
        return cls.from_url(environment.repository.url, environment.directory)

    @classmethod
    def from_url(cls, url: str, base: Path, *, may_be_empty: bool = False) -> Source:
        """Check `url`; a relative path is taken from `base` (SECURITY-CASES B06).

        Args:
            may_be_empty: a local repository needs no commit, because it is to be given some.

        Raises:
            RepositoryError: not a form that is allowed, credentials inside, not a repository, or without a commit.
        """
        if not url or len(url) > 2048 or url != url.strip() or not url.isprintable():
            raise RepositoryError(
                f"repository url {url[:200]!r} is empty, too long or holds characters that cannot be shown", _FORMS
            )
        if url.startswith("-"):
            raise RepositoryError(f"repository url {url!r} looks like an option", _FORMS)
        if re.match(r"[A-Za-z0-9+.-]+::", url):
            raise RepositoryError(f"repository url {url!r} names a git transport program, which is not allowed", _FORMS)
        if "://" in url:
            return _from_scheme(url, may_be_empty)
        remote = _SCP.fullmatch(url)
        if remote and not os.path.lexists(base / url):
            _refuse_options(url, remote["user"] or "", remote["host"], remote["path"])
            return cls(url, "remote", _name(remote["path"]))
        try:
            return _local(base / Path(url).expanduser(), may_be_empty)
        except (OSError, RuntimeError) as error:
            raise RepositoryError(f"repository url {url[:200]!r} cannot be read: {error}", _FORMS) from None


def _from_scheme(url: str, may_be_empty: bool) -> Source:
    try:
        parts = urlsplit(url)
        host, password = parts.hostname or "", parts.password
        _ = parts.port
    except ValueError as error:
        raise RepositoryError(f"repository url {url!r} is not a valid URL: {error}", _FORMS) from None
    if parts.scheme == "file":
        if host not in ("", "localhost"):
            raise RepositoryError(f"repository url {url!r} names a host for a local file", _FORMS)
        return _local(Path(unquote(parts.path)), may_be_empty)
    if parts.scheme not in ("https", "ssh") and not (parts.scheme == "http" and host in _LOOPBACK):
        hint = "use https, so that nobody on the way can change the code" if parts.scheme == "http" else _FORMS
        raise RepositoryError(f"repository url scheme {parts.scheme!r} is not allowed", hint)
    if password is not None or _TOKEN.match(parts.username or ""):
        raise RepositoryError(
            f"the repository url for {host} holds credentials",
            "remove them from the url; git's credential helper or an ssh key gives them (git help credentials)",
        )
    if not host or not parts.path.strip("/"):
        raise RepositoryError(f"repository url {url!r} has no host or no path", _FORMS)
    _refuse_options(url, parts.username or "", host, parts.path)
    return Source(url, "remote", _name(parts.path))


def _refuse_options(url: str, *pieces: str) -> None:
    """ssh and git-upload-pack would take a host, user or path that starts with `-` for an option."""
    if any(piece.startswith("-") for piece in map(unquote, pieces)):
        raise RepositoryError(f"repository url {url!r} holds a part that looks like an option", _FORMS)


def _name(path: str) -> str:
    """The last part of `path` as a folder name that needs no quoting anywhere."""
    last = unquote(path).rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1].removesuffix(".git")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("-.")[:100] or "repository"


def _refuse_embedded(path: Path) -> None:
    """A bare repository among the files of another one is content: anybody may have written its configuration, which
    names programs that git runs (SECURITY-CASES G01)."""
    for folder in (path, *path.parents):
        if os.path.lexists(folder / ".git"):
            return
        if os.path.lexists(folder / "HEAD") and any(os.path.lexists(folder / n) for n in ("objects", "commondir")):
            if any(os.path.lexists(outer / ".git") for outer in folder.parents):
                text = f"{folder} is a bare repository among the files of another one"
                raise RepositoryError(text, "clone it to a folder of its own, and name that")
            return


def _local(path: Path, may_be_empty: bool) -> Source:
    path = Path(os.path.realpath(path))
    if not path.is_dir() or "\n" in str(path):
        raise RepositoryError(f"{path} is not a folder", "a repository url is relative to its environment file")
    _refuse_embedded(path)
    questions = ("--is-bare-repository", "--is-inside-work-tree", "--absolute-git-dir", "--show-prefix")
    answer = hostgit.run("rev-parse", *questions, "HEAD", "--", cwd=path, user=True)
    lines = answer.out.decode("utf-8", "surrogateescape").split("\n")
    if b"dubious ownership" in answer.err:
        raise RepositoryError(
            f"{path} belongs to another user and git refuses to read it",
            f"if you trust it: git config --global --add safe.directory {path}",
        )
    if answer.exit_code and len(lines) < 4 and b"not a git repository" not in answer.err:
        raise RepositoryError(f"git cannot read {path}: {answer.reason}")
    if len(lines) < 4 or "true" not in lines[:2]:
        raise RepositoryError(f"{path} is not a git repository", "make it one: git init && git add . && git commit")
    bare = lines[0] == "true"
    top = Path(lines[2]) if bare else path
    subdirectory = "" if bare else lines[3].strip("/")
    for _ in Path(subdirectory).parts:
        top = top.parent
    empty = answer.exit_code and not hostgit.run("for-each-ref", "--count=1", cwd=top, user=True).out
    if empty and not may_be_empty:
        raise RepositoryError(f"{top} has no commit yet", "make the first one: git add . && git commit")
    return Source(str(top), "local", _name(str(top)), subdirectory)
