"""`python -m tui`: the workbench on the tasks of this user."""

from __future__ import annotations

import sys

from tui import terminal


def main() -> int:
    """Check the terminal before anything is imported that costs time."""
    from engine.crash import no_core_files

    no_core_files()
    reason = terminal.check()
    if reason:
        print(f"fumehood: {reason}", file=sys.stderr)
        return 2
    terminal.paint_skeleton()
    try:
        from engine.bench import Bench
        from tui.app import run
    except BaseException:
        terminal.leave_skeleton()
        raise
    return run(Bench())


if __name__ == "__main__":
    sys.exit(main())
