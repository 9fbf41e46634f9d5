"""Whether this terminal can show the workbench; imports nothing, so that the answer costs nothing."""

from __future__ import annotations

import os
import sys

_TITLE = " fumehood"


def check() -> str | None:
    """Why the workbench cannot be opened here, with what to do instead; None when it can."""
    instead = "use the commands instead: fumehood --help"
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return f"the workbench needs a terminal; {instead}"
    if os.environ.get("TERM", "") in ("", "dumb"):
        return f"TERM={os.environ.get('TERM', '')!r} cannot show the workbench; set TERM to your terminal, or {instead}"
    return None


def paint_skeleton() -> None:
    """Show the first line at once, while the libraries of the screen are still being loaded."""
    os.write(sys.stdout.fileno(), f"\x1b[?1049h\x1b[H\x1b[2J\x1b[1m{_TITLE}\x1b[0m".encode())


def leave_skeleton() -> None:
    """Take the first line back: the workbench did not come up."""
    os.write(sys.stdout.fileno(), b"\x1b[?1049l")
