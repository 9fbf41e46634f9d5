"""The terminal before and after Textual: whether it will do, its first picture, and how it was before (SPEC W8).

Imports nothing that takes time: the first picture is there before anything else is loaded.
"""

from __future__ import annotations

import os
import sys

# What every program of ours may have switched on: the mouse, focus, paste, keyboard, wrapping, cursor, other screen.
_RESTORE = (
    b"\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l\x1b[?1004l\x1b[?2004l\x1b[?2048l\x1b[r\x1b[0m\x1b[<u"
    b"\x1b[?7h\x1b[?1049l\x1b[?25h"
)
TABS = {
    "tasks": "Tasks", "environment": "Env", "cache": "Cache", "log": "Log", "diff": "Diff", "network": "Network",
    "time": "Time",
}  # fmt: skip
"""What the tab of each pane says, in the order of their numbers."""
_KEYS = " ? help  q quit"
_before: list[object] = []


def check() -> str | None:
    """Why the workbench cannot be opened here, with what to do instead; None when it can."""
    instead = "use the commands instead: fumehood --help"
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return f"the workbench needs a terminal; {instead}"
    if os.environ.get("TERM", "") in ("", "dumb"):
        return f"TERM={os.environ.get('TERM', '')!r} cannot show the workbench; set TERM to your terminal, or {instead}"
    return None


def paint_skeleton() -> None:
    """Show title, tabs and keys at once, while the libraries of the screen are still being loaded."""
    columns, rows = os.get_terminal_size(sys.stdout.fileno())
    tabs = "".join(f" {number} {name}" for number, name in enumerate(TABS.values(), 1))
    lines = f"\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J\x1b[1m{' fumehood'[:columns]}\x1b[0m"
    if rows > 2:
        lines += f"\x1b[2;1H{tabs[:columns]}\x1b[{rows};1H{_KEYS[:columns]}"
    _remember()
    os.write(sys.stdout.fileno(), lines.encode())


def _remember() -> None:
    """Keep how the terminal was, and bring it back when a signal ends us before Textual takes over."""
    import signal
    import termios

    try:
        _before[:] = termios.tcgetattr(sys.stdin.fileno())
    except termios.error:
        _before.clear()

    def end(number: int, _frame: object) -> None:
        restore()
        os._exit(128 + number)

    for wanted in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(wanted, end)


def attributes() -> list[object]:
    """How the terminal was set before the first picture; empty when that is not known."""
    return list(_before)


def restore() -> None:
    """Put the terminal back as it was; whatever was switched on by then, and however this process ends."""
    try:
        os.set_blocking(sys.stdout.fileno(), False)
        os.write(sys.stdout.fileno(), _RESTORE)
    except OSError:
        return
    finally:
        os.set_blocking(sys.stdout.fileno(), True)
    if _before:
        import termios

        termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, list(_before))  # type: ignore[arg-type]
