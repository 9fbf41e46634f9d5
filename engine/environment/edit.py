"""Changing one value of an environment file and nothing else: comments and every other byte stay (SPEC W2)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.environment import document, load, trust
from engine.environment.kinds import BadValue
from engine.errors import EngineError
from engine.state import write_atomic

if TYPE_CHECKING:
    from engine.environment.model import Environment


@dataclass(frozen=True, slots=True)
class _Statement:
    """A table header or a `key = value`: its whole path, the offsets of its value (of a header: itself), and its line.

    A key inside an inline table is no statement.
    """

    path: tuple[str, ...]
    header: bool
    begin: int
    end: int


def add_allowed(environment: Environment, entry: str) -> None:
    """Add `entry` to the end of `allow` in `[network]` of the environment's file; its trust goes over to the new text.

    Raises:
        EngineError: the file cannot be edited without changing something else, or was changed since it was loaded.
    """
    path = environment.path.resolve()
    by_hand = f'add "{entry}" to allow in [network] by hand'
    try:
        data = document.read_bytes(path)
    except BadValue as error:
        raise EngineError(f"{path} {error.message}", error.hint) from None
    if hashlib.sha256(data).hexdigest() != environment.source_text_sha256:
        raise EngineError(f"{path} was changed at this moment", "try again")
    changed = with_allowed(data, entry)
    expected = replace(environment.network, allow=(*environment.network.allow, entry))
    after = load.parse(changed, environment.path)[0] if changed else None
    if changed is None or after != replace(
        environment, network=expected, source_text_sha256=hashlib.sha256(changed).hexdigest()
    ):
        raise EngineError(f"{path} is written in a way that cannot be edited safely", by_hand)
    was_trusted = trust.trusted(environment)
    write_atomic(path, changed, path.stat().st_mode & 0o777)
    if was_trusted:
        trust.trust(after)


def with_allowed(data: bytes, entry: str) -> bytes | None:
    """The text of an environment file with `entry` added to `network.allow`; None when there is no place for it.

    A good guess, to be checked by reading the result.
    """
    text = data.decode()
    newline = "\r\n" if "\r\n" in text else "\n"
    ours = [statement for statement in _statements(text) if statement.path[:1] == ("network",)]
    allow = next((s for s in ours if s.path == ("network", "allow") and not s.header), None)
    if allow is not None:
        changed = _with_item(text, allow, f'"{entry}"', newline)
    elif ours:
        key = "allow" if ours[0].header else "network.allow"
        place = _line_end(text, ours[-1].end)
        changed = f'{text[:place]}{newline}{key} = ["{entry}"]{text[place:]}'
    else:
        return None
    return changed.encode()


def _with_item(text: str, array: _Statement, item: str, newline: str) -> str:
    """`text` with an item at the end of an array, written as the others are: on their line, or on one of its own."""
    last, comma = array.begin + 1, True
    for token in document.TOKEN.finditer(text, array.begin + 1, array.end - 1):
        if token.lastgroup not in ("space", "newline"):
            last, comma = token.end(), token.group() == ","
    line_end = _line_end(text, last)
    if last == array.begin + 1:
        return text[:last] + item + text[last:]
    if line_end >= array.end - 1:
        return f"{text[:last]}{' ' if comma else ', '}{item}{text[last:]}"
    indent = re.match(r"[ \t]*", text[text.rfind("\n", 0, last) + 1 :])
    before = text[:last] + ("" if comma else ",") + text[last:line_end]
    return f"{before}{newline}{indent[0] if indent else ''}{item}{',' if comma else ''}{text[line_end:]}"


def _line_end(text: str, offset: int) -> int:
    """Where the line of `offset` ends, before its line break."""
    end = text.find("\n", offset)
    end = len(text) if end < 0 else end
    return end - 1 if text[end - 1 : end] == "\r" else end


def _statements(text: str) -> Iterator[_Statement]:
    """The statements of valid TOML, in their order."""
    table: tuple[str, ...] = ()
    parts: list[str] = []
    begin = end = depth = 0
    where = "start"  # of a statement, then: "header", "key" or "value"
    for token in (*document.TOKEN.finditer(text), None):
        kind, word = (token.lastgroup, token.group()) if token else ("newline", "\n")
        if kind == "newline":
            if depth == 0 and where != "start":
                header = where == "header"
                table = tuple(parts) if header else table
                yield _Statement(table if header else (*table, *parts), header, begin, end)
                where, parts = "start", []
            continue
        if token is None or kind == "space":
            continue
        end = token.end()
        if where == "start":
            where, begin = ("header" if kind == "open" else "key"), token.start()
        elif where == "assigned":
            where, begin = "value", token.start()
        if kind in ("string", "bare") and where in ("header", "key"):
            parts.append(word.strip("\"'") if kind == "string" else word)
        elif kind == "other" and word == "=" and where == "key":
            where = "assigned"
        depth += (kind == "open") - (kind == "close")
