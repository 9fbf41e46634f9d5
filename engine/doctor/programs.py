"""The programs that fumehood works with: git, forges, agents, the container engine and its runtime."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

from engine.doctor.check import Check
from engine.errors import RepositoryError

Version = tuple[int, ...]
# Faults that a runtime may have, each with the first good release of every line; an older line has it too.
_RUNC_FAULTS: dict[str, tuple[Version, ...]] = {
    "CVE-2024-21626": ((1, 1, 12),),
    "CVE-2025-31133, CVE-2025-52565, CVE-2025-52881": ((1, 2, 8), (1, 3, 3)),
}
# The engine's resolver forwarded queries of internal networks: CVE-2024-29018.
_RESOLVER_FIXED: tuple[Version, ...] = ((23, 0, 11), (25, 0, 5), (26, 0, 0))


def git() -> Iterator[Check]:
    """git, and who commits."""
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


def forges() -> Iterator[Check]:
    """Tokens that there are for forges."""
    from engine.publish.tokens import known_hosts

    found = False
    for host, _, place in known_hosts():
        found = True
        yield Check("forge", True, f"token for {host} from {place}")
    if not found:
        hint = "log in with gh, glab or tea, or export GITHUB_TOKEN, GITLAB_TOKEN or GITEA_TOKEN"
        yield Check("forge", True, "no token: all but `fumehood pr` works", hint)


def agents() -> Iterator[Check]:
    """The agents that could work, and what the others lack."""
    from engine.agents.listing import listing

    entries = [entry for entry in listing() if entry.usable]
    ready = [f"{entry.name} {entry.version}".strip() for entry in entries if not entry.missing]
    others = [entry.name for entry in entries if entry.missing]
    told = f"ready: {', '.join(ready) or 'none'}" + (f"; not ready: {', '.join(others)}" if others else "")
    yield Check("agents", True if ready else None, told, "`fumehood agent list` says what they lack" if others else "")


def engine() -> Iterator[Check]:
    """The container engine, its runtime, and the base image."""
    from engine.containers.endpoint import connect, describe

    found = describe()
    yield Check(
        "container engine",
        True,
        f"{found.name} {found.version} at {found.url}, {found.storage}",
        "older than the fix of CVE-2024-29018; tasks are not affected, as they have no network and no resolver"
        if found.name == "docker" and _older(found.version, _RESOLVER_FIXED)
        else "",
    )
    faults = [names for names, fixed in _RUNC_FAULTS.items() if _older(found.runtime, fixed)]
    yield Check(
        "runtime",
        None if faults else True,
        f"runc {found.runtime or 'unknown'}",
        f"older than the fixes of {', '.join(faults)} (container escapes): update it" if faults else "",
    )
    from engine.containers import images
    from engine.environment.model import DEFAULT_IMAGE

    image = images.find(connect(), DEFAULT_IMAGE)
    if image:
        yield Check("base image", True, f"{DEFAULT_IMAGE} {image[7:19]}")
        return
    tool = shutil.which("debootstrap") or shutil.which("mmdebstrap")
    hint = "make it: fumehood image bootstrap" + ("" if tool else " (needs `apt-get install debootstrap`)")
    yield Check("base image", None, f"{DEFAULT_IMAGE} is not there; environments that name another image work", hint)


def _older(version: str, fixed: tuple[Version, ...]) -> bool:
    """Whether a version is older than the first good release of its line, or of the next line that has one."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    line = next((good for good in fixed if good[:2] >= numbers[:2]), None)
    return bool(numbers) and line is not None and numbers < line
