"""What could be written at a place of an environment file, from its table of keys (SPEC W2)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from engine.environment.document import TOKEN
from engine.environment.kinds import Key, Kind, ListOf, MapOf, Scalar, TableOf, keys
from engine.environment.model import Environment
from engine.environment.problem import KeyPath
from engine.environment.rewrite import Reader, literal, statements

_WORD = re.compile(r"[A-Za-z0-9_.-]*\Z")
_VALUE = re.compile(r"[\"']?[^\s\"',\[\]{}=]*\Z")


class Candidate(Struct, frozen=True):
    """Something to write, and what it means."""

    text: str
    doc: str


class Completion(Struct, frozen=True):
    """What to write in place of the text from column `start` of the line up to the cursor; the best first."""

    start: int
    candidates: tuple[Candidate, ...]


_NOTHING = Completion(0, ())


def complete(lines: Sequence[str], row: int, column: int) -> Completion:
    """What could be written at the cursor of a text that need not be valid; nothing inside scripts and comments."""
    head = lines[row][:column]
    reader = Reader()
    last = None
    for last in TOKEN.finditer("\n".join((*lines[:row], head))):
        reader.feed(last)
    if last is not None and last.group().startswith(("#", '"""', "'''")):
        return _NOTHING
    if reader.where in ("start", "key", "header"):
        typed = _WORD.search(head)
        assert typed is not None
        found = _headers() if reader.where == "header" else _keys(lines, row, reader.table, head)
        return _matching(found, typed.group(), typed.start())
    typed = _VALUE.search(head)
    assert typed is not None
    entry = _entry((*reader.table, *reader.parts))
    return _matching(_values(entry, in_list=reader.depth > 0), typed.group(), typed.start())


def _matching(found: Iterator[Candidate], typed: str, start: int) -> Completion:
    wanted = typed.strip("\"'").lower()
    fits = [c for c in found if c.text.lstrip("[\"'").lower().startswith(wanted)]
    # What is written already in full is no help.
    return Completion(start, tuple(c for c in fits if c.text.rstrip(" =]") != typed))


def _entry(path: KeyPath) -> Key | None:
    """What is known of the key at this path."""
    kind: Kind | None = TableOf(Environment)
    entry: Key | None = None
    for part in path:
        entry = keys(kind.section).get(part) if isinstance(kind, TableOf) else None
        kind = entry.kind if entry else kind.value if isinstance(kind, MapOf) else None
    return entry if entry else Key(kind, "", None, None, False) if kind else None


def _keys(lines: Sequence[str], row: int, table: KeyPath, head: str) -> Iterator[Candidate]:
    """The keys of a table that are not there yet; at the beginning of a line, tables too."""
    beginning, _, _ = head.strip().rpartition(".")
    inner = (*table, *(part for part in beginning.split(".") if part))
    there = {s.path for s in statements("\n".join((*lines[:row], "", *lines[row + 1 :])))}
    known = _entry(inner)
    holder = known.kind if known else None
    prefix = f"{beginning}." if beginning else ""
    if isinstance(holder, TableOf):
        for name, entry in keys(holder.section).items():
            if (*inner, name) not in there and not isinstance(entry.kind, (TableOf, MapOf)):
                yield Candidate(f"{prefix}{name} = ", _doc(entry))
    elif isinstance(holder, MapOf):
        for choice in _choices(holder.name):
            if (*inner, str(choice)) not in there:
                yield Candidate(f"{prefix}{choice} = ", "")
    if not beginning:
        for candidate in _tables():
            if tuple(candidate.text.split(".")) not in there:
                yield Candidate(f"[{candidate.text}]", candidate.doc)


def _headers() -> Iterator[Candidate]:
    for candidate in _tables():
        yield Candidate(f"{candidate.text}]", candidate.doc)


def _tables() -> Iterator[Candidate]:
    for name, entry in keys(Environment).items():
        if isinstance(entry.kind, (TableOf, MapOf)):
            yield Candidate(name, entry.doc)


def _values(entry: Key | None, *, in_list: bool) -> Iterator[Candidate]:
    """The choices of a key; else its default and its example."""
    if entry is None:
        return
    if isinstance(entry.kind, ListOf):
        choices = _choices(entry.kind.item) or list(entry.example if isinstance(entry.example, list) else ())
        for choice in choices:
            yield Candidate(literal(choice) if in_list else f"[{literal(choice)}]", entry.doc)
        return
    if isinstance(entry.kind, Scalar):
        choices = _choices(entry.kind)
        for choice in choices:
            yield Candidate(literal(choice), "the default" if choice == entry.default else entry.doc)
        if not choices:
            for value, why in ((entry.default, "the default"), (entry.example, "an example")):
                if value is not None and "\n" not in str(value):
                    yield Candidate(literal(value), f"{why}: {entry.doc}")
    else:
        yield Candidate("{}", entry.doc or "An empty table")


def _choices(kind: Scalar) -> list[object]:
    if kind.schema.get("type") == "boolean":
        return [True, False]
    found = kind.schema.get("enum", [])
    return list(found) if isinstance(found, list) else []


def _doc(entry: Key) -> str:
    return entry.doc if entry.default is None else f"{entry.doc} Default: {literal(entry.default)}"
