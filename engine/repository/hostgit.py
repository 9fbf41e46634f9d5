"""Every git process on the host starts here, on the user's sources or on bare repositories that fumehood owns.

Never on a repository an agent could write: its configuration, hooks and filters would run on the host
(SECURITY-CASES G01 to G03). Two surroundings:

- *owned*: nothing of the user's or the system's configuration is read, no transport is allowed. For everything that
  works on our own bare repositories.
- *user*: the user's global and system configuration is read, because reading a source needs what stands there: ssh
  keys and agent, credential helpers, `url.*.insteadOf`, proxies, `safe.directory`. Hooks, fsmonitor, automatic
  maintenance and every prompt are off; no controlling terminal is left on which ssh could ask.

Processes start by `subprocess`, not by GitPython: importing GitPython (90 ms) costs more than a whole cached start
may take, and its `kill_after_timeout` leaves ssh running. GitPython reads the objects of results (`opened`).
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from engine.errors import NoRoom, RepositoryError

if TYPE_CHECKING:
    from git import Repo

_POLL_SECONDS = 0.2
_GRACE_SECONDS = 1.0

_ALWAYS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "safe.bareRepository": "all",
    "submodule.recurse": "false",
}
_OWNED = _ALWAYS | {
    "core.attributesFile": "/dev/null",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
}
_USER = _ALWAYS | {
    "fetch.fsckObjects": "false",  # old histories have harmless faults; the source is the user's own choice
    "transfer.fsckObjects": "false",
    "fetch.recurseSubmodules": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
}
_HINTS = (
    ("dubious ownership", "if you trust that repository: git config --global --add safe.directory PATH"),
    ("could not read Username", "it needs credentials: set up a git credential helper, or use an ssh url"),
    ("could not read Password", "it needs credentials: set up a git credential helper, or use an ssh url"),
    ("Authentication failed", "the stored credentials were refused: renew them in git's credential helper"),
    ("Host key verification failed", "connect once with ssh to that host and accept its key"),
    ("Permission denied", "load the right key into the ssh agent: ssh-add"),
    ("Could not resolve host", "check the host's name and the connection"),
    ("mismatched algorithms", "git here is too old for that repository's object format"),
)
# What git says of a connection that ended; why, ssh said in the line before.
_CONNECTION = "fatal: Could not read from remote repository."
# A line of git's own about a write that failed; what a remote says begins with "remote: ".
_FULL = re.compile(rb"(?m)^(?!remote: ).*(No space left on device|Disk quota exceeded|Out of diskspace)$")
# In one allocation; files beyond it git reads in pieces (core.bigFileThreshold).
_MOST_MEMORY = "512m"
# What of the caller's GIT_* variables still counts when a source is read: how to connect, which configuration.
_KEPT = re.compile(r"GIT_(SSH|SSL|HTTP|PROXY|CURL|CONFIG)(_|$)")


class Finished(Struct, frozen=True):
    """How a git process ended; `out` is empty when its output went to a file."""

    exit_code: int
    out: bytes
    err: bytes

    @property
    def reason(self) -> str:
        """The line of git's own words that says most, without control characters and credentials."""
        return reason(self.err)


def reason(err: bytes) -> str:
    """The most telling line of what git wrote to stderr, made safe to show (it may hold a remote's text)."""
    text = re.sub(r"://[^/@\s]+@", "://", err.decode(errors="replace"))
    lines = ["".join(c for c in line if c.isprintable()).strip() for line in text.splitlines()]
    lines = [line for line in lines if line]
    if _CONNECTION in lines[1:]:
        return lines[lines.index(_CONNECTION) - 1][:500]
    for prefix in ("fatal: ", "error: "):
        found = [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]
        if found:
            return found[0][:500]
    return lines[-1][:500] if lines else "git gave no reason"


def hint(err: bytes) -> str:
    """What to do about what git wrote to stderr, where that is known; else empty."""
    text = err.decode(errors="replace")
    return next((hint for sign, hint in _HINTS if sign in text), "")


def search_path() -> str:
    """`PATH` without folders named relative to the current one: an agent's files may lie there (SECURITY-CASES S10)."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if folder.startswith("/"))


def environment(*, user: bool) -> dict[str, str]:
    """The variables a git process runs with; see the module's text for the two surroundings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or (user and _KEPT.match(k))}
    kept |= {
        "PATH": search_path(),
        "LC_ALL": "C",
        "LANGUAGE": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS_REQUIRE": "never",
        "GCM_INTERACTIVE": "never",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_LFS_SKIP_SMUDGE": "1",
        # An object that is missing in a partial clone would be fetched by a program the repository names.
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "https:http:ssh:file" if user else "",
    }
    if not user:
        kept |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent"}
        # A few bytes of an agent can stand for gigabytes: git ends rather than take them of this machine's memory.
        kept["GIT_ALLOC_LIMIT"] = _MOST_MEMORY
        kept.pop("XDG_CONFIG_HOME", None)
    return kept


def run(
    *arguments: str | bytes,
    git_dir: Path | None = None,
    cwd: Path | None = None,
    user: bool = False,
    stdin: bytes | IO[bytes] = b"",
    stdout: IO[bytes] | None = None,
    variables: Mapping[str, str] | None = None,
    timeout: float = 300.0,
    while_waiting: Callable[[], None] = lambda: None,
) -> Finished:
    """Run git and return how it ended, whatever its exit code.

    Args:
        arguments: the subcommand and what follows; names that come from elsewhere belong after `--` or as full
            names of refs (SECURITY-CASES G08).
        git_dir: the repository, never searched for; without it git looks around `cwd`.
        user: read the user's configuration (see the module's text).
        timeout: seconds; the process and its children are ended then.
        while_waiting: called five times a second; what it raises ends the process and comes out here.

    Raises:
        RepositoryError: git is missing, was killed or did not finish in time.
        NoRoom: git could not write something.
    """
    options = [word for setting in (_USER if user else _OWNED).items() for word in ("-c", "=".join(setting))]
    place = [f"--git-dir={git_dir}"] if git_dir else []
    source = (subprocess.PIPE if stdin else subprocess.DEVNULL) if isinstance(stdin, bytes) else stdin
    try:
        process = subprocess.Popen(
            ["git", *options, *place, *arguments],
            cwd=cwd,
            env=environment(user=user) | dict(variables or {}),
            stdin=source,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        if cwd is not None and not cwd.is_dir():
            raise RepositoryError(f"{cwd} is not a folder") from error
        raise RepositoryError("git is not installed", "install it, for example: apt install git") from error
    try:
        out, err = _wait(process, stdin if isinstance(stdin, bytes) else b"", timeout, while_waiting)
    except BaseException:
        _end(process)
        raise
    if process.returncode and (full := _FULL.search(err or b"")):
        raise NoRoom(reason(full[0]))
    if process.returncode < 0:
        # Not an answer: many take any exit code but 0 for a no.
        hint = "see whether this machine ran out of memory, and try again"
        raise RepositoryError(f"git was killed ({signal.Signals(-process.returncode).name})", hint)
    return Finished(process.returncode, out or b"", err or b"")


def out(*arguments: str | bytes, failure: str, hint: str = "", git_dir: Path, stdin: bytes = b"") -> bytes:
    """Output of git on an owned repository that has to succeed; else RepositoryError `failure: reason`."""
    done = run(*arguments, git_dir=git_dir, stdin=stdin)
    if done.exit_code:
        raise RepositoryError(f"{failure}: {done.reason}", hint)
    return done.out


def _wait(
    process: subprocess.Popen[bytes], stdin: bytes, timeout: float, while_waiting: Callable[[], None]
) -> tuple[bytes, bytes]:
    deadline = time.monotonic() + timeout
    pending: bytes | None = stdin or None
    while True:
        try:
            return process.communicate(pending, timeout=_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            pending = None
            if time.monotonic() > deadline:
                raise RepositoryError(f"git did not finish within {timeout:g} seconds and was ended") from None
            while_waiting()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End git and its children; TERM first, so that git removes its temporary files."""
    for number, patience in ((signal.SIGTERM, _GRACE_SECONDS), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            break
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            with suppress(OSError):
                stream.close()


@contextmanager
def opened(git_dir: Path) -> Iterator[Repo]:
    """A GitPython view of a bare repository that fumehood owns, in the owned surroundings.

    Raises:
        RepositoryError: a git that was started within it failed.
    """
    from git import Repo
    from git.exc import GitCommandError, GitError

    with Repo(git_dir, search_parent_directories=False) as repository:
        repository.git.update_environment(
            **environment(user=False),
            GIT_DIR=str(git_dir),
            GIT_OBJECT_DIRECTORY=str(git_dir / "objects"),
            GIT_ALTERNATE_OBJECT_DIRECTORIES="",
            GIT_CONFIG_COUNT="0",
            GIT_CONFIG_PARAMETERS="",
        )
        try:
            yield repository
        except GitCommandError as error:
            raise RepositoryError(f"git failed: {reason(os.fsencode(str(error.stderr)))}") from error
        except (GitError, ValueError) as error:
            raise RepositoryError(f"git failed: {reason(os.fsencode(str(error)))}") from error
