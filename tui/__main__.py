"""`python -m tui`: the same as the command `fumehood`."""

from __future__ import annotations

import sys

from tui.cli import main

sys.exit(main())
