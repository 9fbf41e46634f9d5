"""What the user prefers on every screen: `config.toml` in the configuration folder, read strictly (SPEC W7, W8)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import fields, replace

from engine.state import config_dir

FILE_NAME = "config.toml"
_MOST_HERTZ = 30
NOTIFY = ("auto", "osc9", "bell", "off")


class Preferences(Struct, frozen=True):
    """The values of `config.toml`; each default is what holds without the file.

    Args:
        theme: the name of the theme to begin with; empty for the first.
        mouse: whether the terminal is asked to send what the mouse does; without, it selects text as everywhere.
        low_bandwidth: whether as little as possible is written to the terminal, as with `--low-bandwidth`.
        log_hz: how often in a second the log is painted while it follows; 0 for 10, or 2 at low bandwidth.
        notify: how to tell that a task has ended while nobody looks: one of `NOTIFY`.
        keys: the user's keys by the id of the action, as Textual names them.
    """

    theme: str = ""
    mouse: bool = True
    low_bandwidth: bool = False
    log_hz: int = 0
    notify: str = "auto"
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def path() -> Path:
    """Where the file is looked for; it need not exist."""
    return config_dir() / FILE_NAME


def load() -> tuple[Preferences, list[str]]:
    """The user's preferences, and a sentence for each value that could not be used (its default holds then)."""
    file = path()
    try:
        data = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return Preferences(), []
    except OSError as error:
        return Preferences(), [f"{file} cannot be read: {error.strerror}"]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return Preferences(), [f"{file} is not TOML: {error}"]
    found, problems = Preferences(), []
    for key, value in data.items():
        if problem := _problem(key, value):
            problems.append(f"{file}: {problem}")
        elif key == "keys":
            from tui.present import keymap

            keys, wrong = keymap.read(value)
            found = replace(found, keys=keys)
            problems += [f"{file}: {problem}" for problem in wrong]
        else:
            found = replace(found, **{key: value})
    return found, problems


_WANTED: dict[type, str] = {
    str: 'a string, as in "dark"',
    bool: "true or false",
    int: "a whole number",
    dict: "a table, as in [keys]",
}


def _problem(key: str, value: Any) -> str:
    plain = Preferences()
    known = [field.name for field in fields(Preferences)]
    if key not in known:
        near = get_close_matches(key, known, 1)
        return f"unknown key {key}" + (f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}")
    wanted = type(getattr(plain, key))
    if type(value) is not wanted:
        return f"{key} = {value!r} is not {_WANTED[wanted]}"
    if key == "log_hz" and not 0 <= value <= _MOST_HERTZ:
        return f"{key} = {value!r} is not between 0 and {_MOST_HERTZ}"
    if key == "notify" and value not in NOTIFY:
        return f"notify = {value!r} is not one of {', '.join(NOTIFY)}"
    return ""
