"""Kills at random moments: of whatever then is there of a task and of those beside it.

Each trial starts a task in one of the places of the matrix, waits a moment that the seed decides, and kills one of what
is there: the command line that starts it, the supervisor, the command line that watches, the keeper, the task's
container, its relay. Where it was the supervisor, a second kill meets who brings out the files of its agent.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults import traces
from tests.faults.matrix import PLACES, Ground, Trial, begin, counted, judge, ordinary
from tests.faults.traces import Verdict, docker, journal, until

# The longest that the fault waits for: about how long the longest of the tasks takes.
_LONGEST = 3.5
_WORKERS = 2
_ENDS = dict.fromkeys(("command", "supervisor", "container"), ("interrupted", "ready"))


@dataclass(frozen=True)
class Kill:
    """What was killed, in which phase, and what became of the task."""

    target: str
    phase: str
    verdict: Verdict


def kills(count: int, seed: int) -> bool:
    """Kill so many times, and print what became of it; whether everything is as it has to be."""
    found: list[Kill] = []
    lock = threading.Lock()

    def one(number: int) -> None:
        with tempfile.TemporaryDirectory() as scratch, ordinary(Path(scratch)) as ground:
            for index in range(number, count, _WORKERS):
                kill = trial(ground, random.Random(f"{seed} {index}"))
                with lock:
                    found.append(kill)
                    if not kill.verdict.good:
                        print(f"NOT AS IT HAS TO BE, trial {index}: {kill}", flush=True)

    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(one, range(_WORKERS)))
    print("\n".join(table(found)))
    print(f"{len(found)} kills, seed {seed}: {counted([kill.verdict for kill in found])}")
    return all(kill.verdict.good for kill in found)


def table(found: list[Kill]) -> list[str]:
    """Targets by phases: how many."""
    phases = list(dict.fromkeys(["", *(place.phase for place in PLACES), *sorted({k.phase for k in found})]))
    phases = [phase for phase in phases if any(k.phase == phase for k in found)]
    rows = ["".join([f"{'':<12}", *(f"{phase or 'before':<13}" for phase in phases), "bad"])]
    for target in sorted({k.target for k in found}):
        mine = [k for k in found if k.target == target]
        counts = [f"{sum(k.phase == phase for k in mine):<13}" for phase in phases]
        rows.append("".join([f"{target:<12}", *counts, str(sum(not k.verdict.good for k in mine))]))
    return rows


def trial(ground: Ground, chance: random.Random) -> Kill:
    """Start a task and kill something of it; again when there is nothing any more."""
    while True:
        place = chance.choice(PLACES)
        with _watched(ground, ground.project(place, chance) if chance.random() < 0.2 else None) as watching:
            made = begin(ground, place, chance)
            try:
                time.sleep(chance.uniform(0, _LONGEST))
                phase = _phase(made)
                targets = _targets(made)
                target = chance.choice(sorted(targets)) if targets else ""
                if target:
                    targets[target]()
                collected = target == "supervisor" and _kill_again(made, chance)
            finally:
                made.close()
                if watching:
                    watching.terminate()
                    watching.wait()
        verdict = judge(
            ground, made.task, _ENDS.get(target, ("ready",)), spared=target != "container", collected=collected
        )
        if target or not verdict.good:
            return Kill(target or "nothing", phase, verdict)


def _targets(made: Trial) -> dict[str, Callable[[], object]]:
    """What is there now, and how to kill it."""
    lab = made.ground.lab
    found: dict[str, Callable[[], object]] = {}
    supervisor = traces.supervisor(lab, made.task)
    if not supervisor:
        # The command line may be about to make one.
        return found if made.over() else {"command": made.watcher.kill}
    found["supervisor"] = lambda: _kill(supervisor)
    if made.watcher.poll() is None:
        found["watcher"] = made.watcher.kill
    for keeper in traces.holders(lab, traces.state_home(lab) / "keeper/lock"):
        found["keeper"] = lambda pid=keeper: _kill(pid)  # type: ignore[misc]
    name = f"name=^/fumehood-{made.task}-"
    for container in docker(lab, "ps", "-a", "--filter", name, "--format", "{{.Names}}"):
        role = "relay" if "-relay-" in container else "container"
        found[role] = lambda name=container: _remove(lab.variables, name)  # type: ignore[misc]
    return found


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _remove(variables: dict[str, str], container: str) -> None:
    """As somebody does by hand; it may have gone meanwhile."""
    subprocess.run(["docker", "rm", "-f", container], env=variables, capture_output=True)


def _kill_again(made: Trial, chance: random.Random) -> bool:
    """Let the files be brought out, if there are any, and kill who does it, unless that is done by then."""
    lab = made.ground.lab
    until(lambda: not traces.supervisor(lab, made.task), 10)
    if lab.run("collect", made.task).returncode:
        return False
    time.sleep(chance.uniform(0, 0.6))
    if collector := traces.supervisor(lab, made.task):
        _kill(collector)
    return True


def _phase(made: Trial) -> str:
    begun = [e["phase"] for e in journal(made.ground.lab, made.task) if e["type"] == "phase.started"]
    return begun[-1] if begun else ""


@contextmanager
def _watched(ground: Ground, project: Path | None) -> Iterator[subprocess.Popen[bytes] | None]:
    """With somebody at the bench, and so a keeper; it ends by itself when nobody is any more."""
    lab = ground.lab
    if project is None:
        yield None
        return
    keeper, quiet = traces.state_home(lab) / "keeper/lock", subprocess.DEVNULL
    argv = [*lab.program, "watch", "--env", str(project)]
    watching = subprocess.Popen(argv, env=lab.variables, cwd=lab.home, stdin=quiet, stdout=quiet, stderr=quiet)
    assert until(lambda: traces.holders(lab, keeper), 30), "no keeper came"
    yield watching
    until(lambda: not traces.holders(lab, keeper), 30)
