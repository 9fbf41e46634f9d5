"""demo: the whole job on a sample project, with the replay agent."""

from __future__ import annotations

import argparse
import sys

from engine.bench import Bench
from tui.commands.output import progress, say

_PROMPT = "fix the failing test"


def demo(options: argparse.Namespace) -> int:
    """Run the sample's task; in a terminal on the workbench, else as text that ends with answer, diff and timings."""
    bench = Bench()
    environment = bench.environments.demo()
    task = bench.tasks.start(environment, _PROMPT)
    if not options.no_tui and sys.stdin.isatty() and sys.stdout.isatty():
        from tui.start import open_workbench

        return open_workbench(Bench(environment.directory), task)
    from tui.commands.tasks import wait

    progress(f"demo: {environment.name} in {environment.directory}, task {task}")
    code = wait(bench, task)
    if code == 0:
        _summary(bench, task)
    return code


def _summary(bench: Bench, task: str) -> None:
    state = bench.tasks.get(task)
    say("")
    for line in bench.results.diff(task).decode("utf-8", "replace").splitlines():
        say(line)
    say("")
    for phase in state.phases:
        why = f"  {phase.reason}" if phase.reason else ""
        say(f"{phase.name:<12} {phase.status:<8} {phase.seconds:7.2f}s{why}")
    if state.cache:
        say(f"cache {state.cache.result}: {state.cache.reason}")
    say(f"\nlook at it again: fumehood attach {task}")
