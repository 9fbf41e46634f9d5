"""network check, show, allow."""

from __future__ import annotations

import argparse

from engine.bench import Bench
from tui.commands.output import print_json, say, table


def check(options: argparse.Namespace) -> int:
    """Which hosts a phase may reach; exit code 1 unless all."""
    bench = Bench()
    environment = bench.environments.load(options.env)
    answers = bench.network.check(environment, options.hosts, phase=options.phase, method=options.method)
    if options.json:
        shown = [
            {"host": a.host, "port": a.port, "allowed": a.allowed, "rule": a.rule, "reason": a.reason} for a in answers
        ]
        print_json(shown)
    else:
        rows = [
            (a.host, str(a.port), "allowed" if a.allowed else "refused", a.rule if a.allowed else a.reason)
            for a in answers
        ]
        table(("HOST", "PORT", "", "RULE OR REASON"), rows)
    return 0 if all(answer.allowed for answer in answers) else 1


def show(options: argparse.Namespace) -> int:
    """The policy as stored; exit code 2 when an entry of it is refused."""
    bench = Bench()
    environment = bench.environments.load(options.env)
    network, entries = environment.network, bench.network.entries(environment)
    if options.json:
        shown = [
            {"list": e.list, "entry": e.written, "stored": list(e.stored), "problem": e.problem, "hint": e.hint}
            for e in entries
        ]
        print_json({"v": 1, "agent": network.agent, "methods": list(network.methods), "entries": shown})
    else:
        say(f"agent: {network.agent}")
        if network.methods:
            say(f"methods: {', '.join(network.methods)}")
        table(
            ("LIST", "ENTRY", "STORED AS"),
            [(e.list, e.written, ", ".join(e.stored) or f"{e.problem}; {e.hint}") for e in entries],
        )
    return 2 if any(entry.refused for entry in entries) else 0


def allow(options: argparse.Namespace) -> int:
    """Let the agent of a running task, or of all later tasks of an environment, reach one more host."""
    bench = Bench()
    if options.task:
        stored, changed = bench.network.allow_task(options.task, options.host), True
        where = f"task {options.task}"
    else:
        environment = bench.environments.load(options.env)
        stored, changed = bench.network.allow(environment, options.host)
        where = str(environment.path)
    if options.json:
        print_json({"v": 1, "entry": stored, "changed": changed})
    else:
        say(f"{where}: {stored} {'is allowed' if changed else 'was allowed already'}")
    return 0
