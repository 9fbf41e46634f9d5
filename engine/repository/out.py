"""The way of a result out of a container: checked objects, never a repository (DESIGN decision 5, SPEC T9).

The container sends a bundle. It may say anything: here every object is checked before it counts (fsck, the paths
git would refuse to check out), and the history is made to begin at the base the host chose.
`git fetch` from a bundle ignores `fetch.fsckObjects` before git 2.46, so the pack goes through `index-pack --strict`.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from msgspec import Struct

from engine.errors import RepositoryError
from engine.repository import hostgit
from engine.repository.into import LEFTOVERS, script
from engine.repository.mirror import Mirror, create_bare
from engine.repository.shell import FileShell
from engine.state import Lock, locked, private_dir, state_dir, write_atomic

_NOTHING_CHANGED, _REFUSED = 40, 41
_HEADER_LIMIT = 64 * 1024
_INCOMING = "objects/incoming-*"
_AGENT = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "agent"), ("EMAIL", "agent@fumehood.invalid"))
}


class Result(Struct, frozen=True):
    """A collected result.

    Attributes:
        sha: a commit that descends from the base and holds exactly the result's files.
        tree: its tree.
        commits: (sha, subject) of the commits the agent made itself, oldest first; subjects are the agent's text.
    """

    sha: str
    tree: str
    commits: tuple[tuple[str, str], ...]


def collect(
    shell: FileShell, target: Path, *, workspace: str, base: str, message: str, timeout: float = 600.0
) -> list[str] | None:
    """Write the result in `workspace` as a bundle to `target`; None when nothing changed since `base`.

    Returns:
        Notices about files that could not be taken as they are.

    Raises:
        RepositoryError: with the reason git gave.
    """
    arguments = (workspace, base, LEFTOVERS, message)
    done = shell.bash_to_file(target, script("surroundings", "collect"), *arguments, timeout=timeout)
    if done.exit_code == _NOTHING_CHANGED:
        target.unlink(missing_ok=True)
        return None
    if done.exit_code == _REFUSED:
        raise _refused(_complaint(done.err))
    if done.exit_code:
        raise RepositoryError(f"cannot collect the result: {hostgit.reason(done.err)}", "the container is kept")
    lines = done.err.decode(errors="replace").splitlines()
    return [line.removeprefix("notice: ") for line in lines if line.startswith("notice: ")]


def sweep() -> None:
    """Remove what was on its way into a repository of results when whoever took it in was killed."""
    for git_dir in (state_dir() / "results").glob("*.git"):
        lock = Lock(_lock_path(git_dir))
        if any(git_dir.glob(_INCOMING)) and lock.try_acquire():
            try:
                _clear(git_dir)
            finally:
                lock.release()


def _clear(git_dir: Path) -> None:
    for left in git_dir.glob(_INCOMING):
        shutil.rmtree(left, ignore_errors=True)


def _lock_path(git_dir: Path) -> Path:
    """What is held by whoever takes a result in."""
    return state_dir() / "locks" / f"results-{git_dir.stem}.lock"


class Results:
    """The results of all tasks of one source, in a bare repository of the host that borrows the mirror's objects.

    It stands apart from the mirror, so that no container is ever given another task's result, and in the state
    folder, because results cannot be made again.
    """

    def __init__(self, mirror: Mirror) -> None:
        self.mirror = mirror
        self.git_dir = state_dir() / "results" / f"{mirror.slug}.git"

    def receive(self, bundle: Path, *, task: str, attempt: int, base: str, turn: int = 1) -> Result:
        """Take a bundle that `collect` wrote; kept as refs/tasks/TASK/ATTEMPT, its base as refs/tasks/TASK/base.

        The result of each turn is kept as well, as refs/tasks/TASK/turns/ATTEMPT-TURN.

        Raises:
            RepositoryError: `result refused: …` when an object or a path is not acceptable (SECURITY-CASES G04).
        """
        name = f"refs/tasks/{task}"
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", task):
            raise RepositoryError(f"{task!r} cannot be the id of a task")
        with locked(_lock_path(self.git_dir)):
            self._prepare(base)
            _clear(self.git_dir)
            incoming = Path(tempfile.mkdtemp(prefix="incoming-", dir=self.git_dir / "objects"))
            try:
                refs = self._unpack(bundle, incoming)
                sha = self._checked(refs, base, incoming)
                _keep(incoming / "pack", self.git_dir / "objects" / "pack")
            finally:
                shutil.rmtree(incoming, ignore_errors=True)
            self._git("update-ref", f"{name}/base", base)
            sha = self._on_base(sha, base)
            self._git("update-ref", f"{name}/{attempt}", sha)
            self._git("update-ref", f"{name}/turns/{attempt}-{turn}", sha)
        commits = self._commits(base, refs.get("refs/heads/agent", base))
        return Result(sha, self._git("rev-parse", f"{sha}^{{tree}}"), commits)

    def _prepare(self, base: str) -> None:
        """Make the repository if needed, borrowing from the mirror (also its shallow boundary)."""
        if not self.git_dir.is_dir():
            temporary = private_dir(self.git_dir.parent) / f".new-{self.git_dir.name}"
            shutil.rmtree(temporary, ignore_errors=True)
            create_bare(temporary, "sha256" if len(base) == 64 else "sha1")
            temporary.rename(self.git_dir)
        write_atomic(self.git_dir / "objects/info/alternates", os.fsencode(self.mirror.git_dir / "objects") + b"\n")
        shallow = self.mirror.git_dir / "shallow"
        if shallow.exists():
            shutil.copyfile(shallow, self.git_dir / "shallow")
        if hostgit.run("cat-file", "-e", f"{base}^{{commit}}", git_dir=self.git_dir).exit_code:
            raise RepositoryError(
                f"the base {base[:12]} of the result is not in the mirror {self.mirror.folder}",
                "the mirror was removed or its source was rewritten; the container is kept",
            )

    def _unpack(self, bundle: Path, incoming: Path) -> dict[str, str]:
        """Check every object of the bundle and index its pack, away from the repository's own objects."""
        with bundle.open("rb") as file:
            refs, length = _read_header(file.read(_HEADER_LIMIT))
            os.lseek(file.fileno(), length, os.SEEK_SET)
            done = hostgit.run(
                "index-pack", "--stdin", "--fix-thin", "--strict", git_dir=self.git_dir, stdin=file, timeout=900.0,
                variables=self._inside(incoming),
            )  # fmt: skip
        if done.exit_code:
            raise _refused(_complaint(done.err))
        return refs

    def _checked(self, refs: dict[str, str], base: str, incoming: Path) -> str:
        """The result's commit, when git would check out every path of it."""
        sha, agent = refs.get("refs/heads/result", ""), refs.get("refs/heads/agent", "")
        if not sha or set(refs) - {"refs/heads/result", "refs/heads/agent"}:
            raise _refused("it does not name one result")
        variables = self._inside(incoming) | {"GIT_INDEX_FILE": str(incoming / "index")}
        read = hostgit.run("read-tree", f"{sha}^{{commit}}", git_dir=self.git_dir, variables=variables)
        if read.exit_code:
            raise _refused(_complaint(read.err))
        for old, new in ((base, agent), (agent, sha)) if agent else ():
            known = hostgit.run("merge-base", "--is-ancestor", old, new, git_dir=self.git_dir, variables=variables)
            if known.exit_code:
                raise _refused("its commits do not lead from the base to the result")
        return sha

    def _on_base(self, sha: str, base: str) -> str:
        """`sha`, or its files as one commit on the base when its history does not begin there."""
        if hostgit.run("merge-base", "--is-ancestor", base, sha, git_dir=self.git_dir).exit_code == 0:
            return sha
        done = hostgit.run(
            "commit-tree", "-p", base, "-m", "Result", f"{sha}^{{tree}}", git_dir=self.git_dir, variables=_AGENT
        )
        if done.exit_code:
            raise _refused(done.reason)
        return done.out.decode().strip()

    def _commits(self, base: str, tip: str) -> tuple[tuple[str, str], ...]:
        if tip == base:
            return ()
        with hostgit.opened(self.git_dir) as repository:
            walk = repository.iter_commits(f"{base}..{tip}", reverse=True)
            found = [(commit.hexsha, commit.summary) for commit in walk]
        return tuple((sha, text if isinstance(text, str) else text.decode(errors="replace")) for sha, text in found)

    def _inside(self, incoming: Path) -> dict[str, str]:
        """Variables that let git write to `incoming` and read from the repository as well."""
        objects = self.git_dir / "objects"
        return {"GIT_OBJECT_DIRECTORY": str(incoming), "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects)}

    def _git(self, *arguments: str) -> str:
        return hostgit.out(*arguments, git_dir=self.git_dir, failure="cannot keep the result").decode().strip()


def forget(task: str) -> None:
    """Take the names of a task's results away; git's own clearing up may then remove the objects."""
    for git_dir in (state_dir() / "results").glob("*.git"):
        with locked(state_dir() / "locks" / f"results-{git_dir.stem}.lock"):
            listed = hostgit.out(
                "for-each-ref", "--format=delete %(refname)", f"refs/tasks/{task}/", git_dir=git_dir,
                failure="cannot list results",
            )  # fmt: skip
            if listed:
                hostgit.out("update-ref", "--stdin", git_dir=git_dir, stdin=listed, failure="cannot forget results")


def _read_header(start: bytes) -> tuple[dict[str, str], int]:
    """The refs a bundle names and its header's length; what it takes for granted index-pack finds missing or not."""
    header, blank, _ = start.partition(b"\n\n")
    lines = header.split(b"\n")
    if not blank or lines[0] not in (b"# v2 git bundle", b"# v3 git bundle"):
        raise _refused("it is not a git bundle")
    refs = {}
    for line in lines[1:]:
        if line.startswith((b"-", b"@")):
            continue
        found = re.fullmatch(rb"([0-9a-f]{40}(?:[0-9a-f]{24})?) (refs/heads/[a-z]+)", line)
        if not found:
            raise _refused("its list of refs is malformed")
        refs[found[2].decode()] = found[1].decode()
    return refs, len(header) + len(blank)


def _keep(packs: Path, target: Path) -> None:
    """Move packs into the repository; the index comes last, as git looks for it first."""
    target.mkdir(exist_ok=True)
    for pack in sorted(packs.glob("pack-*"), key=lambda path: path.suffix == ".idx"):
        pack.replace(target / pack.name)


def _complaint(err: bytes) -> str:
    """What fsck or read-tree objects to: its `error:` line, which says more than the `fatal:` one."""
    errors = [line for line in err.split(b"\n") if line.startswith(b"error: ")]
    return hostgit.reason(errors[0] if errors else err)


def _refused(why: str) -> RepositoryError:
    return RepositoryError(f"result refused: {why}", "the container is kept: look at it with `fumehood shell`")
