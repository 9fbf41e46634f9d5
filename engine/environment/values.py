"""The kinds of value of the environment file: durations, sizes, names, text (SPEC E2, SECURITY-CASES B02, B04)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from engine.environment.kinds import BadValue, Scalar

_DURATION = r"([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?"
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_SIZE = r"([0-9]{1,15}) ?([kKmMgGtT]?)([iI]?[bB])?"
_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]{0,254}"
# The kernel takes at most 128 KiB for one `NAME=value` (MAX_ARG_STRLEN); the longest name fits beside this.
_VALUE_BYTES = 130_000
_IMAGE_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    r"(?:(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(?=:[0-9]))(?::[0-9]{1,5})?/)?"
    rf"{_IMAGE_PART}(?:/{_IMAGE_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
)
# What git's check-ref-format forbids in a branch name, and a leading dash.
_BAD_BRANCH = re.compile(r"^[-/]|//|/$|\.$|\.lock(?:/|$)|(?:^|/)\.|\.\.|@\{|^@$|[\x00-\x20\x7f~^:?*\[\\]")


def shown(value: object, limit: int = 60) -> str:
    """A value of the file for use in a message: short, quoted, nothing in it can steer a terminal."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**18 else "a very large number"
    text = value if isinstance(value, str) else str(value)[: limit + 1]
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return repr(text) if isinstance(value, str) else text


def type_name(value: object) -> str:
    """What TOML calls the type of `value`, with its article."""
    names = {bool: "a boolean", int: "an integer", float: "a float", str: "a string", list: "an array", dict: "a table"}
    return names.get(type(value), "a date or time")


def text_of(value: object, hint: str = "") -> str:
    """`value` if it is a string without NUL characters, which no variable, argument or path can hold.

    Raises:
        BadValue: it is not.
    """
    if not isinstance(value, str):
        raise BadValue(f"must be a string, not {type_name(value)}", hint)
    if "\0" in value:
        raise BadValue("contains a NUL character", "remove \\u0000 from it")
    return value


def line_of(value: object, hint: str = "", limit: int = 1000) -> str:
    """`value` if it is one line of printable text, not empty, without white space at its ends.

    Raises:
        BadValue: it is not.
    """
    text = text_of(value, hint)
    if not text or text != text.strip():
        raise BadValue("must not be empty" if not text.strip() else "has white space at an end", hint)
    if len(text) > limit:
        raise BadValue(f"is longer than {limit} characters", hint)
    if not text.isprintable():
        raise BadValue(f"contains control or invisible characters: {shown(text)}", hint)
    return text


def _within(number: float, minimum: float, maximum: float, write: Callable[[Any], str]) -> None:
    if number < minimum:
        raise BadValue(f"must be at least {write(minimum)}")
    if number > maximum:
        raise BadValue(f"must be at most {write(maximum)}")


def _amount(value: object, kind: str, pattern: str, hint: str) -> int | re.Match[str]:
    """A plain integer as it is, or the parts of a text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise BadValue(f"must be a {kind}, not {type_name(value)}", hint)
    match = re.fullmatch(pattern, value)
    if not value or match is None:
        raise BadValue(f"{shown(value)} is not a {kind}", hint)
    return match


def parse_duration(value: object) -> int:
    """Seconds of "1h30m", "90s", "2d" or of a plain integer.

    Raises:
        BadValue: it is none of these.
    """
    found = _amount(value, "duration", _DURATION, 'write "30m", "1h30m" or "90s"')
    if isinstance(found, int):
        return found
    return sum(int(part[:-1]) * _SECONDS[part[-1]] for part in found.groups() if part)


def format_duration(seconds: int) -> str:
    """The shortest text that `parse_duration` reads as `seconds` (not negative)."""
    text = ""
    for unit, length in _SECONDS.items():
        count, seconds = divmod(seconds, length)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def parse_size(value: object) -> int:
    """Bytes of "4g", "512m" (units of 1024) or of a plain integer.

    Raises:
        BadValue: it is none of these.
    """
    found = _amount(value, "size", _SIZE, 'write "4g" or "512m"')
    return found if isinstance(found, int) else int(found[1]) * _BYTES[found[2].lower()]


def format_size(size: int) -> str:
    """The shortest exact text that `parse_size` reads as `size` bytes (not negative)."""
    for unit in ("t", "g", "m", "k"):
        if size and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit}"
    return f"{size}b"


def duration(minimum: str, maximum: str) -> Scalar:
    """Durations from `minimum` to `maximum`, held in seconds."""
    low, high = parse_duration(minimum), parse_duration(maximum)

    def parse(value: object) -> int:
        seconds = parse_duration(value)
        _within(seconds, low, high, format_duration)
        return seconds

    schema = [{"type": "string", "pattern": f"^{_DURATION}$", "minLength": 1}, _numbers("integer", low, high)]
    return Scalar(parse, {"anyOf": schema})


def size(minimum: str, maximum: str) -> Scalar:
    """Sizes from `minimum` to `maximum`, held in bytes."""
    low, high = parse_size(minimum), parse_size(maximum)

    def parse(value: object) -> int:
        number = parse_size(value)
        _within(number, low, high, format_size)
        return number

    schema = [{"type": "string", "pattern": f"^{_SIZE}$"}, _numbers("integer", low, high)]
    return Scalar(parse, {"anyOf": schema})


def _numbers(kind: str, low: float, high: float) -> dict[str, object]:
    return {"type": kind, "minimum": low, "maximum": high}


def integer(minimum: int, maximum: int) -> Scalar:
    """Integers in a range."""

    def parse(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise BadValue(f"must be an integer, not {type_name(value)}")
        _within(value, minimum, maximum, str)
        return value

    return Scalar(parse, _numbers("integer", minimum, maximum))


def number(minimum: float, maximum: float) -> Scalar:
    """Integers and floats in a range."""

    def parse(value: object) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise BadValue(f"must be a number, not {type_name(value)}")
        if isinstance(value, float) and not math.isfinite(value):
            raise BadValue("must be a finite number")
        _within(value, minimum, maximum, str)
        return float(value)

    return Scalar(parse, _numbers("number", minimum, maximum))


def choice(*options: str) -> Scalar:
    """One of a few words."""

    def parse(value: object) -> str:
        if value not in options:
            found = shown(value) if isinstance(value, str) else type_name(value)
            raise BadValue(f"must be one of {', '.join(options)}, not {found}")
        return str(value)

    return Scalar(parse, {"enum": list(options)})


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise BadValue(f"must be true or false, not {type_name(value)}", "write it without quotes")
    return value


def _name(value: object) -> str:
    name = line_of(value, 'write a short name such as "web"', limit=100)
    if name[0] in "-." or "/" in name or "\\" in name:
        raise BadValue(f"{shown(name)} is no name", "no slashes, and no dash or dot at its beginning")
    return name


def _variable_name(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(_VARIABLE, value):
        raise BadValue(f"{shown(value)} is not the name of a variable", "letters, digits and _, no digit first")
    return value


def _variable_value(value: object) -> str:
    text = text_of(value, 'put it in quotes, such as "1"')
    if len(text.encode()) > _VALUE_BYTES:
        raise BadValue(f"is larger than {_VALUE_BYTES} bytes", "put it into a file of the repository")
    return text


def _version(value: object) -> str:
    text = text_of(value, 'put the version in quotes, such as "3.12"')
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,31}", text):
        raise BadValue(f"{shown(text)} is not a version", 'write "3.12" or "22"')
    return text


def _branch(value: object) -> str:
    text = line_of(value, 'write the name of a branch, such as "main"', limit=250)
    if _BAD_BRANCH.search(text):
        raise BadValue(f"{shown(text)} is not the name of a branch", 'write its plain name, such as "main"')
    return text


def _image(value: object) -> str:
    hint = 'write it as docker does, such as "debian:bookworm" or "ghcr.io/openai/codex-universal:latest"'
    text = line_of(value, hint, limit=400)
    if not _IMAGE.fullmatch(text):
        raise BadValue(f"{shown(text)} is not the name of an image", hint)
    return text


def _relative(value: object, hint: str) -> str:
    text = line_of(value, hint)
    if text.startswith(("/", "~", "-")):
        raise BadValue(f"{shown(text)} is not a relative path", hint)
    return text


def _file(value: object) -> str:
    return _relative(value, "write a path relative to the folder of this file")


def _pattern(value: object) -> str:
    hint = 'write a path or pattern inside the repository, such as "requirements*.txt"'
    text = _relative(value, hint)
    if ".." in PurePosixPath(text).parts:
        raise BadValue(f"{shown(text)} leaves the repository", hint)
    return text


def _header(value: object) -> str:
    text = text_of(value)
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", text):
        raise BadValue(f"{shown(text)} is not the name of an HTTP header", 'write "Authorization"')
    return text


def _plain(value: object) -> object:
    if isinstance(value, dict):
        for name, item in value.items():
            text_of(name)
            _plain(item)
    elif isinstance(value, list):
        for item in value:
            _plain(item)
    elif isinstance(value, str):
        text_of(value)
    elif not isinstance(value, (bool, int, float)):
        raise BadValue("must not contain dates or times", "put them in quotes")
    return value


_LINE = {"type": "string", "minLength": 1}

BOOLEAN = Scalar(_boolean, {"type": "boolean"})
SCRIPT = Scalar(text_of, {"type": "string"})
LINE = Scalar(line_of, _LINE)
ARGUMENT = Scalar(text_of, {"type": "string"})
NAME = Scalar(_name, {**_LINE, "maxLength": 100, "pattern": r"^[^-./\\][^/\\]*$"})
VARIABLE_NAME = Scalar(_variable_name, {"pattern": f"^{_VARIABLE}$"})
VARIABLE_VALUE = Scalar(_variable_value, {"type": "string", "maxLength": _VALUE_BYTES})
VERSION = Scalar(_version, _LINE)
BRANCH = Scalar(_branch, _LINE)
IMAGE = Scalar(_image, _LINE)
FILE = Scalar(_file, _LINE)
PATTERN = Scalar(_pattern, _LINE)
HEADER = Scalar(_header, _LINE)
PLAIN = Scalar(_plain, {})
