"""doctor: what this machine lacks."""

from __future__ import annotations

import argparse

from engine.doctor import checks
from tui.commands.output import print_json, say

_MARKS = {True: "✓", False: "✗", None: "!"}


def doctor(options: argparse.Namespace) -> int:
    """Print every check; exit code 1 when one failed."""
    found = []
    for check in checks():
        found.append(check)
        if not options.json:
            say(f"{_MARKS[check.ok]} {check.name:<18} {check.message}")
            if check.hint:
                say(f"  {'':<18} {check.hint}")
    if options.json:
        shown = [{"name": c.name, "ok": c.ok is not False, "message": c.message, "hint": c.hint} for c in found]
        print_json({"v": 1, "checks": shown})
    return 1 if any(check.ok is False for check in found) else 0
