"""What the containers of an attempt used over time: a small file of samples beside its results (SPEC W6).

Its first line holds the limits, each further one a sample. It never grows beyond `MOST` samples: then each two become
one, with the larger of their values, so that peaks stay.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from engine.state import private_dir, write_atomic

MOST = 512


class Limits(Struct, frozen=True):
    """What a container may use: CPUs, and bytes, numbers and bytes of the rest."""

    cpus: float
    memory: int
    pids: int
    disk: int


class Sample(Struct, frozen=True):
    """The usage at `at` (Unix seconds): CPUs busy since the sample before, the rest as it was then.

    `disk` is None while nobody has weighed what the container wrote.
    """

    at: float
    cpus: float
    memory: int
    pids: int
    disk: int | None = None


class Resources(Struct, frozen=True):
    """The limits of an attempt's containers and what they used, in the order of time."""

    limits: Limits
    samples: tuple[Sample, ...] = ()


def path_of(folder: Path, run: int) -> Path:
    """The file of attempt `run` of the task (or job) in `folder`."""
    return folder / "attempts" / str(run) / "resources"


def read(path: Path) -> Resources | None:
    """What was recorded; None when there is nothing that can be read. Damaged lines are passed over."""
    try:
        first, *rest = path.read_text("ascii").splitlines(keepends=True)
        limits = _limits(json.loads(first))
    except (OSError, ValueError):
        return None
    return Resources(limits, tuple(sample for line in rest if (sample := _sample(line)))) if limits else None


def merged(samples: Sequence[Sample]) -> list[Sample]:
    """Half as many samples: of each two that follow each other, the larger values at the later time."""
    pairs = [samples[number : number + 2] for number in range(0, len(samples), 2)]
    return [_larger(pair[0], pair[-1]) for pair in pairs]


def _larger(first: Sample, second: Sample) -> Sample:
    weighed = [sample.disk for sample in (first, second) if sample.disk is not None]
    return Sample(
        second.at,
        max(first.cpus, second.cpus),
        max(first.memory, second.memory),
        max(first.pids, second.pids),
        max(weighed, default=None),
    )


class ResourceFile:
    """The writing end; a file that is there is gone on with, under the limits given now."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path, self._limits = path, limits
        found = read(path)
        self._samples = list(found.samples) if found else []
        private_dir(path.parent)
        self._replace()

    def add(self, sample: Sample) -> None:
        """Append a sample.

        Raises:
            OSError: it cannot be written.
        """
        self._samples.append(sample)
        if len(self._samples) > MOST:
            self._samples = merged(self._samples)
            self._replace()
        else:
            with self._path.open("ab", buffering=0) as file:
                file.write(_line(sample))

    def _replace(self) -> None:
        limits = self._limits
        head = {"v": 1, "cpus": limits.cpus, "memory": limits.memory, "pids": limits.pids, "disk": limits.disk}
        write_atomic(self._path, json.dumps(head).encode() + b"\n" + b"".join(map(_line, self._samples)))


def _line(sample: Sample) -> bytes:
    values = [round(sample.at, 1), round(sample.cpus, 3), sample.memory, sample.pids, sample.disk]
    return json.dumps(values, separators=(",", ":")).encode() + b"\n"


def _limits(data: Any) -> Limits | None:
    try:
        return Limits(float(data["cpus"]), int(data["memory"]), int(data["pids"]), int(data["disk"]))
    except (KeyError, TypeError, ValueError):
        return None


def _sample(line: str) -> Sample | None:
    """The sample of a whole line; the last one may be half written."""
    try:
        at, cpus, memory, pids, disk = json.loads(line)
        known = None if disk is None else int(disk)
        return Sample(float(at), float(cpus), int(memory), int(pids), known) if line.endswith("\n") else None
    except (TypeError, ValueError):
        return None
