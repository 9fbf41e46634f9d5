"""What the user prefers on every screen: `config.toml` in the configuration folder, read strictly (SPEC W7, W8)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from engine.state import config_dir

FILE_NAME = "config.toml"
_MOST_HERTZ = 30


@dataclass(frozen=True, slots=True)
class Preferences:
    """The values of `config.toml`; each default is what holds without the file.

    Args:
        theme: the name of the theme to begin with; empty for the first.
        mouse: whether the terminal is asked to send what the mouse does; without, it selects text as everywhere.
        low_bandwidth: whether as little as possible is written to the terminal, as with `--low-bandwidth`.
        log_hz: how often in a second the log is painted while it follows; 0 for 10, or 2 at low bandwidth.
    """

    theme: str = ""
    mouse: bool = True
    low_bandwidth: bool = False
    log_hz: int = 0


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
    defaults = {field.name: field.default for field in fields(Preferences)}
    for key, value in data.items():
        if problem := _problem(key, value, defaults):
            problems.append(f"{file}: {problem}")
        else:
            found = replace(found, **{key: value})
    return found, problems


def _problem(key: str, value: Any, defaults: dict[str, Any]) -> str:
    if key not in defaults:
        near = get_close_matches(key, defaults, 1)
        return f"unknown key {key}" + (f"; did you mean {near[0]}?" if near else f"; known: {', '.join(defaults)}")
    wanted = type(defaults[key])
    if type(value) is not wanted:
        names = {str: 'a string, as in "dark"', bool: "true or false", int: "a whole number"}
        return f"{key} = {value!r} is not {names[wanted]}"
    if key == "log_hz" and not 0 <= value <= _MOST_HERTZ:
        return f"{key} = {value!r} is not between 0 and {_MOST_HERTZ}"
    return ""
