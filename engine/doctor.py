"""What fumehood needs of this machine, checked one by one (SPEC L3 `doctor`)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.errors import EngineError, RepositoryError
from engine.state import private_dir, state_dir

Version = tuple[int, ...]
# Faults that a runtime may have, each with the first good release of every line; an older line has it too.
_RUNC_FAULTS: dict[str, tuple[Version, ...]] = {
    "CVE-2024-21626": ((1, 1, 12),),
    "CVE-2025-31133, CVE-2025-52565, CVE-2025-52881": ((1, 2, 8), (1, 3, 3)),
}
# The engine's resolver forwarded queries of internal networks: CVE-2024-29018.
_RESOLVER_FIXED: tuple[Version, ...] = ((23, 0, 11), (25, 0, 5), (26, 0, 0))
_DISK_LOW = 5 << 30


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: `ok` None is a warning, work goes on; `hint` says what to do."""

    name: str
    ok: bool | None
    message: str
    hint: str = ""


def checks() -> Iterator[Check]:
    """Every check, as its result comes in; none raises."""
    yield from _guarded("state folder", _state)
    yield from _guarded("git", _git)
    yield from _guarded("forge", _forges)
    yield from _guarded("container engine", _engine)


def _guarded(name: str, check: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    try:
        yield from check()
    except EngineError as error:
        yield Check(name, False, error.message, error.hint)


def _state() -> Iterator[Check]:
    try:
        folder = private_dir(state_dir())
        free = shutil.disk_usage(folder).free
    except OSError as error:
        yield Check("state folder", False, f"{state_dir()}: {error.strerror}", "give your user write access to it")
        return
    if folder.stat().st_mode & 0o077:
        yield Check("state folder", False, f"{folder} is open to other users", f"chmod 700 {folder}")
    else:
        yield Check("state folder", True, str(folder))
    low = free < _DISK_LOW
    yield Check("disk", None if low else True, f"{free / 1e9:.0f} GB free", "free some space" if low else "")


def _git() -> Iterator[Check]:
    path = shutil.which("git")
    if path is None:
        yield Check("git", False, "git is not installed", "Debian: apt-get install git")
        return
    yield Check("git", True, path)
    from engine.repository.push import author

    try:
        who = author(None)
    except RepositoryError as error:
        yield Check("git identity", None, error.message, error.hint)
    else:
        yield Check("git identity", True, f"{who.name} <{who.email}>")


def _forges() -> Iterator[Check]:
    from engine.publish.tokens import known_hosts

    found = False
    for host, _, place in known_hosts():
        found = True
        yield Check("forge", True, f"token for {host} from {place}")
    if not found:
        hint = "log in with gh, glab or tea, or export GITHUB_TOKEN, GITLAB_TOKEN or GITEA_TOKEN"
        yield Check("forge", True, "no token: all but `fumehood pr` works", hint)


def _engine() -> Iterator[Check]:
    from engine.containers.endpoint import connect, describe

    engine = describe()
    yield Check(
        "container engine",
        True,
        f"{engine.name} {engine.version} at {engine.url}, {engine.storage}",
        "older than the fix of CVE-2024-29018; tasks are not affected, as they have no network and no resolver"
        if engine.name == "docker" and _older(engine.version, _RESOLVER_FIXED)
        else "",
    )
    faults = [names for names, fixed in _RUNC_FAULTS.items() if _older(engine.runtime, fixed)]
    yield Check(
        "runtime",
        None if faults else True,
        f"runc {engine.runtime or 'unknown'}",
        f"older than the fixes of {', '.join(faults)} (container escapes): update it" if faults else "",
    )
    from engine.containers import images
    from engine.environment.model import DEFAULT_IMAGE

    found = images.find(connect(), DEFAULT_IMAGE)
    if found:
        yield Check("base image", True, f"{DEFAULT_IMAGE} {found[7:19]}")
        return
    tool = shutil.which("debootstrap") or shutil.which("mmdebstrap")
    hint = "make it: fumehood image bootstrap" + ("" if tool else " (needs `apt-get install debootstrap`)")
    yield Check("base image", None, f"{DEFAULT_IMAGE} is not there; environments that name another image work", hint)


def _older(version: str, fixed: tuple[Version, ...]) -> bool:
    """Whether a version is older than the first good release of its line, or of the next line that has one."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    line = next((good for good in fixed if good[:2] >= numbers[:2]), None)
    return bool(numbers) and line is not None and numbers < line
