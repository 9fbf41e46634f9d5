"""`.codex/setup.sh`, `.codex/maintenance.sh` and those in `.codex/cloud/`: called where they lie, not copied."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from engine.environment.importers import read
from engine.environment.importers.collected import Collected

if TYPE_CHECKING:
    from engine.environment.importers.formats import Source

_PARTS = {"setup.sh": "setup", "maintenance.sh": "maintenance", "maintain.sh": "maintenance", "start.sh": "start"}
_SHELL = re.compile(r"#!\s*(?:/\S*/)?(?:env\s+(?:-S\s+)?)?(?:ba|da)?sh\b")


def take(source: Source, into: Collected) -> None:
    """Let setup and maintenance call the scripts."""
    for path in source.paths:
        key = str(path.relative_to(source.folder))
        first = read.text(path).split("\n", 1)[0]
        part = _PARTS.get(path.name)
        if part is None:
            into.left(key, "neither setup nor maintenance; call it from one of them if it belongs there")
        elif first.startswith("#!") and not _SHELL.match(first):
            into.left(key, f"is no shell script: {first[:60]}")
        else:
            note = "a change of the script itself is no cache miss: fumehood cache reset" if part == "setup" else ""
            into.command(key, f"bash {shlex.quote(key)}", part, note=note)
            if part == "maintenance":
                into.put(key, [key], "maintenance", "watch")
