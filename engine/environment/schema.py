"""The JSON Schema of the environment file, made from its table of keys (SPEC E2)."""

from __future__ import annotations

from engine.environment.kinds import Key, Kind, ListOf, MapOf, Scalar, TableOf, keys
from engine.environment.model import Environment

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, object]:
    """The schema (draft 2020-12). It accepts every valid file; rules across keys only the loader knows."""
    return {"$schema": _DRAFT, "title": "fumehood environment", **_section(Environment)}


def _section(section: type) -> dict[str, object]:
    known = keys(section)
    required = [name for name, key in known.items() if key.required]
    return {
        "type": "object",
        "additionalProperties": False,
        **({"required": required} if required else {}),
        "properties": {name: _property(key) for name, key in known.items()},
    }


def _property(key: Key) -> dict[str, object]:
    return {
        "description": key.doc,
        **_kind(key.kind),
        **({} if key.default is None else {"default": key.default}),
        **({} if key.example is None else {"examples": [key.example]}),
    }


def _kind(kind: Kind) -> dict[str, object]:
    match kind:
        case Scalar():
            return dict(kind.schema)
        case ListOf():
            return {"type": "array", "items": dict(kind.item.schema), **({"minItems": 1} if kind.some else {})}
        case TableOf():
            return _section(kind.section)
        case MapOf():
            return {
                "type": "object",
                "propertyNames": dict(kind.name.schema),
                "additionalProperties": _kind(kind.value),
            }
