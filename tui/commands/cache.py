"""cache show, explain, reset, gc."""

from __future__ import annotations

import argparse
import time

from engine import sizes
from engine.bench import Bench
from engine.durations import words
from tui.commands.output import print_json, say, table


def show(options: argparse.Namespace) -> int:
    """The snapshots of this user."""
    entries = Bench().cache.list()
    total = sum(entry.size_bytes for entry in entries)
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
                        "size_bytes": e.size_bytes,
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
            f"+{sizes.words(e.size_bytes)}",
            ", ".join(e.in_use_by) or "–",
        )
        for e in entries
    ]
    table(("ENVIRONMENT", "KEY", "AGE", "LEFT", "SIZE", "IN USE BY"), rows)
    say(f"{sizes.words(total)} beyond the images they stand on")
    return 0


def explain(options: argparse.Namespace) -> int:
    """Whether a start would hit the cache, and why."""
    bench = Bench()
    decision = bench.cache.explain(bench.environments.load(options.env))
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
    environment = bench.environments.load(options.env)
    outcome = bench.cache.reset(environment)
    if options.json:
        print_json({"v": 1, "environment": environment.name, "message": outcome})
    else:
        say(outcome)
    return 0


def gc(options: argparse.Namespace) -> int:
    """Remove what nothing needs."""
    report = Bench().cache.gc(max_size=options.max_size, max_age=options.max_age, dry_run=options.dry_run)
    if options.json:
        removed = [
            {"kind": r.kind, "name": r.name, "reason": r.reason, "size_bytes": r.size_bytes} for r in report.removed
        ]
        print_json(
            {
                "v": 1,
                "dry_run": options.dry_run,
                "removed": removed,
                "freed_bytes": report.freed_bytes,
                "left_bytes": report.left_bytes,
                "limit_bytes": report.limit_bytes,
                "notes": list(report.notes),
            }
        )
        return 0
    if report.removed:
        rows = [(r.kind, r.name, sizes.words(r.size_bytes), r.reason) for r in report.removed]
        table(("WOULD REMOVE" if options.dry_run else "REMOVED", "NAME", "SIZE", "WHY"), rows)
    for note in report.notes:
        say(note)
    freed = f"{sizes.words(report.freed_bytes)} {'would be freed' if options.dry_run else 'freed'}"
    left = f"{sizes.words(report.left_bytes)} of at most {sizes.words(report.limit_bytes)} in use"
    say(f"{freed if report.removed else 'nothing to remove'}; {left}")
    return 0
