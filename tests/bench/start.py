"""How long a start takes, against `docker run` of the same image in the same run.

    python tests/bench/start.py [--runs 7] [--devcontainer PROGRAM]

cold           no snapshot: clone, setup, snapshot, then as below (once)
cached         process start of `fumehood exec` to the first command of the agent, from a snapshot
standby        the same while the environment is watched: a container stands by
standby, open  from a bench that is open, as the workbench is
floor          `docker run --rm --network none IMAGE true`

With the program of the npm package @devcontainers/cli also what it takes there to the first command's output:
fresh          `up` and `exec` of a new container of a prebuilt image
running        `up` and `exec` of a container that runs

Runs alternate, so that noise of the machine hits all alike; medians and their ratios to the floor are printed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ends.lab import FUMEHOOD, IMAGE, ROOT, Lab, laboratory, run


def start(lab: Lab, project: Path) -> tuple[float, dict[str, Any], list[dict[str, Any]]]:
    """Seconds from process start to the agent's first command, the task's state, its events."""
    began = time.time()
    state = lab.task(project)
    events = lab.events(state["id"])
    return first_command(events) - began, state, events


def first_command(events: list[dict[str, Any]]) -> float:
    """When the agent's first command began."""
    return next(float(e["ts"]) for e in events if e["type"] == "command.started" and e["phase"] == "agent")


# Starts a task when it is told to, in a process that has done so before, and prints how long it took.
_OPEN = """
import sys, time
from pathlib import Path
from engine.bench import Bench
bench = Bench(Path(sys.argv[1]))
environment = bench.environments.load(sys.argv[1])
for _ in sys.stdin:
    began = time.time()
    task = bench.tasks.start(environment, "go")
    events = list(bench.tasks.events(task, follow=True))
    first = next(e for e in events if type(e).__name__ == "CommandStarted" and e.phase == "agent")
    cache = next(e for e in events if type(e).__name__ == "CacheDecision")
    print(cache.result, first.ts - began, flush=True)
"""


class Watched:
    """A project that is watched, and a bench that is open on it."""

    def __init__(self, lab: Lab, project: Path) -> None:
        self._lab, self._project = lab, project
        with_root = {**lab.variables, "PYTHONPATH": str(ROOT)}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": with_root, "cwd": ROOT}
        self._watch = subprocess.Popen([*FUMEHOOD, "watch", "--env", str(project), "--json"], **pipes)  # type: ignore[call-overload]
        self._bench = subprocess.Popen([sys.executable, "-c", _OPEN, str(project)], **pipes)  # type: ignore[call-overload]

    def stands_by(self) -> None:
        """Wait until a container stands by."""
        assert self._watch.stdout is not None
        while json.loads(self._watch.stdout.readline())["action"] != "standby":
            pass
        time.sleep(0.2)

    def cold(self) -> float:
        """Seconds of a start from the command line."""
        self.stands_by()
        seconds, state, _ = start(self._lab, self._project)
        assert state["cache"]["result"] == "standby", state
        return seconds

    def open(self) -> float:
        """Seconds of a start from the open bench."""
        self.stands_by()
        assert self._bench.stdin is not None
        assert self._bench.stdout is not None
        self._bench.stdin.write("go\n")
        self._bench.stdin.flush()
        result, seconds = self._bench.stdout.readline().split()
        assert result == "standby", result
        return float(seconds)

    def close(self) -> None:
        """End both, and wait until nothing stands by any more."""
        for process in (self._bench, self._watch):
            process.terminate()
            process.communicate()
        deadline = time.monotonic() + 20
        while _standing_by() and time.monotonic() < deadline:
            time.sleep(0.2)


def _standing_by() -> str:
    return run(["docker", "ps", "-q", "--filter", "name=fumehood-standby-bench"])


class Devcontainer:
    """The peer: @devcontainers/cli with a prebuilt image."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder
        (folder / ".devcontainer").mkdir(parents=True)
        settings = {"image": IMAGE, "runArgs": ["--network=none"], "remoteUser": "root"}
        (folder / ".devcontainer/devcontainer.json").write_text(json.dumps(settings))
        self.fresh()

    def _up_and_exec(self) -> float:
        began = time.perf_counter()
        place = ["--workspace-folder", str(self._folder)]
        run([self._program, "up", *place, "--buildkit", "never"], stderr=subprocess.DEVNULL)
        run([self._program, "exec", *place, "echo", "first"], stderr=subprocess.DEVNULL)
        return time.perf_counter() - began

    def fresh(self) -> float:
        """Seconds of `up` and `exec` with no container there."""
        self.remove()
        return self._up_and_exec()

    def running(self) -> float:
        """The same with the container running."""
        return self._up_and_exec()

    def remove(self) -> None:
        """Remove its container."""
        mine = f"label=devcontainer.local_folder={self._folder}"
        for container in run(["docker", "ps", "-aq", "--filter", mine]).split():
            run(["docker", "rm", "-f", container])


def floor() -> float:
    """Seconds of `docker run`."""
    began = time.perf_counter()
    run(["docker", "run", "--rm", "--network", "none", IMAGE, "true"])
    return time.perf_counter() - began


def timeline(events: list[dict[str, Any]]) -> str:
    """When each event came, in ms after the first one."""
    zero = float(events[0]["ts"])
    shown = []
    for event in events:
        kind = str(event["type"])
        name = str(event.get("phase", event.get("status", "")))
        shown.append(f"{(float(event['ts']) - zero) * 1000:.0f} {kind} {name}".rstrip())
        if kind == "command.started" and name == "agent":
            break
    return " | ".join(shown)


def main() -> None:
    """Run and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=7)
    options.add_argument("--devcontainer", default="", metavar="PROGRAM")
    chosen = options.parse_args()
    times: dict[str, list[float]] = {}
    with laboratory() as lab, lab.project() as project:
        floor()
        cold, state, _ = start(lab, project)
        assert state["cache"]["result"] == "miss", state
        measured: dict[str, Callable[[], float]] = {"docker run": floor}
        events: list[dict[str, Any]] = []

        def cached() -> float:
            nonlocal events
            seconds, state, events = start(lab, project)
            assert state["cache"]["result"] == "hit", state
            return seconds

        peer = Devcontainer(chosen.devcontainer, lab.folder / "peer") if chosen.devcontainer else None
        if peer:
            measured |= {"devcontainer fresh": peer.fresh, "devcontainer running": peer.running}
        measure({**measured, "cached start": cached}, chosen.runs, times)
        watched = Watched(lab, project)
        measure({**measured, "standby": watched.cold, "standby, open bench": watched.open}, chosen.runs, times)
        watched.close()
        if peer:
            peer.remove()
    base = statistics.median(times["docker run"])
    for name, seconds in times.items():
        median = statistics.median(seconds)
        shown = f"{name:<22} median {median * 1000:6.0f} ms  x {median / base:5.2f}"
        print(f"{shown}  (n={len(seconds)}, min {min(seconds) * 1000:.0f})")
    print(f"{'cold start':<22} once   {cold * 1000:6.0f} ms  x {cold / base:5.2f}")
    if peer:
        of = {name: statistics.median(seconds) for name, seconds in times.items()}
        print(
            f"cached start is {of['devcontainer fresh'] / of['cached start']:.1f} times as fast as a fresh devcontainer"
        )
        print(f"standby is {of['devcontainer running'] / of['standby']:.1f} times as fast as a running devcontainer")
    print("last cached start, ms after the task was created:", timeline(events))


def measure(what: dict[str, Callable[[], float]], runs: int, times: dict[str, list[float]]) -> None:
    """Measure each in turn, again and again."""
    for _ in range(runs):
        for name, take in what.items():
            times.setdefault(name, []).append(take())


if __name__ == "__main__":
    main()
