"""Changing single values in the text of an environment file; comments and every other byte stay (SPEC W2)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any, TypeAlias

from msgspec import Struct, field

from engine.environment.document import TOKEN
from engine.environment.problem import KeyPath, dotted
from engine.errors import EngineError


class Put(Struct, frozen=True):
    """The key has this value."""

    key: KeyPath
    value: object


class Remove(Struct, frozen=True):
    """The key, or the table, is not there."""

    key: KeyPath


class Append(Struct, frozen=True):
    """The list at the key ends with this item."""

    key: KeyPath
    item: str


class Drop(Struct, frozen=True):
    """The list at the key has no item `number` (from 0)."""

    key: KeyPath
    number: int


Change: TypeAlias = Put | Remove | Append | Drop


class Statement(Struct, frozen=True):
    """A table header or a `key = value`: its whole path, the offsets of its value (of a header: itself).

    A key inside an inline table is no statement.
    """

    path: KeyPath
    header: bool
    begin: int
    end: int


class Reader(Struct):
    """Goes through the tokens of a TOML text; between two of them, its fields say what they stand in."""

    table: KeyPath = ()
    parts: list[str] = field(default_factory=list)
    where: str = "start"  # of a statement, then: "header", "key", "assigned" or "value"
    depth: int = 0
    begin: int = 0
    end: int = 0

    def feed(self, token: re.Match[str] | None) -> Statement | None:
        """Take one token in, None for the end of the text; the statement that it completes."""
        kind, word = (token.lastgroup, token.group()) if token else ("newline", "\n")
        if kind == "newline":
            return self._line_ended()
        if token is None or kind == "space":
            return None
        self.end = token.end()
        if self.where == "start":
            self.where, self.begin = ("header" if kind == "open" else "key"), token.start()
        elif self.where == "assigned":
            self.where, self.begin = "value", token.start()
        if kind in ("string", "bare") and self.where in ("header", "key"):
            self.parts.append(word.strip("\"'") if kind == "string" else word)
        elif kind == "other" and word == "=" and self.where == "key":
            self.where = "assigned"
        self.depth += (kind == "open") - (kind == "close")
        return None

    def _line_ended(self) -> Statement | None:
        if self.depth or self.where == "start":
            return None
        header, path = self.where == "header", tuple(self.parts)
        self.table = path if header else self.table
        self.where, self.parts = "start", []
        return Statement(self.table if header else (*self.table, *path), header, self.begin, self.end)


def statements(text: str) -> Iterator[Statement]:
    """The statements of valid TOML, in their order."""
    reader = Reader()
    for token in (*TOKEN.finditer(text), None):
        found = reader.feed(token)
        if found:
            yield found


def changed(data: bytes, changes: Iterable[Change]) -> bytes:
    """The text of a valid TOML file after these changes, and nothing else.

    Raises:
        EngineError: it is written in a way in which this cannot be done safely.
    """
    text = data.decode()
    for change in changes:
        wanted = _done(tomllib.loads(text), change)
        after = _apply(text, change)
        try:
            # A table that holds nothing any more may be gone, too.
            safe = after is not None and tomllib.loads(after) in (wanted, _pruned(wanted, change.key[:-1]))
        except tomllib.TOMLDecodeError:
            safe = False
        if not safe or after is None:
            raise EngineError(f"{dotted(change.key)} is written in a way that cannot be edited safely", "edit the text")
        text = after
    return text.encode()


def _done(raw: Mapping[str, Any], change: Change) -> dict[str, Any]:
    """The data of a file after a change."""
    data = deepcopy(dict(raw))
    table, name = data, change.key[-1]
    for part in change.key[:-1]:
        table = table.setdefault(part, {})
    match change:
        case Put():
            table[name] = change.value
        case Remove():
            table.pop(name, None)
        case Append():
            table[name] = [*table.get(name, ()), change.item]
        case Drop():
            table[name] = [item for n, item in enumerate(table[name]) if n != change.number]
    return data


def _pruned(data: dict[str, Any], path: KeyPath) -> dict[str, Any]:
    """The data without the tables on `path` that are empty."""
    if not path or path[0] not in data:
        return data
    inner = _pruned(data[path[0]], path[1:])
    rest = {name: value for name, value in data.items() if name != path[0]}
    return {**rest, path[0]: inner} if inner else rest


def _apply(text: str, change: Change) -> str | None:
    found = list(statements(text))
    at = next((s for s in found if s.path == change.key and not s.header), None)
    newline = "\r\n" if "\r\n" in text else "\n"
    match change:
        case Put() if at:
            return text[: at.begin] + literal(change.value) + text[at.end :]
        case Put():
            return _inserted(text, found, change.key, literal(change.value), newline)
        case Append() if at:
            return _with_item(text, at, literal(change.item), newline)
        case Append():
            return _inserted(text, found, change.key, f"[{literal(change.item)}]", newline)
        case Drop():
            return _without_item(text, at, change.number) if at else None
        case Remove():
            return _without(text, found, change.key)


def literal(value: object) -> str:
    """A value as TOML, on one line: text, numbers, booleans, lists of them, an empty table."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(literal(item) for item in value)}]"
    if value == {}:
        return "{}"
    import tomli_w

    return tomli_w.dumps({"k": value}).removeprefix("k = ").rstrip("\n")


def _name(part: str) -> str:
    return part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else literal(part)


def _inserted(text: str, found: list[Statement], key: KeyPath, value: str, newline: str) -> str:
    """`text` with a new key: after those of its table, beside dotted ones, else in a table of its own at the end."""
    table, line = key[:-1], f"{_name(key[-1])} = {value}"
    header = next((n for n, s in enumerate(found) if s.header and s.path == table), None if table else -1)
    if header is not None:
        last = header
        while last + 1 < len(found) and not found[last + 1].header:
            last += 1
        if last < 0:
            return f"{line}{newline}{text}"
        place = _line_end(text, found[last].end)
        return f"{text[:place]}{newline}{line}{text[place:]}"
    top = [s for n, s in enumerate(found) if not any(before.header for before in found[: n + 1])]
    dotted_beside = [s for s in top if s.path[: len(table)] == table and len(s.path) > len(table)]
    if dotted_beside:
        place = _line_end(text, dotted_beside[-1].end)
        return f"{text[:place]}{newline}{'.'.join(_name(part) for part in key)} = {value}{text[place:]}"
    gap = "" if not text else newline if text.endswith("\n") else newline * 2
    return f"{text}{gap}[{'.'.join(_name(part) for part in table)}]{newline}{line}{newline}"


def _without(text: str, found: list[Statement], key: KeyPath) -> str | None:
    """`text` without the lines of a key, or of a table with all that is in it."""
    gone = [s for s in found if s.path[: len(key)] == key]
    if not gone:
        return None
    for statement in reversed(gone):
        begin = text.rfind("\n", 0, statement.begin) + 1
        end = _line_end(text, statement.end)
        end += len(re.match(r"\r?\n?", text[end:])[0])  # type: ignore[index]
        if statement.header and text[:begin].endswith(("\n\n", "\n\r\n")) and text[end:].lstrip(" \t\r")[:1] in "\n":
            # The empty line before a table goes with it.
            begin = len(text[:begin].rstrip("\r\n")) + (2 if text[:begin].endswith("\r\n") else 1)
        text = text[:begin] + text[end:]
    return text


def _with_item(text: str, array: Statement, item: str, newline: str) -> str:
    """`text` with an item at the end of an array, written as the others are: on their line, or on one of its own."""
    last, comma = array.begin + 1, True
    for token in TOKEN.finditer(text, array.begin + 1, array.end - 1):
        if token.lastgroup not in ("space", "newline"):
            last, comma = token.end(), token.group() == ","
    end = _line_end(text, last)
    if last == array.begin + 1:
        return text[:last] + item + text[last:]
    if end >= array.end - 1:
        return f"{text[:last]}{' ' if comma else ', '}{item}{text[last:]}"
    indent = re.match(r"[ \t]*", text[text.rfind("\n", 0, last) + 1 :])
    before = text[:last] + ("" if comma else ",") + text[last:end]
    return f"{before}{newline}{indent[0] if indent else ''}{item}{',' if comma else ''}{text[end:]}"


def _without_item(text: str, array: Statement, number: int) -> str | None:
    """`text` without one item of an array, and without its line when nothing else is on it."""
    tokens = [
        t for t in TOKEN.finditer(text, array.begin + 1, array.end - 1) if t.lastgroup not in ("space", "newline")
    ]
    items = [t for t in tokens if t.group() != ","]
    if len(items) <= number or any(t.lastgroup in ("open", "close") for t in tokens):
        return None
    item = items[number]
    at = tokens.index(item)
    begin, end = item.start(), item.end()
    follows = tokens[at + 1].end() if at + 1 < len(tokens) else 0
    line_begin, stop = text.rfind("\n", 0, begin) + 1, _line_end(text, end)
    alone = line_begin > array.begin and stop < array.end and not text[line_begin:begin].strip()
    if alone and not any(end < other.start() < stop for other in items):
        return text[:line_begin] + text[stop:].removeprefix("\r").removeprefix("\n")
    if follows:
        return text[:begin] + text[follows:].lstrip(" ")
    return text[: tokens[at - 1].start() if at else begin] + text[end:]


def _line_end(text: str, offset: int) -> int:
    """Where the line of `offset` ends, before its line break."""
    end = text.find("\n", offset)
    end = len(text) if end < 0 else end
    return end - 1 if text[end - 1 : end] == "\r" else end
