"""How somebody likes to look at things: kept from one start of the workbench to the next."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from engine.state import state_dir, write_atomic
from tui.present.layout import Sizes


@dataclass(slots=True)
class Preferences:
    """What was chosen; None is what fits the window.

    Attributes:
        diff_split: old and new side by side.
        diff_hide_space: changes of white space alone are hidden.
        diff_files: the tree of files is shown.
        left, aside, lower: see `Sizes`.
        pane: the pane that had the keys.
        zoomed: it had the whole screen.
        log_wrap: long lines of a log take several rows.
        log_times: before each row of a log stands when it came.
    """

    diff_split: bool | None = None
    diff_hide_space: bool | None = None
    diff_files: bool | None = None
    left: int | None = None
    aside: int | None = None
    lower: int | None = None
    pane: str | None = None
    zoomed: bool | None = None
    log_wrap: bool | None = None
    log_times: bool | None = None

    @classmethod
    def read(cls) -> Preferences:
        """What was kept; of a file that cannot be used, nothing."""
        data, _ = _stored()
        kept = {entry.name: data[entry.name] for entry in fields(cls) if _fits(str(entry.type), data.get(entry.name))}
        return cls(**kept)

    def keep(self, **chosen: bool | int | str | None) -> None:
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

    @property
    def sizes(self) -> Sizes:
        """The sizes of the panes."""
        return Sizes(self.left, self.aside, self.lower)

    @sizes.setter
    def sizes(self, sizes: Sizes) -> None:
        self.left, self.aside, self.lower = sizes.left, sizes.aside, sizes.lower


def problem() -> str:
    """What is wrong with the file, in a sentence; empty when it can be used or is not there."""
    return _stored()[1]


def _stored() -> tuple[dict[str, Any], str]:
    path = _path()
    damaged = f"{path} is damaged, so panes and views are as in the beginning; the next change replaces it"
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}, ""
    except OSError as error:
        return {}, f"{path} cannot be read, so panes and views are as in the beginning: {error.strerror}"
    except ValueError:
        return {}, damaged
    return (data, "") if isinstance(data, dict) else ({}, damaged)


def _fits(kind: str, value: Any) -> bool:
    return type(value).__name__ == kind.partition(" ")[0]


def _path() -> Path:
    return state_dir() / "workbench.json"
