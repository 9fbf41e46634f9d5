"""`python -m engine.tasks FOLDER`: the supervisor of the task in that folder."""

from __future__ import annotations

import sys
from pathlib import Path

from engine.tasks.supervisor import supervise

supervise(Path(sys.argv[1]))
