"""The way of the code into a container (DESIGN decision 5, SPEC T1, T2)."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

from engine.errors import RepositoryError
from engine.repository import hostgit
from engine.repository.shell import Output, Shell

LEFTOVERS = "/opt/fumehood/setup-files"
"""Where a container keeps the record of what setup and maintenance left in the work tree."""

_BUNDLE = "/tmp/fumehood-base.bundle"


@cache
def script(*names: str) -> str:
    """The text of one of the bash scripts of this package, or of several as one."""
    folder = Path(__file__).with_name("scripts")
    return "".join((folder / f"{name}.sh").read_text(encoding="utf-8") for name in names)


def clone(shell: Shell, *, mirror: str, workspace: str, sha: str, timeout: float = 600.0) -> list[str]:
    """Clone into a setup container, on branch `work` at `sha`, with no remote and no credentials.

    Args:
        mirror: where `Mirror.git_dir` is mounted (read-only) in the container.
        workspace: the folder to make, absolute, in the container.

    Returns:
        Notices for the log of the task: submodules that are empty, LFS pointers.

    Raises:
        RepositoryError: with the reason git gave.
    """
    done = shell.bash(script("surroundings", "clone"), mirror, workspace, sha, timeout=timeout)
    _succeed(done, f"cannot clone into {workspace}")
    lines = done.out.decode(errors="replace").splitlines()
    return [line.removeprefix("notice: ") for line in lines if line.startswith("notice: ")]


def checkout(
    shell: Shell, workspace: str, sha: str, bundle: Path | None = None, *, afterwards: str = "", timeout: float = 600.0
) -> bytes:
    """Bring branch `work` to `sha`; `bundle` is what `thin_bundle` made for it.

    `afterwards` is bash to run in the same process (a process in a container costs 50 ms); its output is returned.

    Tracked files are as in `sha` afterwards, whatever setup did to them; its untracked and ignored files stay.

    Raises:
        RepositoryError: the commit is missing in the container, or with the reason git gave.
    """
    if bundle:
        shell.put(_BUNDLE, bundle)
    text = f"{script('checkout').rstrip()} || exit 1\n{afterwards}"
    done = shell.bash(text, workspace, sha, _BUNDLE if bundle else "", timeout=timeout)
    _succeed(done, f"cannot check out {sha[:12]}")
    return done.out


def bring(shell: Shell, git_dir: Path, workspace: str, have: str, want: str, afterwards: str, folder: Path) -> bytes:
    """`checkout` of commit `want` in a container that has commit `have`, with what it lacks from the mirror `git_dir`.

    `folder` is where the bundle lies meanwhile.

    Raises:
        RepositoryError: as `checkout`, or the commit is not in the mirror.
    """
    bundle = thin_bundle(git_dir, have, want, folder)
    try:
        return checkout(shell, workspace, want, bundle, afterwards=afterwards)
    finally:
        if bundle:
            bundle.unlink()


def restore(shell: Shell, results: Path, workspace: str, *, base: str, result: str, head: str, folder: Path) -> None:
    """Let a container that has commit `base` be as an agent left another one (SPEC T5).

    Args:
        results: the repository with the task's results (`engine.repository.out`).
        result: the commit with the files as they were; `head`: the agent's own last commit, or `base`.
        folder: where the bundle lies meanwhile.

    Raises:
        RepositoryError: as `checkout`, or the result is not there.
    """
    bundle = thin_bundle(results, base, result, folder)
    try:
        if bundle:
            shell.put(_BUNDLE, bundle)
        text = f"{script('checkout').rstrip()} || exit 1\n{script('restore')}"
        done = shell.bash(text, workspace, result, _BUNDLE if bundle else "", head, base)
        _succeed(done, f"cannot bring back the result {result[:12]}")
    finally:
        if bundle:
            bundle.unlink()


def record_leftovers(shell: Shell, workspace: str, *, timeout: float = 600.0) -> None:
    """Record what differs from HEAD, so that `collect` does not take it for the agent's work.

    Call it when setup is over (after `checkout` of the same sha, which resets tracked files) and again after a
    maintenance that ran. The untracked files recorded are also hidden from the agent's `git add`, by
    `.git/info/exclude`: an agent that commits everything commits only its own.
    """
    done = shell.bash(script("surroundings", "leftovers"), workspace, LEFTOVERS, timeout=timeout)
    _succeed(done, "cannot record what setup left in the work tree")


def thin_bundle(git_dir: Path, have: str, want: str, folder: Path) -> Path | None:
    """A bundle that brings a repository which has commit `have` to commit `want`; None when it has it already.

    Made in `folder` from a repository that fumehood owns; the caller removes it. It has everything when `have` is not
    known there (a mirror that was made again).
    """
    if have == want:
        return None
    known = hostgit.run("merge-base", "--is-ancestor", want, have, git_dir=git_dir)
    if known.exit_code == 0:
        return None
    has_base = hostgit.run("cat-file", "-e", f"{have}^{{commit}}", git_dir=git_dir).exit_code == 0
    head = "# v2 git bundle\n" if len(want) == 40 else "# v3 git bundle\n@object-format=sha256\n"
    head += (f"-{have} base\n" if has_base else "") + f"{want} refs/heads/base\n\n"
    descriptor, name = tempfile.mkstemp(suffix=".bundle", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(head.encode())
            file.flush()
            done = hostgit.run(
                "pack-objects", "--revs", "--thin", "--stdout", "--delta-base-offset", "-q",
                git_dir=git_dir, stdin=f"{want}\n{f'^{have}' if has_base else ''}\n".encode(), stdout=file,
            )  # fmt: skip
        if done.exit_code:
            raise RepositoryError(f"cannot pack commit {want[:12]}: {done.reason}")
    except BaseException:
        Path(name).unlink()
        raise
    return Path(name)


def _succeed(done: Output, failure: str) -> None:
    if done.exit_code:
        raise RepositoryError(f"{failure}: {hostgit.reason(done.err)}")
