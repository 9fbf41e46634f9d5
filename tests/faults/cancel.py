"""Cancelling a task in every phase and state: it ends within the grace time and two seconds, nothing is left (SPEC T7).

    python -m tests.faults.cancel [--runs 100] [--seed 1]

Each run brings a task to a place on its way and cancels it there, a moment later that the seed decides. Its end is when
the journal says `cancelled`, no container of it runs or is left but one that keeps the agent's files, and nobody holds
its lock. Prints a row for each place, and those that took too long or left something.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.tasks.stop import GRACE_SECONDS
from tests.agents.model_server import ModelServer, Step, serving
from tests.docker.conftest import Lab

LIMIT = GRACE_SECONDS + 2
# Longer than a run may last.
FOREVER = "sleep 1000"
STUBBORN = "trap '' TERM INT HUP; echo up; sleep 1000 & wait; sleep 1000"
Event = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a task is cancelled.

    Attributes:
        name: for the table.
        there: whether an event says that the task is there.
        fresh: the task builds a snapshot first.
        scripts: what is in the environment's scripts, by section.
        steps: what the model says.
    """

    name: str
    there: Callable[[Event], bool]
    fresh: bool = False
    scripts: tuple[tuple[str, str], ...] = ()
    steps: tuple[Step, ...] = (Step(say="done"),)


def began(phase: str) -> Callable[[Event], bool]:
    return lambda event: event["type"] == "phase.started" and event["phase"] == phase


def is_a(kind: str) -> Callable[[Event], bool]:
    return lambda event: event["type"] == kind


PLACES = (
    Place("pending", is_a("task.created")),
    Place("in progress", lambda event: event["type"] == "task.status" and event["status"] == "in_progress"),
    Place("clone", began("clone"), fresh=True),
    Place("setup", is_a("command.output"), fresh=True, scripts=(("setup", f"echo up; {FOREVER}"),)),
    Place("setup, stubborn", is_a("command.output"), fresh=True, scripts=(("setup", STUBBORN),)),
    Place("setup, flood", is_a("command.output"), fresh=True, scripts=(("setup", "yes"),)),
    Place("snapshot", began("snapshot"), fresh=True),
    Place("resume", began("resume")),
    Place("checkout", began("checkout")),
    Place("maintenance", is_a("command.output"), scripts=(("maintenance", f"echo up; {FOREVER}"),)),
    Place("start", is_a("command.output"), scripts=(("start", f"echo up; {FOREVER}"),)),
    Place("agent begins", began("agent")),
    Place("model hangs", is_a("run.started"), steps=(Step(hangs=True),)),
    Place("command", is_a("command.output"), steps=(Step(shell=[f"echo up; {FOREVER}"]),)),
    Place("command, stubborn", is_a("command.output"), steps=(Step(shell=[STUBBORN]),)),
    Place("command, flood", is_a("command.output"), steps=(Step(shell=["yes"]),)),
    Place("command, forks", is_a("command.output"), steps=(Step(shell=["echo up; :(){ :|:& };:; sleep 1000"]),)),
    Place("many commands", is_a("command.finished"), steps=(Step(shell=["date +%N; sleep 0.05"]),)),
    Place("collect", began("collect"), steps=(Step(shell=["head -c 60000000 /dev/urandom > big"]), Step(say="done"))),
)


@dataclass(frozen=True)
class Result:
    """How a cancelled task ended; `late` is one that had ended before it could be cancelled."""

    place: str
    seconds: float
    status: str
    left: str
    late: bool = False

    @property
    def good(self) -> bool:
        """Whether it ended as it has to."""
        return self.late or (self.status == "cancelled" and self.seconds <= LIMIT and not self.left)


def trial(lab: Lab, project: Path, place: Place, chance: random.Random) -> Result:
    """Bring a task to the place, and cancel it."""
    with serving(*place.steps) as model:
        (project / "fumehood.toml").write_text(_environment(place, model, chance))
        task = str(lab.json("exec", "--env", str(project), "go")["id"])
        _wait(lambda: any(place.there(event) or _over(event) for event in lab.events(task)), 60)
        time.sleep(chance.uniform(0, 0.15))
        asked = time.monotonic()
        done = lab.run("cancel", task)
        if done.returncode == 2 and "ended already" in done.stderr:
            return Result(place.name, 0.0, str(lab.json("status", task)["status"]), "", late=True)
        _wait(lambda: _settled(lab, task), LIMIT + 10)
        seconds = time.monotonic() - asked
        status = str(lab.json("status", task)["status"])
    # It may have got to its end between our look and the order.
    late = status in ("ready", "error")
    return Result(place.name, seconds, status, _left(lab, task), late)


def _environment(place: Place, model: ModelServer, chance: random.Random) -> str:
    scripts = {"setup": "echo ready > /opt/ready", **dict(place.scripts)}
    if place.fresh:
        scripts["setup"] += f"\n# {chance.random()}"
    sections = "".join(f"[{section}]\nscript = '''\n{script}\n'''\n" for section, script in scripts.items())
    agent = (
        f'[agent]\nuse = "loop"\nmax_commands = 100000\n[agent.options]\nmodel = "scripted"\nbase_url = "{model.url}"\n'
    )
    return f'name = "cancelled"\n[resources]\npids = 100\n{sections}{agent}'


def _over(event: Event) -> bool:
    return event["type"] == "task.status" and event["status"] not in ("pending", "in_progress")


def _settled(lab: Lab, task: str) -> bool:
    return any(_over(event) for event in lab.events(task)) and not _left(lab, task)


def _left(lab: Lab, task: str) -> str:
    """What is still there of a task, in words."""
    containers, lock = lab.containers(task), lab.home / "state/fumehood/tasks" / task / "lock"
    inode = f":{lock.stat().st_ino} "
    held = any(inode in line for line in Path("/proc/locks").read_text().splitlines())
    return ", ".join(filter(None, (" ".join(containers), "its supervisor" if held else "")))


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


def make_project(lab: Lab) -> Path:
    """The project of all trials."""
    return lab.project("cancelled", 'name = "cancelled"\n')


def table(results: list[Result]) -> list[str]:
    """The results, a row for each place."""
    rows = [f"{'place':<20} {'good':>7} {'late':>5} {'median s':>9} {'longest s':>10}"]
    for place in dict.fromkeys(result.place for result in results):
        cancelled = [result for result in results if result.place == place and not result.late]
        late = sum(result.late for result in results if result.place == place)
        good = f"{sum(result.good for result in cancelled)}/{len(cancelled)}"
        seconds = [result.seconds for result in cancelled] or [0.0]
        rows.append(f"{place:<20} {good:>7} {late:>5} {statistics.median(seconds):>9.2f} {max(seconds):>10.2f}")
    return rows


def main() -> int:
    """Run and print; 1 when one did not end as it has to."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=100)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    chance = random.Random(chosen.seed)
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as scratch:
        lab = Lab(Path(scratch))
        project = make_project(lab)
        try:
            while sum(not result.late for result in results) < chosen.runs:
                place = PLACES[len(results) % len(PLACES)]
                results.append(trial(lab, project, place, chance))
                if not results[-1].good:
                    print(f"NOT AS IT HAS TO BE: {results[-1]}", flush=True)
        finally:
            lab.clean_up()
    print("\n".join(table(results)))
    cancelled = [result for result in results if not result.late]
    good = sum(result.good for result in cancelled)
    print(f"{good} of {len(cancelled)} ended within {LIMIT:g} s; seed {chosen.seed}")
    return 0 if good == len(cancelled) else 1


if __name__ == "__main__":
    sys.exit(main())
