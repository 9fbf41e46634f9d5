"""Room on the disk of the container engine, as far as it can be seen from here (SPEC C9)."""

from __future__ import annotations

import os

from engine import sizes
from engine.containers.api import Api
from engine.containers.endpoint import translated
from engine.errors import ContainerError

# What is left alone, so that a guess that is a little wrong does not fill the disk of everything else.
RESERVE = 512 << 20
HINT = "make room: `fumehood cache gc`, `docker system df`, or a larger disk for the engine"


def free_bytes(api: Api) -> int | None:
    """Bytes free where the engine keeps images; None when that is on another machine or out of sight."""
    if not isinstance(api.address, str):
        return None
    with translated("asking the container engine where it keeps images"):
        root = str(api.info().get("DockerRootDir", ""))
    try:
        state = os.statvfs(root)
    except OSError:
        return None
    return state.f_bavail * state.f_frsize


def refuse_to_fill(api: Api, needed: int, what: str) -> None:
    """Refuse to go on with something that still takes `needed` bytes when there is no room for them.

    Raises:
        ContainerError: it does not fit.
    """
    free = free_bytes(api) if needed else None
    if free is not None and needed + RESERVE > free:
        raise ContainerError(
            f"{what} takes about {sizes.words(needed)} more; the container engine's disk has {sizes.words(free)} left",
            HINT,
        )


def tight(written: int, free: int | None) -> str:
    """A warning when what is to be stored may not fit; empty when it does, or when nothing is known."""
    if free is None or written + RESERVE <= free:
        return ""
    room = f"the snapshot takes {sizes.words(written)}, the container engine's disk has {sizes.words(free)} left"
    return f"{room}; {HINT}"
