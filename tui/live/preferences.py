"""How somebody likes to look at things: kept from one start of the workbench to the next."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from engine.state import state_dir, write_atomic


@dataclass(slots=True)
class Preferences:
    """What was chosen; None is what fits the window.

    Attributes:
        diff_split: old and new side by side.
        diff_hide_space: changes of white space alone are hidden.
        diff_files: the tree of files is shown.
        log_wrap: long lines of a log take several rows.
        log_times: before each row of a log stands when it came.
    """

    diff_split: bool | None = None
    diff_hide_space: bool | None = None
    diff_files: bool | None = None
    log_wrap: bool | None = None
    log_times: bool | None = None

    @classmethod
    def read(cls) -> Preferences:
        """What was kept; of a file that cannot be used, nothing."""
        try:
            data = json.loads(_path().read_bytes())
        except (OSError, ValueError):
            return cls()
        known = {entry.name for entry in fields(cls)} if isinstance(data, dict) else set()
        return cls(**{name: data[name] for name in known if isinstance(data.get(name), bool)})

    def keep(self, **chosen: bool) -> None:
        """Choose, and keep it; where that is not possible it holds until the workbench is left.

        What others chose meanwhile stays as they left it.
        """
        kept = self.read()
        for name, value in chosen.items():
            setattr(self, name, value)
            setattr(kept, name, value)
        try:
            write_atomic(_path(), json.dumps(asdict(kept), indent=1) + "\n")
        except OSError:
            return


def _path() -> Path:
    return state_dir() / "workbench.json"
