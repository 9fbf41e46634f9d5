"""The workbench over a real ssh whose connection is lost in each phase: a second login shows the task (SPEC T4).

    python -m tests.faults.ssh_cuts

The task's supervisor is held still meanwhile, so that both logins see the phase. Prints, by phase, the seconds from the
second login to the task's log.
"""

from __future__ import annotations

import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.faults.matrix import PLACES, Ground, Place, begin, judge, ordinary
from tests.faults.traces import Verdict, until
from tests.screens.terminal import Terminal
from tests.terminal.test_ssh import SSHD, Sshd

# More than a slow machine takes; how long it took is told.
_PATIENCE = 60.0


@dataclass(frozen=True)
class Cut:
    """What became of a task whose watcher's connection was lost; `seconds` from the next login to its log."""

    phase: str
    seconds: float
    verdict: Verdict


def cut(ground: Ground, sshd: Sshd, place: Place, chance: random.Random) -> Cut:
    """Watch a task over ssh, lose the connection in the phase, and log in again."""
    project = ground.project(place, chance)
    prompt = f"lose me in {place.phase}"
    with closing(_login(sshd, ground, project)) as first:
        first.until("fumehood", seconds=_PATIENCE)
        trial = begin(ground, place, chance, prompt=prompt)
        try:
            until(trial.in_phase, _PATIENCE, every=0.001)
            assert trial.hold(), "the phase was over too soon"
            first.until(prompt, seconds=_PATIENCE)
            os.kill(first.pid, signal.SIGKILL)
            began = time.monotonic()
            with closing(_login(sshd, ground, project)) as second:
                second.until(f"─ {prompt} ─", seconds=_PATIENCE)
                second.until("● running", seconds=_PATIENCE)
                seconds = time.monotonic() - began
        finally:
            trial.close()
    return Cut(place.phase, seconds, judge(ground, trial.task, ("ready",)))


def _login(sshd: Sshd, ground: Ground, project: Path) -> Terminal:
    return sshd.login(project, ground.lab.variables, "--no-watch")


def cuts(places: Iterable[Place], chance: random.Random) -> list[Cut]:
    """Lose the connection in each of these phases."""
    with tempfile.TemporaryDirectory() as scratch, ordinary(Path(scratch)) as ground:
        folder = Path(scratch) / "sshd"
        folder.mkdir()
        with closing(Sshd(folder)) as sshd:
            return [cut(ground, sshd, place, chance) for place in places]


def main() -> int:
    """Run and print; 1 when a task suffered."""
    if SSHD is None:
        print("left out: openssh is not installed")
        return 0
    found = cuts(PLACES, random.Random(1))
    for one in found:
        print(f"{one.phase:<13}{one.seconds:6.2f} s  {one.verdict.status}")
    seconds = [one.seconds for one in found]
    bad = [one for one in found if not one.verdict.good]
    print(
        f"{len(found)} connections lost, {len(bad)} tasks suffered; from login to log "
        f"{statistics.median(seconds):.2f} s (longest {max(seconds):.2f} s)"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
