"""doctor: what this machine lacks, and mending what can be mended."""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from collections.abc import Iterator
from itertools import chain

from engine.doctor.check import Check
from engine.doctor.checks import checks
from tui.commands.output import print_json, say

_MARKS = {True: "✓", False: "✗", None: "!"}
_MARGIN = " " * 21


def doctor(options: argparse.Namespace) -> int:
    """Mend, if asked to, and print every check; exit code 1 when one failed."""
    fixed = []
    if options.fix:
        from engine.doctor.mend import fix

        for line in fix():
            fixed.append(line)
            if not options.json:
                say(f"mended: {line}")
    found = []
    for check in chain(_terminal(), checks()):
        found.append(check)
        if not options.json:
            _say(f"{_MARKS[check.ok]} {check.name:<18} ", check.message)
            if check.hint:
                _say(_MARGIN, check.hint)
    if options.json:
        shown = [{"name": c.name, "ok": c.ok is not False, "message": c.message, "hint": c.hint} for c in found]
        print_json({"v": 1, "checks": shown, "fixed": fixed})
    return 1 if any(check.ok is False for check in found) else 0


def _say(margin: str, text: str) -> None:
    """Print a text beside its margin, within the width of a terminal; programs get it in one line."""
    width = os.get_terminal_size().columns - len(_MARGIN) if sys.stdout.isatty() else 0
    lines = textwrap.wrap(text, max(width, 30), break_long_words=False) if width else [text]
    for line in lines:
        say(f"{margin}{line}")
        margin = _MARGIN


def _terminal() -> Iterator[Check]:
    """What the terminal is known to be able to do."""
    from tui import terminal
    from tui.output.charset import takes_utf8

    reason = terminal.check()
    if reason:
        yield Check("terminal", None, *(part.strip() for part in reason.split(";", 1)))
        return
    size = os.get_terminal_size()
    colours = "no colours" if os.environ.get("NO_COLOR") else "all colours" if _true_colour() else "256 colours at most"
    yield Check(
        "terminal",
        True,
        f"{os.environ['TERM']}, {size.columns}×{size.lines}, {colours}, {'UTF-8' if takes_utf8() else 'ASCII only'}",
        "" if _true_colour() else "if it can show all colours: export COLORTERM=truecolor",
    )


def _true_colour() -> bool:
    return os.environ.get("COLORTERM", "") in ("truecolor", "24bit")
