"""The declarative table of the environment file: what a key may hold, what it means, its default.

A section is a dataclass whose fields are made by `key`. Loader, JSON Schema, forms and completion read
the same fields back through `keys`, so that a key is written down once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, fields
from typing import Any


class BadValue(Exception):
    """A value is not what its key takes: `message` says what is wrong, `hint` what would be right."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Scalar:
    """One value: `parse` turns what TOML gave into what the model holds, or raises `BadValue`.

    `schema` is its JSON Schema, as far as that language can say it.
    """

    __slots__ = ("parse", "schema")

    def __init__(self, parse: Callable[[object], Any], schema: Mapping[str, object]) -> None:
        self.parse = parse
        self.schema = schema


class ListOf:
    """An array, held as a tuple; with `some`, an empty one is refused."""

    __slots__ = ("item", "some")

    def __init__(self, item: Scalar, *, some: bool = False) -> None:
        self.item = item
        self.some = some


class TableOf:
    """A table with the keys of the dataclass `section`; `hint` helps who wrote something else there."""

    __slots__ = ("hint", "section")

    def __init__(self, section: type, hint: str = "") -> None:
        self.section = section
        self.hint = hint


class MapOf:
    """A table whose keys the user chooses, each one valid under `name`; held as a dict."""

    __slots__ = ("name", "value")

    def __init__(self, name: Scalar, value: Scalar | TableOf) -> None:
        self.name = name
        self.value = value


Kind = Scalar | ListOf | TableOf | MapOf


class Key:
    """What is known of one key; `default` is as written in the file, None when there is none."""

    __slots__ = ("default", "doc", "example", "kind", "required")

    def __init__(self, kind: Kind, doc: str, default: object, example: object, required: bool) -> None:
        self.kind = kind
        self.doc = doc
        self.default = default
        self.example = example
        self.required = required


_METADATA = "key"


def key(kind: Kind, doc: str, *, default: object = None, example: object = None, required: bool = False) -> Any:
    """A dataclass field that is a key of the file.

    Args:
        kind: what it may hold.
        doc: one sentence for the user.
        default: its value when left out, as it would be written in the file; without one, it is empty.
        example: a value worth showing, when the default is not.
        required: the file must have it.
    """
    metadata = {_METADATA: Key(kind, doc, default, example, required)}
    match kind:
        case _ if required:
            return field(metadata=metadata)
        case MapOf():
            return field(default_factory=dict, metadata=metadata)
        case TableOf():
            return field(default_factory=kind.section, metadata=metadata)
        case ListOf():
            return field(default=(), metadata=metadata)
        case Scalar():
            return field(default="" if default is None else kind.parse(default), metadata=metadata)


def keys(section: type) -> dict[str, Key]:
    """The keys of a section, in the order of the file."""
    return {f.name: f.metadata[_METADATA] for f in fields(section) if _METADATA in f.metadata}
