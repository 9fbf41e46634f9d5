"""What a container uses now: CPU time, memory, processes, read where the kernel counts it (SPEC W6)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from engine.containers.container import Container
from engine.containers.endpoint import translated

_CGROUPS = Path("/sys/fs/cgroup")


class Usage(Struct, frozen=True):
    """What a container uses: `cpu_seconds` since it was started, bytes of `memory` but for files it could give up."""

    cpu_seconds: float
    memory: int
    pids: int


class Gauge:
    """Reads the usage of one container.

    The kernel's own counters cost 0.1 ms. An engine whose processes cannot be seen from here is asked instead; it
    takes a second for each answer.
    """

    def __init__(self, container: Container) -> None:
        self._container = container
        self._cgroup: _Cgroup | None = None

    @property
    def quick(self) -> bool:
        """Whether the counters are in sight of this machine, as the last `read` found them."""
        return self._cgroup is not None

    def read(self) -> Usage | None:
        """The usage now; None while the container does not run.

        Raises:
            ContainerError: it is gone, or the engine is.
        """
        if self._cgroup is None:
            with translated(f"looking at container {self._container.id[:12]}"):
                process = int(self._container.api.inspect(self._container.id)["State"]["Pid"])
            if not process:
                return None
            self._cgroup = _cgroup_of(process, self._container.id)
        return self._cgroup.read() if self._cgroup else self._ask()

    def _ask(self) -> Usage | None:
        with translated(f"measuring container {self._container.id[:12]}"):
            return from_stats(self._container.api.stats(self._container.id))


def from_stats(stats: Mapping[str, Any]) -> Usage | None:
    """What the engine's answer says; None for a container that does not run."""
    memory, cpu = stats.get("memory_stats") or {}, stats.get("cpu_stats") or {}
    if "usage" not in memory:
        return None
    detail = memory.get("stats") or {}
    reclaimable = detail.get("total_inactive_file", detail.get("inactive_file", 0))
    return Usage(
        cpu.get("cpu_usage", {}).get("total_usage", 0) / 1e9,
        max(0, memory["usage"] - reclaimable),
        (stats.get("pids_stats") or {}).get("current", 0),
    )


class _Cgroup(Struct, frozen=True):
    """The folders of a container's counters; all three are one in version 2."""

    cpu: Path
    memory: Path
    pids: Path
    version: int

    def read(self) -> Usage | None:
        try:
            usage = self._read()
        except (OSError, ValueError):
            # It has stopped: the kernel took the folders away.
            return None
        return usage

    def _read(self) -> Usage:
        if self.version == 2:
            seconds = _field(self.cpu / "cpu.stat", "usage_usec") / 1e6
            used, file = _number(self.memory / "memory.current"), "inactive_file"
        else:
            seconds = _number(self.cpu / "cpuacct.usage") / 1e9
            used, file = _number(self.memory / "memory.usage_in_bytes"), "total_inactive_file"
        reclaimable = _field(self.memory / "memory.stat", file)
        return Usage(seconds, max(0, used - reclaimable), _number(self.pids / "pids.current"))


def _cgroup_of(process: int, container: str) -> _Cgroup | None:
    """The counters of a container by its first process; None where they cannot be seen.

    The process may be one of another machine: only folders that name the container are its own.
    """
    try:
        lines = Path(f"/proc/{process}/cgroup").read_text().splitlines()
    except OSError:
        return None
    places: dict[str, Path] = {}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if container in path:
            for name in controllers.split(","):
                places[name] = _CGROUPS / controllers / path.lstrip("/")
    if {"cpuacct", "memory", "pids"} <= places.keys():
        return _Cgroup(places["cpuacct"], places["memory"], places["pids"], 1)
    unified = places.get("")
    if unified is not None and (unified / "memory.current").exists():
        return _Cgroup(unified, unified, unified, 2)
    return None


def _number(path: Path) -> int:
    return int(path.read_text())


def _field(path: Path, name: str) -> int:
    for line in path.read_text().splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0
