"""The limits of a container as reasons: what a program that failed may have died of (SPEC E1 `[resources]`)."""

from __future__ import annotations

from engine.containers.container import Container
from engine.containers.processes import Strain, strain
from engine.tasks.work import Work

_UNITS = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"))


def limits_hit(work: Work, container: Container) -> tuple[Strain, str]:
    """What the container bears, and in words the limits it ran into since it was started; empty when none.

    An exit code does not tell: a program that the kernel kills ends like any killed one, and its parent as it likes.
    """
    found, resources = strain(container), work.environment.resources
    told = []
    if found.memory:
        killed = f"{found.memory} process{'es' * (found.memory != 1)} killed at the limit of {_size(resources.memory)}"
        told.append(f"out of memory: {killed}, see [resources] memory")
    if found.forks:
        told.append(f"out of processes: the limit of {resources.pids} was reached, see [resources] pids")
    return found, "; ".join(told)


def _size(count: int) -> str:
    unit, name = next((pair for pair in _UNITS if count >= pair[0] and count % pair[0] == 0), (1 << 20, "MiB"))
    return f"{count / unit:.4g} {name}"
