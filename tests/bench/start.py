"""How long a start takes, against `docker run` of the same image in the same run.

    python tests/bench/start.py [--runs 7]

cold      no snapshot: clone, setup, snapshot, then as below (once)
cached    process start of `fumehood exec` to the first command of the agent, from a snapshot
floor     `docker run --rm --network none IMAGE true`

Runs alternate, so that noise of the machine hits all alike; medians and their ratios to the floor are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "fumehood/base:bookworm"
FUMEHOOD = [sys.executable, "-m", "tui.cli"]
ENVIRONMENT = """name = "bench"
[setup]
script = "echo ready > /opt/ready"
[agent]
"""
TRUE = 'use = "command"\ncommand = ["true"]\n'


def run(argv: list[str], **more: object) -> str:
    """Standard output of a command that must succeed."""
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, **more).stdout  # type: ignore[call-overload,no-any-return]


def make_project(folder: Path, agent: str = TRUE, files: dict[str, str] | None = None) -> None:
    """A repository with its environment, whose `[agent]` section is given, and `files`."""
    folder.mkdir()
    for name, content in {"fumehood.toml": ENVIRONMENT + agent, **(files or {})}.items():
        (folder / name).write_text(content)
    run(["git", "init", "-q", "-b", "main", str(folder)])
    run(["git", "-C", str(folder), "add", "-A"])
    author = ["-c", "user.name=bench", "-c", "user.email=bench@fumehood.invalid"]
    run(["git", "-C", str(folder), *author, "commit", "-qm", "start"])


def start(folder: Path, variables: dict[str, str]) -> tuple[float, dict[str, object], list[dict[str, object]]]:
    """Seconds from process start to the agent's first command, the task's state, its events."""
    began = time.time()
    argv = [*FUMEHOOD, "exec", "--env", str(folder), "--wait", "--json", "go"]
    state = json.loads(run(argv, env=variables, cwd=ROOT))
    events = [
        json.loads(line)
        for line in run([*FUMEHOOD, "logs", "--json", state["id"]], env=variables, cwd=ROOT).splitlines()
    ]
    first = next(e for e in events if e["type"] == "command.started" and e["phase"] == "agent")
    return first["ts"] - began, state, events


def floor() -> float:
    """Seconds of `docker run`."""
    began = time.perf_counter()
    run(["docker", "run", "--rm", "--network", "none", IMAGE, "true"])
    return time.perf_counter() - began


def timeline(events: list[dict[str, object]]) -> str:
    """When each event came, in ms after the first one."""
    zero = float(events[0]["ts"])  # type: ignore[arg-type]
    shown = []
    for event in events:
        kind = str(event["type"])
        name = str(event.get("phase", event.get("status", "")))
        shown.append(f"{(float(event['ts']) - zero) * 1000:.0f} {kind} {name}".rstrip())  # type: ignore[arg-type]
        if kind == "command.started" and name == "agent":
            break
    return " | ".join(shown)


def main() -> None:
    """Run and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=7)
    runs = options.parse_args().runs
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        names = ("CONFIG", "STATE", "CACHE", "DATA")
        variables = {**os.environ, **{f"XDG_{n}_HOME": str(home / n.lower()) for n in names}}
        project = home / "project"
        make_project(project)
        floor()
        cold, state, _ = start(project, variables)
        assert state["cache"]["result"] == "miss", state  # type: ignore[index]
        floors, cached, events = [], [], []
        for _ in range(runs):
            floors.append(floor())
            seconds, state, events = start(project, variables)
            assert state["cache"]["result"] == "hit", state  # type: ignore[index]
            cached.append(seconds)
        run([*FUMEHOOD, "cache", "reset", "--env", str(project)], env=variables, cwd=ROOT)
    base = statistics.median(floors)
    print(f"{'docker run':<22} median {base * 1000:6.0f} ms  x 1.00  (n={runs})")
    median = statistics.median(cached)
    print(
        f"{'cached start':<22} median {median * 1000:6.0f} ms  x {median / base:.2f}  (n={runs}, min {min(cached) * 1000:.0f})"
    )
    print(f"{'cold start':<22} once   {cold * 1000:6.0f} ms  x {cold / base:.2f}")
    print("last cached start, ms after the task was created:", timeline(events))


if __name__ == "__main__":
    main()
