"""What runs in a container: counted, with the limits it ran into, and ended by when it was started (SPEC A4).

The scripts use builtins only: what runs there may leave no process for anything else.
"""

from __future__ import annotations

import math
import re
import time

from msgspec import Struct

from engine.containers.container import Container
from engine.errors import ContainerError


class Strain(Struct, frozen=True):
    """What a container bears: how often it ran into its limits since it was started, and what runs in it.

    Attributes:
        memory: processes killed for want of memory.
        forks: processes that could not be started for want of others' end.
        running: processes beside its own, which came by an exec, or descend from one that did.
    """

    memory: int
    forks: int
    running: int


# Prints the counters of its own cgroup, of either version, and how many run that are neither itself nor of the
# container's own session, which nothing that came by an exec can be in.
_STRAIN = r"""
running=0
for file in /proc/[0-9]*/stat; do
  { read -r -d '' stat < "$file"; } 2>/dev/null
  [ -n "$stat" ] && [ "${stat%% *}" != $$ ] || continue
  set -- ${stat##*) }
  [[ $1 != [ZX] && $4 != 1 ]] && ((running++))
done
cd /sys/fs/cgroup && for file in memory.events memory/memory.oom_control pids.events pids/pids.events; do
  [ -r "$file" ] && while read -r name count; do printf '%s %s %s\n' "${file##*/}" "$name" "$count"; done < "$file"
done
echo "running $running"
"""
# Both know processes by the time they started, which /proc tells in ticks: 100 a second on every architecture.
_NOW = "read -r -d '' stat < /proc/$$/stat; set -- ${stat##*) }; echo ${20}"
# $1: kills every process that started at this tick or later, but itself and the container's own session; again and
# again, for they may fork. Prints how many are left.
_END_SINCE = r"""
since=$1
for ((round = 0; round < 50; round++)); do
  left=0
  for file in /proc/[0-9]*/stat; do
    pid=${file#/proc/} pid=${pid%/stat}
    { read -r -d '' stat < "$file"; } 2>/dev/null
    [ -n "$stat" ] && [ "$pid" != $$ ] || continue
    set -- ${stat##*) }
    [[ $1 != [ZX] && $4 != 1 && ${20} -ge $since ]] || continue
    kill -KILL "$pid" 2>/dev/null
    ((left++))
  done
  [ $left = 0 ] && break
  ((round < 10)) || read -r -t 0.05 <> <(:) 2>/dev/null
done
echo $left
"""
_TICKS = 100
_END_SECONDS = 10.0
_TRIES = 5
_KILLED = frozenset({"memory.events oom_kill", "memory.oom_control oom_kill"})
_REFUSED_FORKS = frozenset({"pids.events max"})


def strain(container: Container) -> Strain:
    """What a container bears; zeros where the kernel does not tell.

    One running process is all that is known where what runs in it leaves no room for a process that asks.

    Raises:
        ContainerError: it does not run.
    """
    for _ in range(_TRIES):
        told = container.bash(_STRAIN).out.decode("ascii", "replace").splitlines()
        if told and told[-1].startswith("running "):
            return _parsed(told)
        time.sleep(0.1)
    if (status := container.status()) != "running":
        raise ContainerError(f"container {container.id[:12]} is {status}")
    return Strain(0, 0, 1)


def _parsed(told: list[str]) -> Strain:
    memory = forks = running = 0
    for line in told:
        name, _, count = line.rpartition(" ")
        number = int(count) if re.fullmatch("[0-9]{1,18}", count) else 0
        memory += number if name in _KILLED else 0
        forks += number if name in _REFUSED_FORKS else 0
        running += number if name == "running" else 0
    return Strain(memory, forks, running)


def end_since(container: Container, moment: float) -> int:
    """Kill the processes that were started since a moment of `time.monotonic`; how many withstood it.

    A moment earlier is included, for the clocks of host and container meet only as closely as an exec takes.

    Raises:
        ContainerError: no process can be started in the container, or it is gone.
    """
    now = _number(container, _NOW)
    age = time.monotonic() - moment
    return _number(container, _END_SINCE, str(now - math.ceil(age * _TICKS)))


def _number(container: Container, script: str, *arguments: str) -> int:
    done = container.bash(script, *arguments, timeout=_END_SECONDS)
    if not done.out.strip().isdigit():
        # The engine tells on either stream that it could not start it.
        told = (done.out + done.err).decode("utf-8", "replace").strip()[-500:] or "it printed nothing"
        raise ContainerError(f"a step in container {container.id[:12]} failed: {told}")
    return int(done.out)
