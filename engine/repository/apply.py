"""A result into the user's own checkout (SPEC T10; outcomes in the words of `codex cloud apply`).

Only `git apply` writes there: it refuses names outside the checkout, inside `.git` and behind symbolic links before it
writes anything (SECURITY-CASES G05). A patch that fits is applied to the work tree alone, the index stays as it is. One
that does not fit is merged (`--3way`) if that is wanted: what merges is applied and staged, the rest gets conflict
markers; git does that for all files or for none. Files with work that is not committed are left alone, unless `force`
says otherwise: then a patch that fits goes in beside that work; one that does not is never merged into it. With
`--3way` git looks for symbolic links in the index only and would write through an untracked one, so that case is
refused here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from msgspec import Struct

from engine.errors import RepositoryError
from engine.repository import hostgit

_APPLY = ("-c", "apply.whitespace=nowarn", "-c", "apply.ignoreWhitespace=no", "apply", "--whitespace=nowarn")
_PATHS_AT_ONCE = 500


class ApplyOutcome(Struct, frozen=True):
    """What became of a patch.

    Attributes:
        applied: every change is in the work tree now (never after a preflight).
        status: `success`; `partial`: some files have conflict markers; `error`: nothing was written.
        message: one sentence, with git's reason when it went wrong.
        skipped_paths: files of the patch that were left alone, because others of it do not fit.
        conflict_paths: files that do not fit; with status `partial` they hold conflict markers.
        dirty_paths: files of the patch with work that is not committed, for which nothing was done.
    """

    applied: bool
    status: Literal["success", "partial", "error"]
    message: str
    skipped_paths: tuple[str, ...] = ()
    conflict_paths: tuple[str, ...] = ()
    dirty_paths: tuple[str, ...] = ()


def apply(
    patch: Path, checkout: Path, *, preflight: bool = False, three_way: bool = True, force: bool = False
) -> ApplyOutcome:
    """Apply a patch to the checkout that holds the folder `checkout`.

    Args:
        preflight: only find out whether it applies cleanly; write nothing.
        three_way: merge what does not fit instead of leaving everything as it is.
        force: also change files that hold uncommitted work.

    Raises:
        RepositoryError: `checkout` is not in a work tree of git.
    """
    top = _top(checkout)
    paths = _paths(patch, top)
    if paths is None:
        return ApplyOutcome(False, "error", "the patch is damaged; nothing was changed")
    if not paths:
        return ApplyOutcome(not preflight, "success", "the patch is empty: there is nothing to apply")
    dirty = () if force else _dirty(top, paths)
    if dirty:
        kept = tuple(path for path in paths if path not in dirty)
        message = f"nothing was changed: {len(dirty)} of {len(paths)} files hold work that is not committed"
        return ApplyOutcome(False, "error", f"{message}; commit it, or apply with --force", kept, dirty, dirty)
    checked = _git(top, *_APPLY, "--check", "--", str(patch))
    if checked.exit_code == 0:
        if preflight:
            return ApplyOutcome(False, "success", f"the patch applies cleanly to {top}")
        done = _git(top, *_APPLY, "--", str(patch))
        if done.exit_code == 0:
            return ApplyOutcome(True, "success", f"applied to {top}: {len(paths)} files")
        return ApplyOutcome(False, "partial", f"git stopped while it wrote: {done.reason}")
    if three_way and not preflight and not any(_behind_link(top, path) for path in paths):
        merged = _git(top, *_APPLY, "--3way", "--", str(patch))
        if merged.exit_code == 0:
            return ApplyOutcome(True, "success", f"merged into {top} and staged: {len(paths)} files")
        conflicts = _unmerged(top, paths)
        if conflicts:
            message = f"applied to {top}, with conflicts to resolve in {len(conflicts)} of {len(paths)} files"
            return ApplyOutcome(False, "partial", message, (), conflicts)
    conflicts = _complained(paths, checked)
    skipped = tuple(path for path in paths if path not in conflicts)
    return ApplyOutcome(
        False, "error", f"the patch does not apply, nothing was changed: {checked.reason}", skipped, conflicts
    )


def _git(top: Path, *arguments: str | bytes) -> hostgit.Finished:
    return hostgit.run(*arguments, cwd=top, user=True)


def _top(checkout: Path) -> Path:
    """The top folder: below it `git apply` silently leaves out what lies elsewhere."""
    answer = _git(checkout, "rev-parse", "--show-toplevel")
    if answer.exit_code:
        raise RepositoryError(f"{checkout} is not in a git checkout: {answer.reason}", "run it inside your checkout")
    return Path(os.fsdecode(answer.out.removesuffix(b"\n")))


def _paths(patch: Path, top: Path) -> tuple[str, ...] | None:
    """The files the patch would change; None when git cannot read it."""
    if patch.stat().st_size == 0:
        return ()
    names: dict[str, None] = {}
    for direction in ((), ("--reverse",)):  # the names after, then those before: of a rename each side is listed once
        listed = _git(top, *_APPLY, *direction, "--numstat", "-z", "--", str(patch))
        if listed.exit_code:
            return None
        names |= dict.fromkeys(os.fsdecode(field.split(b"\t", 2)[2]) for field in listed.out.split(b"\0")[:-1])
    return tuple(names)


def _dirty(top: Path, paths: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the paths that differ from the last commit, or are not known to git at all."""
    arguments = ("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--ignored=no",
                 "--ignore-submodules=dirty")  # fmt: skip
    found: set[str] = set()
    for first in range(0, len(paths), _PATHS_AT_ONCE):
        # What lies outside is refused by `git apply`; `git status` would refuse to look at the rest as well.
        some = [
            os.fsencode(p) for p in paths[first : first + _PATHS_AT_ONCE] if not (p[:1] == "/" or ".." in p.split("/"))
        ]
        if not some:
            continue
        told = _git(top, *arguments, "--", *some)
        if told.exit_code:
            raise RepositoryError(f"cannot see what is not committed in {top}: {told.reason}")
        found |= {os.fsdecode(entry[3:]) for entry in told.out.split(b"\0") if entry}
    return tuple(path for path in paths if path in found)


def _behind_link(top: Path, path: str) -> bool:
    """Whether a folder on the way to `path` is a symbolic link in the work tree."""
    return any((top / folder).is_symlink() for folder in Path(path).parents)


def _complained(paths: tuple[str, ...], checked: hostgit.Finished) -> tuple[str, ...]:
    """The files that `git apply --check` names in what it wrote."""
    text = os.fsdecode(checked.err)
    signs = ("error: {}: ", "error: patch failed: {}:", "error: '{}' is beyond", "error: invalid path '{}'")
    return tuple(path for path in paths if any(sign.format(path) in text for sign in signs))


def _unmerged(top: Path, paths: tuple[str, ...]) -> tuple[str, ...]:
    listed = _git(top, "ls-files", "--unmerged", "-z").out.split(b"\0")[:-1]
    found = {os.fsdecode(entry.split(b"\t", 1)[1]) for entry in listed}
    return tuple(path for path in paths if path in found)
