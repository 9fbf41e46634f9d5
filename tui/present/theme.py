"""Themes: one TOML file each (SPEC W9), read strictly, turned into a Textual theme and a palette of styles for rows."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from rich.errors import StyleSyntaxError
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from textual.color import Color, ColorParseError
from textual.theme import Theme

from engine.data import themes_dir
from engine.errors import EngineError
from engine.state import config_dir

DEFAULT, WITHOUT_COLOUR = "dark", "ansi16"

# What Textual's own parts (borders, inputs, the palette) are coloured with.
COLOURS = (
    "background", "foreground", "surface", "panel", "border", "focus", "accent", "success", "warning", "error",
)  # fmt: skip
# What rows are made of: every role a presenter may name.
ROLES = (
    "title", "strong", "muted", "faint", "accent", "ok", "bad", "warn", "run", "key", "match",
    "added", "removed", "hunk", "file", "added-line", "removed-line", "added-word", "removed-word",
    "missing", "remark", "selected", "cursor", "cursor-blurred", "bar",
    "keyword", "string", "number", "comment", "name",
)  # fmt: skip


# What the class of a style sheet that a theme's name becomes cannot be called.
_NO_NAME = re.compile(r"[^a-zA-Z0-9_-]+")


class ThemeInvalid(EngineError):
    """A theme file cannot be used."""


class Palette(Struct, frozen=True):
    """Rich styles by role; several roles in one string are laid over one another."""

    styles: dict[str, Style]
    _combined: dict[str, Style] = field(default_factory=dict)

    def style(self, role: str) -> Style:
        """The style of a role, or of roles separated by spaces; one that no theme knows is plain text."""
        found = self._combined.get(role)
        if found is None:
            found = sum((self.styles.get(name, Style.null()) for name in role.split()), Style.null())
            self._combined[role] = found
        return found


class FumehoodTheme(Struct, frozen=True, dict=True):
    """A theme file, read and checked."""

    name: str
    title: str
    dark: bool
    ansi: bool
    colours: dict[str, str]
    styles: dict[str, Style]

    @cached_property
    def palette(self) -> Palette:
        """The styles rows are painted with."""
        return Palette(self.styles)

    def terminal_theme(self) -> TerminalTheme:
        """The sixteen colours of a program's output, in this theme's own hues."""
        plain = [self._rgb(role) for role in ("cursor", "bad", "ok", "warn", "name", "keyword", "accent", "strong")]
        bright = [self._rgb("faint"), *plain[1:]]
        return TerminalTheme(self._rgb("bar"), self._rgb("strong"), plain, bright)

    def _rgb(self, role: str) -> tuple[int, int, int]:
        style = self.styles[role]
        found = style.color or style.bgcolor
        return tuple(found.get_truecolor()) if found else (128, 128, 128)  # type: ignore[return-value]

    def textual(self) -> Theme:
        """The same colours for Textual: its own parts and the variables of our style sheets."""
        colour = self.colours
        return Theme(
            name=self.name,
            primary=colour["accent"],
            secondary=colour["focus"],
            accent=colour["accent"],
            success=colour["success"],
            warning=colour["warning"],
            error=colour["error"],
            foreground=colour["foreground"],
            background=colour["background"],
            surface=colour["surface"],
            panel=colour["panel"],
            dark=self.dark,
            ansi=self.ansi,
            variables={
                "line": colour["border"],
                "line-focus": colour["focus"],
                **_widget_colours(colour),
                **({"ansi-background": "ansi_black", "ansi-foreground": "ansi_white"} if self.ansi else {}),
            },
        )


def _widget_colours(colour: dict[str, str]) -> dict[str, str]:
    return {
        "scrollbar": colour["border"],
        "scrollbar-hover": colour["focus"],
        "scrollbar-active": colour["focus"],
        "scrollbar-background": colour["background"],
        "scrollbar-background-hover": colour["background"],
        "scrollbar-background-active": colour["background"],
        "scrollbar-corner-color": colour["background"],
        "input-cursor-background": colour["foreground"],
        "input-cursor-foreground": colour["background"],
        "block-cursor-background": colour["accent"],
        "block-cursor-foreground": colour["background"],
        "block-cursor-text-style": "none",
    }


def load(path: Path, known: dict[str, FumehoodTheme]) -> FumehoodTheme:
    """Read one theme file; what it leaves out comes from the theme it `extends`, one of `known`.

    Raises:
        ThemeInvalid: the file cannot be read, or a key or value in it is wrong or missing.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ThemeInvalid(f"{path}: {error}", "correct the file or remove it") from error
    unknown = set(data) - {"name", "title", "dark", "ansi", "extends", "colours", "styles"}
    if unknown:
        raise ThemeInvalid(f"{path}: unknown key {sorted(unknown)[0]!r}", "see the themes that come with fumehood")
    base = known.get(str(data.get("extends", "")))
    colours = {**(base.colours if base else {}), **_table(path, data, "colours", COLOURS)}
    own = {role: _style(path, role, value) for role, value in _table(path, data, "styles", ROLES).items()}
    styles = {**(base.styles if base else {}), **own}
    for table, names, have in (("colours", COLOURS, set(colours)), ("styles", ROLES, set(styles))):
        if missing := [name for name in names if name not in have]:
            raise ThemeInvalid(f"{path}: [{table}] lacks {missing[0]!r}", 'add it, or say extends = "dark"')
    for key, value in colours.items():
        try:
            Color.parse(value)
        except ColorParseError as error:
            hint = "write it as #rrggbb or ansi_NAME"
            raise ThemeInvalid(f"{path}: [colours] {key} = {value!r} is not a colour", hint) from error
    name = str(data.get("name", _NO_NAME.sub("-", path.stem)))
    if not name or _NO_NAME.search(name):
        hint = "write what is to be read as title"
        raise ThemeInvalid(f"{path}: name = {name!r} is not made of letters, digits, - and _", hint)
    dark = bool(data.get("dark", base.dark if base else True))
    ansi = bool(data.get("ansi", base.ansi if base else False))
    return FumehoodTheme(name, str(data.get("title", data.get("name", path.stem))), dark, ansi, colours, styles)


def _table(path: Path, data: dict[str, Any], name: str, allowed: Iterable[str]) -> dict[str, str]:
    table = data.get(name, {})
    if not isinstance(table, dict):
        raise ThemeInvalid(f"{path}: {name} is not a table", f"write [{name}]")
    for key, value in table.items():
        if key not in allowed:
            raise ThemeInvalid(f"{path}: [{name}] has an unknown key {key!r}", f"known: {', '.join(allowed)}")
        if not isinstance(value, str):
            raise ThemeInvalid(f"{path}: [{name}] {key} is not a string", 'write it as "…"')
    return {key: str(value) for key, value in table.items()}


def _style(path: Path, role: str, value: str) -> Style:
    try:
        return Style.parse(value)
    except StyleSyntaxError as error:
        raise ThemeInvalid(f"{path}: [styles] {role}: {error}", 'write for example "bold #aabbcc"') from error


def own_files() -> dict[Path, tuple[int, int]]:
    """The theme files of the user, each with what changes when it is saved."""
    found = {}
    for path in (config_dir() / "themes").glob("*.toml"):
        try:
            stat = path.stat()
        except OSError:
            continue
        found[path] = (stat.st_mtime_ns, stat.st_size)
    return found


def load_all() -> tuple[dict[str, FumehoodTheme], list[EngineError]]:
    """Every theme by name, the user's own last, and what is wrong with the files that could not be used."""
    themes: dict[str, FumehoodTheme] = {}
    problems: list[EngineError] = []
    shipped = sorted(themes_dir().glob("*.toml"), key=lambda path: (path.stem != DEFAULT, path.stem))
    for path in [*shipped, *sorted((config_dir() / "themes").glob("*.toml"))]:
        try:
            theme = load(path, themes)
            themes[theme.name] = theme
        except EngineError as error:
            problems.append(error)
    if not themes:
        raise ThemeInvalid("no theme can be used", "install fumehood again")
    return themes, problems
