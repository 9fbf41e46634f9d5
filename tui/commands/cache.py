"""cache show, explain, reset."""

from __future__ import annotations

import argparse
import time

from engine.bench import Bench
from engine.durations import words
from tui.commands.output import print_json, say, table


def show(options: argparse.Namespace) -> int:
    """The snapshots of this user."""
    entries = Bench().cache_list()
    total = sum(entry.snapshot.size_bytes for entry in entries)
    if options.json:
        print_json(
            {
                "v": 1,
                "snapshots": [
                    {
                        "environment": e.snapshot.name,
                        "key": e.snapshot.key.digest,
                        "created_at": e.snapshot.created_at,
                        "expires_at": e.expires_at,
                        "size_bytes": e.snapshot.size_bytes,
                        "image": e.snapshot.image,
                        "in_use_by": list(e.in_use_by),
                    }
                    for e in entries
                ],
                "total_bytes": total,
            }
        )
        return 0
    if not entries:
        say("no snapshots: the first task of an environment makes one")
        return 0
    now = time.time()
    rows = [
        (
            e.snapshot.name,
            e.snapshot.key.digest[:12],
            words(now - e.snapshot.created_at),
            words(e.expires_at - now) if e.expires_at > now else "expired",
            f"{e.snapshot.size_bytes / 1e6:.0f} MB",
            ", ".join(e.in_use_by) or "–",
        )
        for e in entries
    ]
    table(("ENVIRONMENT", "KEY", "AGE", "LEFT", "SIZE", "IN USE BY"), rows)
    return 0


def explain(options: argparse.Namespace) -> int:
    """Whether a start would hit the cache, and why."""
    bench = Bench()
    decision = bench.cache_explain(bench.environment(options.env))
    if options.json:
        print_json(
            {
                "v": 1,
                "result": decision.result,
                "reason": decision.reason,
                "changed": list(decision.changed),
                "age_seconds": decision.age_seconds,
                "expires_in_seconds": decision.expires_in_seconds,
                "image": decision.image,
            }
        )
    else:
        say(f"cache {decision.result}: {decision.reason}")
    return 0


def reset(options: argparse.Namespace) -> int:
    """Invalidate an environment's snapshots."""
    bench = Bench()
    environment = bench.environment(options.env)
    outcome = bench.cache_reset(environment)
    if options.json:
        print_json({"v": 1, "environment": environment.name, "message": outcome})
    else:
        say(outcome)
    return 0
