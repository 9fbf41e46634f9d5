"""What a task may leave, and whether what is said of it is true (SPEC T7, T8): looked at from outside of the program."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.docker.conftest import Lab

ENDED = ("ready", "error", "cancelled", "interrupted")
Event = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What was found out about one task; each text says what is wrong, and is empty when nothing is.

    Attributes:
        lost: it has no end, or what its agent did cannot be had.
        orphans: what was left of it.
        wrong: it says it is done, and is not.
        state: what the program could not read, or said as a traceback.
    """

    status: str
    reason: str
    lost: str = ""
    orphans: str = ""
    wrong: str = ""
    state: str = ""

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.orphans or self.wrong or self.state)


def state_home(lab: Lab) -> Path:
    """The program's own folder in the laboratory's state."""
    return Path(lab.variables["XDG_STATE_HOME"]) / "fumehood"


def journal(lab: Lab, task: str) -> list[Event]:
    """The complete lines of a journal, read as they stand: a damaged one is an error."""
    try:
        data = (state_home(lab) / "tasks" / task / "journal.jsonl").read_bytes()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in data[: data.rfind(b"\n") + 1].splitlines()]


def docker(lab: Lab, *arguments: str) -> list[str]:
    """The words docker prints, asked of the laboratory's engine."""
    argv = ["docker", *arguments]
    return subprocess.run(argv, env=lab.variables, check=True, capture_output=True, text=True).stdout.split()


def holders(lab: Lab, path: Path) -> list[int]:
    """The living processes that hold a lock on a file."""
    try:
        inode = path.stat().st_ino
    except FileNotFoundError:
        return []
    lines = Path("/proc/locks").read_text().splitlines()
    found = [int(line.split()[4]) for line in lines if line.split()[5].endswith(f":{inode}")]
    return [pid for pid in found if Path(f"/proc/{pid}").exists()]


def supervisor(lab: Lab, task: str) -> int:
    """The process that works on a task; 0 when none does."""
    return next(iter(holders(lab, state_home(lab) / "tasks" / task / "lock")), 0)


def processes(lab: Lab) -> Iterator[tuple[int, str]]:
    """The processes of a laboratory, by the state folder they were given, with their command lines."""
    mark = f"\0XDG_STATE_HOME={lab.variables['XDG_STATE_HOME']}\0".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in b"\0" + (folder / "environ").read_bytes():
                words = (folder / "cmdline").read_bytes().split(b"\0")
                yield int(folder.name), b" ".join(words).decode("utf-8", "replace")
        except OSError:
            continue


def leftovers(lab: Lab, task: str, mine: Callable[[str], bool] = lambda command: False) -> str:
    """What is still there of a task that has ended, in words.

    Args:
        mine: whether a process with this command line is the caller's own.
    """
    containers = [
        name
        for name in docker(lab, "ps", "-a", "--filter", f"name=^/fumehood-{task}-", "--format", "{{.Names}}")
        if not re.fullmatch(rf"fumehood-{task}-kept-\d+", name)
    ]
    running = docker(lab, "ps", "--filter", f"name=^/fumehood-{task}-", "--format", "{{.Names}}")
    runtime = os.environ.get("XDG_RUNTIME_DIR", "") if "XDG_RUNTIME_DIR" in lab.variables else ""
    sockets = Path(f"{runtime}/fumehood" if runtime else f"/tmp/fumehood-{os.getuid()}").glob(f"{task}-*")
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if task in line]
    found = {
        "containers": sorted({*containers, *running}),
        "images": [image for image in docker(lab, "images", "--format", "{{.Repository}}:{{.Tag}}") if task in image],
        "sockets": [path.name for path in sockets],
        "mounts": mounts,
        "processes": [f"{pid} {command}" for pid, command in processes(lab) if not mine(command)],
        "files": [path.name for path in _temporary(lab, task)],
        "locks": [str(pid) for pid in holders(lab, state_home(lab) / "tasks" / task / "lock")],
    }
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in found.items() if names)


def _temporary(lab: Lab, task: str) -> Iterator[Path]:
    """Files that were on their way when whoever wrote them was killed."""
    yield from (state_home(lab) / "tasks" / task).rglob("*.bundle")
    yield from (state_home(lab) / "results").glob("*/objects/incoming-*")


def unlisted_images(lab: Lab) -> list[str]:
    """The images of this laboratory that are not in the list of snapshots."""
    owner = (state_home(lab) / "key").exists() and _owner(lab)
    if not owner:
        return []
    listed = {entry["image"] for entry in lab.json("cache", "show")["snapshots"]}
    found = docker(lab, "images", "-q", "--no-trunc", "--filter", f"label=fumehood.owner={owner}")
    return sorted(set(found) - listed)


def _owner(lab: Lab) -> str:
    import sys

    argv = [sys.executable, "-c", "from engine.cache.snapshots import owner; print(owner())"]
    return subprocess.run(argv, env=lab.variables, check=True, capture_output=True, text=True).stdout.strip()


def until(condition: Callable[[], Any], seconds: float, *, every: float = 0.02) -> Any:
    """Wait until something is so, or for so long; what it was in the end."""
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(every)
    return found


def unended(events: list[Event]) -> str:
    """What a journal has begun and not ended, or ended twice; gaps and doubles in its numbers."""
    open_now: dict[tuple[str, Any], int] = {}
    told = []
    for event in events:
        kind, _, what = event["type"].partition(".")
        if kind in ("run", "command") and what in ("started", "finished"):
            key = (kind, event["run"] if kind == "run" else event["id"])
            open_now[key] = open_now.get(key, 0) + (1 if what == "started" else -1)
            if open_now[key] not in (0, 1):
                told.append(f"{kind} {key[1]} {what} twice")
    told += [f"{kind} {name} has no end" for (kind, name), count in open_now.items() if count == 1]
    numbers = [event["seq"] for event in events]
    if numbers != list(range(1, len(numbers) + 1)):
        told.append("numbers of events are not in order")
    return ", ".join(told)


def readable(lab: Lab, task: str) -> tuple[Mapping[str, Any], str]:
    """The task as the program tells of it, and what is wrong with the telling."""
    listed = lab.run("list", "--json")
    said = lab.run("status", task, "--json")
    for done in (listed, said):
        if "Traceback" in done.stderr or not done.stdout:
            return {}, (done.stderr or "nothing was printed").strip()[-300:]
    tasks = {entry["id"]: entry for entry in json.loads(listed.stdout)["tasks"]}
    if task not in tasks:
        return {}, "the list of tasks does not have it"
    state: Mapping[str, Any] = json.loads(said.stdout)
    return state, "" if "status" in state else str(state)
