"""From the bytes of a file to TOML data, within limits that keep any file harmless (SECURITY-CASES B01)."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from engine.environment.kinds import BadValue

MAX_BYTES = 1 << 20
MAX_DEPTH = 16
_TOO_LARGE = BadValue("is larger than 1 MiB", "keep large scripts in the repository and call them")
TOKEN = re.compile(
    r'''(?P<space>[ \t\r]++|\#[^\n]*+)
    |(?P<newline>\n)
    |(?P<string>"""(?:[^"\\]++|\\.|"(?!""))*+(?:"{3,5}|\Z)|\'\'\'(?:[^']++|'(?!''))*+(?:'{3,5}|\Z)
      |"(?:[^"\\\n]++|\\[^\n])*+"?|'[^'\n]*+'?)
    |(?P<bare>[A-Za-z0-9_-]++)
    |(?P<open>[\[{])|(?P<close>[\]}])|(?P<dot>\.)|(?P<other>.)''',
    re.VERBOSE | re.DOTALL,
)


class NotToml(BadValue):
    """The text is not TOML; `line` is where, when that is known."""

    def __init__(self, message: str, hint: str = "", line: int | None = None) -> None:
        super().__init__(message, hint)
        self.line = line


class Outline(Struct):
    """The shape of a TOML text: the line of each key, the deepest nesting, the longest dotted key."""

    lines: dict[tuple[str, ...], int] = field(default_factory=dict)
    depth: int = 0
    parts: int = 0


def read_bytes(path: Path) -> bytes:
    """The content of a regular file of at most 1 MiB; of a larger one nothing is read.

    Raises:
        BadValue: it is missing, unreadable, too large, or no regular file.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BadValue("is not a regular file", "name a TOML file")
            if status.st_size > MAX_BYTES:
                raise _TOO_LARGE
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise BadValue("does not exist", "check the path, or make the file with `fumehood init`") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "the path is not valid"
        raise BadValue(f"cannot be read: {reason}", "check the path and its permissions") from None
    if len(data) > MAX_BYTES:
        raise _TOO_LARGE
    return data


def _without_waiting(path: str, flags: int) -> int:
    # Opening a named pipe would wait for its writer.
    return os.open(path, flags | os.O_NONBLOCK)


def parse(data: bytes) -> tuple[dict[str, Any], dict[tuple[str, ...], int]]:
    """The TOML data and the line of each key. Line ends in scripts come out as \\n, as TOML allows.

    Raises:
        NotToml: it is not UTF-8, not TOML, or beyond a limit.
    """
    if len(data) > MAX_BYTES:
        raise NotToml(_TOO_LARGE.message, _TOO_LARGE.hint)
    if data.startswith(b"\xef\xbb\xbf"):
        raise NotToml("begins with a byte order mark", "save it as UTF-8 without BOM", 1)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise NotToml(f"byte 0x{data[error.start]:02x} is not UTF-8", "save the file as UTF-8", line) from None
    outline = scan(text)
    if max(outline.depth, outline.parts) > MAX_DEPTH:
        raise NotToml(f"is nested deeper than {MAX_DEPTH} levels", "environment files need three")
    try:
        return tomllib.loads(text), outline.lines
    except tomllib.TOMLDecodeError as error:
        raise _explained(str(error), text) from None
    except (RecursionError, ValueError) as error:
        # Python refuses to read integers of thousands of digits, and dates no calendar has.
        reason = "a number or date in it is out of range" if isinstance(error, ValueError) else "it is nested too deep"
        raise NotToml(f"cannot be read: {reason}", "check its numbers and dates") from None


def _explained(message: str, text: str) -> NotToml:
    found = re.fullmatch(r"(.*?)(?: \(at (?:line (\d+), column (\d+)|end of document)\))?", message, re.DOTALL)
    assert found is not None
    reason = found[1] if len(found[1]) < 200 else f"{found[1][:199]}…"
    line = int(found[2]) if found[2] else text.count("\n") + 1
    column = f" (column {found[3]})" if found[3] else ""
    return NotToml(f"not valid TOML: {reason[:1].lower()}{reason[1:]}{column}", "see https://toml.io", line)


def scan(text: str) -> Outline:
    """The outline of a text, in one pass and linear time; exact for valid TOML, safe for any text.

    Keys inside inline tables are not listed, nor are escapes in quoted keys resolved.
    """
    outline = Outline()
    table: tuple[str, ...] = ()
    parts: list[str] = []
    line, depth, run = 1, 0, 1
    where = "start"  # of a statement, then: "header", "key" or "value"
    for token in TOKEN.finditer(text):
        kind, word = token.lastgroup, token.group()
        if kind == "newline":
            line += 1
            if depth == 0 or where == "header":
                table = tuple(parts) if where == "header" else table
                where, parts, depth = "start", [], 0
        elif kind in ("string", "bare"):
            if where == "start":
                where = "key"
            # More words than a key can have are no key: noting them would take quadratic memory.
            if where in ("key", "header") and len(parts) < MAX_DEPTH:
                parts.append(word.strip("\"'") if kind == "string" else word)
                _note(outline, parts if where == "header" else [*table, *parts], line)
            line += word.count("\n") if kind == "string" else 0
        elif kind == "open":
            where = "header" if where == "start" else where
            depth += 1
            outline.depth = max(outline.depth, depth)
        elif kind == "close":
            depth = max(depth - 1, 0)
        elif kind == "other" and word == "=" and where == "key":
            where = "value"
        if kind == "dot":
            run += 1
            outline.parts = max(outline.parts, run)
        elif kind not in ("space", "string", "bare"):
            run = 1
        if max(outline.depth, outline.parts) > MAX_DEPTH:
            break
    return outline


def _note(outline: Outline, path: list[str], line: int) -> None:
    outline.lines.setdefault(tuple(path), line)
