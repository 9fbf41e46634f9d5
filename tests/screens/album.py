"""Pictures of screens as text: what stands in each cell and how it looks, small enough to be kept for every screen.

An album is a file of screens in the order they were seen. Of each, only the rows that differ from the screen before are
written, with their number. In an album of looks a row is a list of runs, each the name of a look and a number of cells;
names are explained at the end, as a Rich style.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from difflib import unified_diff
from pathlib import Path
from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual.app import App

FOLDER = Path(__file__).with_name("pictures")
_DIGITS = "abcdefghijkmnpqrstuvwxyz"


def screen(app: App[Any]) -> list[list[Segment]]:
    """The rows of what is shown, with all that lies under a dialog."""
    update = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    rows: list[list[Segment]] = [[]]
    for segment in update.__rich_console__(app.console, app.console.options):
        if not isinstance(segment, Segment) or segment.control:
            continue
        if segment.text == "\n":
            rows.append([])
        elif segment.text:
            rows[-1].append(segment)
    return rows


class Album:
    """Screens by their names.

    Args:
        chance: a text that is another one in each run; `x` stands in its place.
    """

    def __init__(self, chance: str) -> None:
        self._chance = chance
        self._texts: list[str] = []
        self._looks: list[str] = []
        self._before: tuple[list[str], list[str]] = [], []
        self._names: dict[str, str] = {}

    def add(self, name: str, rows: Iterable[Iterable[Segment]]) -> None:
        """The next screen."""
        kept = [list(row) for row in rows]
        texts = ["".join(s.text for s in row).rstrip().replace(self._chance, "x" * len(self._chance)) for row in kept]
        looks = [self._runs(row) for row in kept]
        self._texts += _changed(name, self._before[0], texts)
        self._looks += _changed(name, self._before[1], looks)
        self._before = texts, looks

    def _runs(self, row: list[Segment]) -> str:
        runs: list[tuple[str, int]] = []
        for segment in row:
            name = self._name(_look(segment.style))
            if runs and runs[-1][0] == name:
                runs[-1] = (name, runs[-1][1] + segment.cell_length)
            else:
                runs.append((name, segment.cell_length))
        return " ".join(f"{name}{cells}" for name, cells in runs)

    def _name(self, look: str) -> str:
        """Two or more letters that stand for a look, wherever it is met: another one more or less changes no other."""
        number, name = zlib.crc32(look.encode()), ""
        while len(name) < 2 or self._names.get(name, look) != look:
            number, digit = divmod(number, len(_DIGITS))
            name += _DIGITS[digit]
        self._names[name] = look
        return name

    def texts(self) -> str:
        """What stands in the cells."""
        return "\n".join(self._texts) + "\n"

    def looks(self) -> str:
        """How the cells look."""
        explained = [f"{name} = {look}" for name, look in sorted(self._names.items())]
        return "\n".join([*self._looks, "", *explained]) + "\n"


def _look(style: Style | None) -> str:
    """What is seen of a style: neither links nor what a click does."""
    if style is None:
        return "none"
    return str(style.without_color + Style(color=style.color, bgcolor=style.bgcolor))


def _changed(name: str, before: list[str], now: list[str]) -> list[str]:
    rows = [f"{n:>2}|{row}" for n, row in enumerate(now, 1) if n > len(before) or before[n - 1] != row]
    return [f"== {name}", *rows]


def check(name: str, made: str, *, update: bool) -> None:
    """Compare an album with the one that is kept, or keep it.

    Raises:
        AssertionError: they differ; the rows that do are named.
    """
    path = FOLDER / f"{name}.txt"
    if update:
        FOLDER.mkdir(exist_ok=True)
        path.write_text(made, "utf-8")
        return
    kept = path.read_text("utf-8") if path.exists() else ""
    if made != kept:
        told = list(unified_diff(kept.splitlines(), made.splitlines(), "kept", "seen", lineterm="", n=0))
        raise AssertionError(
            f"{path.name} differs; if that is meant: pytest tests/screens/test_pictures.py --update-pictures\n"
            + "\n".join(told[:60])
        )
