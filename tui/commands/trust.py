"""env trust, and the question before the first start of an environment (SPEC E7)."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from engine.bench import Bench
from engine.environment import trust as trusts
from tui.commands.output import print_json, progress, say

if TYPE_CHECKING:
    from engine.environment.model import Environment
    from engine.environment.trust import Review


def trust(options: argparse.Namespace) -> int:
    """Trust an environment file, show what trusting it means, or take the trust back."""
    from engine.environment.find import find

    bench = Bench()
    if options.revoke:
        path = find(options.env, bench.cwd)
        trusts.revoke(path)
        if options.json:
            print_json({"v": 1, "path": str(path), "trusted": False})
        else:
            say(f"{path} is not trusted any more")
        return 0
    environment = bench.environments.load(options.env)
    before = bench.environments.review(environment)
    if not options.show:
        bench.environments.trust(environment)
    trusted = before.trusted or not options.show
    if options.json:
        print_json(_json(before, trusted=trusted))
    else:
        from tui.present.trust import lines, standing

        for line in lines(before, script_lines=None):
            say(line)
        say(standing(before) if options.show else f"{before.path} is trusted with this content")
    return 0 if trusted else 1


def ensure(
    bench: Bench, environment: Environment, reference: str | None, *, agreed: bool = False, may_ask: bool = True
) -> None:
    """See whether the user agrees to what will run; nothing runs if not: `bench.tasks.start` refuses, the keeper waits.

    Args:
        reference: how the user named the environment.
        agreed: the user said so on the command line.
        may_ask: standard input is free for the answer.
    """
    if trusts.trusted(environment):
        return
    from engine.environment.find import named_by_path

    review = bench.environments.review(environment)
    if agreed:
        bench.environments.trust(environment)
        progress(f"trusting {review.path}: {_occasion(review)}")
    elif may_ask and sys.stdin.isatty() and sys.stderr.isatty():
        if _asked(review):
            bench.environments.trust(environment)
    elif named_by_path(reference, bench.cwd):
        # Who names a file in a script means this file: refusing would only have them write --trust everywhere.
        bench.environments.trust(environment)
        progress(f"trusting {review.path} ({_occasion(review)}); review: fumehood env trust --show {review.path}")


def _asked(review: Review) -> bool:
    from tui.present.trust import lines

    for line in lines(review):
        progress(line)
    progress(f"All of it: fumehood env trust --show {review.path}")
    print("Run this? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _occasion(review: Review) -> str:
    return "first use" if review.changed is None else f"changed: {trusts.told(review.changed)}"


def _json(review: Review, *, trusted: bool) -> dict[str, object]:
    return {
        "v": 1,
        "path": str(review.path),
        "sha256": review.sha256,
        "trusted": trusted,
        "security": {fact.key: fact.value for fact in review.facts},
        "changed": None if review.changed is None else list(review.changed),
    }
