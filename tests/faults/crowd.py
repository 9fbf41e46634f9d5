"""Many tasks of one environment at once, and the workbench over them (SECURITY-CASES P01).

    python -m tests.faults.crowd [--tasks 50] [--places N]

There is no snapshot when they start. Setup has to run once, every task to work on what it made, no more than the limit
at once, and all to end right; meanwhile keys are pressed in the real workbench, in a terminal. Prints what came of it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from engine.tasks import queue
from tests.bench.terminal_lab.driver import Lost, Program
from tests.bench.terminal_lab.figures import percentile
from tests.bench.terminal_lab.streaming import keys_to_paint
from tests.docker.conftest import Lab, environment

GOAL_MS = 200
_FOLLOWING = ("pending", "in_progress")
_NAME = "crowd"
_SETUP = "sleep 2; cat /proc/sys/kernel/random/uuid >> /opt/setups"
_COMMAND = "cat /opt/setups; for i in $(seq 40); do echo line $i; sleep 0.05; done; echo more >> README"
# To the environment and back: that changes the keys in the last row, whether there are tasks or not.
_KEYS = ("2", "1")
_WORKBENCH = [sys.executable, "-c", "import sys; from tui.cli import main; sys.exit(main())", "--no-watch"]


@dataclass(frozen=True)
class Crowd:
    """What became of the tasks.

    Attributes:
        statuses: how many ended with each status.
        setups: how many setups the journals tell of.
        made: what setup left, as the agents found it: one entry when all worked on one snapshot.
        at_once: the most that worked at the same time.
        seconds: from the first request to the last end.
        left: containers that are there afterwards, of the tasks that shall leave none.
    """

    statuses: dict[str, int]
    setups: int
    made: set[str]
    at_once: int
    seconds: float
    left: int

    def faults(self, tasks: int, places: int) -> list[str]:
        """What is not as it has to be."""
        return [
            text
            for wrong, text in (
                (self.statuses != {"ready": tasks}, f"ended as {self.statuses}"),
                (self.setups != 1, f"setup ran {self.setups} times"),
                (len(self.made) != 1, f"agents found {len(self.made)} snapshots"),
                (self.at_once > places, f"{self.at_once} at once, {places} allowed"),
                (self.left > 0, f"{self.left} containers left"),
            )
            if wrong
        ]


class Keys(NamedTuple):
    """ms that each key took until the screen had changed: before the tasks, while they are asked for, and after that."""

    alone: list[float]
    asking: list[float]
    working: list[float]


def start(lab: Lab, project: Path, count: int, places: int) -> list[str]:
    """Ask for so many tasks, all at the same moment, each from a process of its own; their names."""
    asked = [
        subprocess.Popen(
            [*lab.program, "exec", "--env", str(project), "go"],
            env={**lab.variables, queue.VARIABLE: str(places)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=lab.home,
        )
        for _ in range(count)
    ]
    for process in asked:
        _, told = process.communicate(timeout=300)
        if process.returncode:
            raise RuntimeError(told)
    return [str(state["id"]) for state in states(lab)]


def states(lab: Lab) -> list[dict[str, Any]]:
    """Every task of the laboratory."""
    found: list[dict[str, Any]] = lab.json("list", "--limit", "1000")["tasks"]
    return found


def ended(lab: Lab, began: float, seconds: float) -> Crowd:
    """Wait for all to end, and look at what they did."""
    deadline = time.monotonic() + seconds
    while _works(lab) and time.monotonic() < deadline:
        time.sleep(1)
    found = states(lab)
    statuses = [str(state["status"]) for state in found]
    setups, made, moments = 0, set(), []
    for state in found:
        events = lab.events(state["id"])
        setups += sum(e["type"] == "phase.started" and e["phase"] == "setup" for e in events)
        printed = lab.output(state["id"], "agent").splitlines()
        made |= {"\n".join(line for line in printed if not line.startswith("line "))}
        worked = [e["ts"] for e in events if e["type"] == "task.status" and e["status"] == "in_progress"]
        # Its place is given back before the last word on it is written.
        over = [e["ts"] for e in events if e["type"] != "task.status"]
        moments += [(worked[0], 1), (over[-1], -1)] if worked else []
    at_once = most = 0
    # An end counts before a beginning at the same moment: the place was free.
    for _, change in sorted(moments):
        at_once += change
        most = max(most, at_once)
    left = sum(len(lab.containers(state["id"])) for state in found)
    counted = {status: statuses.count(status) for status in statuses}
    return Crowd(counted, setups, made, most, max(moments)[0] - began, left)


def run(lab: Lab, tasks: int, places: int) -> tuple[Crowd, Keys, float]:
    """The tasks; what each key took; the share of a processor that the workbench took."""
    project = lab.project(_NAME, environment(_SETUP, command=_COMMAND, name=_NAME))
    lab.run("env", "trust", str(project / "fumehood.toml"), "--yes")
    variables = {**lab.variables, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    failed: list[Exception] = []
    began = time.time()

    def ask() -> None:
        try:
            start(lab, project, tasks, places)
        except Exception as error:
            failed.append(error)

    with Program(_WORKBENCH, variables=variables, folder=project) as workbench:
        workbench.rest(3)
        workbench.busy_until()
        alone = keys_to_paint(workbench, _KEYS, 30)
        used = workbench.processor
        asking = threading.Thread(target=ask)
        asking.start()
        workbench.rest(1)
        keys = Keys(alone, [], [])
        while asking.is_alive() or _works(lab):
            try:
                (keys.asking if asking.is_alive() else keys.working).extend(keys_to_paint(workbench, _KEYS, 10))
            except (Lost, OSError) as error:
                failed.append(error)
                break
        asking.join()
        share = (workbench.processor - used) / (time.time() - began)
    if failed:
        raise failed[0]
    return ended(lab, began, 600), keys, share


def _works(lab: Lab) -> bool:
    return any(state["status"] in _FOLLOWING for state in states(lab))


def main() -> int:
    """Run and print; 1 when something was not as it has to be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=50)
    parser.add_argument("--places", type=int, default=queue.limit(), help="how many at once; what the machine suggests")
    chosen = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch:
        lab = Lab(Path(scratch))
        try:
            crowd, keys, share = run(lab, chosen.tasks, chosen.places)
        finally:
            lab.clean_up()
    print(f"{os.cpu_count()} processors, load before {load:.1f}; the workbench took {share:.0%} of one")
    faults = crowd.faults(chosen.tasks, chosen.places)
    print(
        f"{chosen.tasks} tasks, {chosen.places} places: {crowd.seconds:.0f} s; {crowd.setups} setup; "
        f"{crowd.at_once} at once; {crowd.statuses}"
    )
    for name, taken in (*keys._asdict().items(), ("all of them", keys.asking + keys.working)):
        if taken:
            p95 = percentile(taken, 0.95)
            print(
                f"keys, {name}: {len(taken)}, p50 {statistics.median(taken):.0f} ms, p95 {p95:.0f}, max {max(taken):.0f}"
            )
    print(f"goal p95 < {GOAL_MS} ms: {'met' if p95 < GOAL_MS else 'MISSED'}")
    print("\n".join(f"NOT AS IT HAS TO BE: {fault}" for fault in faults) or "all as it has to be")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
