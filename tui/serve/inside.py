"""The process of a served workbench: makes what its input and output lead to the terminal that it belongs to."""

from __future__ import annotations

import os
import sys

from tui.cli import main

if __name__ == "__main__":
    # Whoever belongs to a terminal is told of its size, and of its end.
    os.login_tty(0)
    sys.exit(main())
