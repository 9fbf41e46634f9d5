"""The JSON Schema says what the loader does (SPEC E2)."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.environment.kinds import Key, ListOf, MapOf, Scalar, TableOf, keys
from engine.environment.load import parse
from engine.environment.model import Environment
from engine.environment.schema import json_schema

ROOT = Path(__file__).parents[3]
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


def accepts(schema: dict[str, Any], value: Any) -> bool:
    """Whether a value satisfies a schema; raises for a keyword this test does not know."""
    checks: dict[str, Callable[[Any], bool]] = {
        "$schema": lambda _: True,
        "title": lambda _: True,
        "description": lambda _: True,
        "default": lambda _: True,
        "examples": lambda _: True,
        "type": lambda t: isinstance(value, _TYPES[t]) and (t == "boolean" or not isinstance(value, bool)),
        "enum": lambda options: value in options,
        "anyOf": lambda options: any(accepts(option, value) for option in options),
        "pattern": lambda p: not isinstance(value, str) or re.search(p, value) is not None,
        "minLength": lambda n: not isinstance(value, str) or len(value) >= n,
        "maxLength": lambda n: not isinstance(value, str) or len(value) <= n,
        "minimum": lambda n: isinstance(value, str) or value >= n,
        "maximum": lambda n: isinstance(value, str) or value <= n,
        "minItems": lambda n: len(value) >= n,
        "items": lambda s: all(accepts(s, item) for item in value),
        "required": lambda names: all(name in value for name in names),
        "propertyNames": lambda s: all(accepts(s, name) for name in value),
        "properties": lambda ps: all(accepts(ps[k], v) for k, v in value.items() if k in ps),
        "additionalProperties": lambda s: all(
            s is not False and accepts(s, v) for k, v in value.items() if k not in schema.get("properties", {})
        ),
    }
    return all(checks[keyword](argument) for keyword, argument in schema.items())


def test_the_shipped_schema_is_not_stale() -> None:
    shipped = (ROOT / "docs/fumehood.schema.json").read_text()
    assert shipped == json.dumps(json_schema(), indent=2) + "\n"
    assert json.loads(shipped) == json_schema()


VALID = [
    'name = "x"',
    'name = "x"\n[repository]\nurl = "git@h:x"\n[cache]\nttl = 60\n[resources]\ncpus = 0.5\nmemory = "1 GiB"',
    'name = "x"\n[versions]\nrust = "1.92.0"\n[secrets]\nA = {maintenance = true}\n[agent]\noptions = {a = [1]}',
    'name = "x"\n[agent]\nuse = "replay"\nplan = "p.json"\ncommand = ["a", ""]\n[network]\nmethods = ["GET"]',
]
INVALID = [
    "",
    'name = ""',
    'name = "a/b"',
    'name = "x"\nmounts = []',
    'name = "x"\n[setup]\nscrpt = ""',
    'name = "x"\n[cache]\nttl = "x"',
    'name = "x"\n[cache]\nttl = 50000',
    'name = "x"\n[resources]\npids = true',
    'name = "x"\n[versions]\npyton = "3"',
    'name = "x"\n[variables]\n"A B" = "1"',
    'name = "x"\n[variables]\nA = 1',
    'name = "x"\n[secrets]\nA = "1"',
    'name = "x"\n[network]\nmethods = []',
    'name = "x"\n[network]\nagent = "on"',
]


@pytest.mark.parametrize("text", [*VALID, *INVALID])
def test_schema_and_loader_agree(text: str) -> None:
    environment, _ = parse(text.encode(), Path("/p/fumehood.toml"))
    assert (environment is not None) == (text in VALID)
    assert accepts(json_schema(), tomllib.loads(text)) == (text in VALID)


def _described(section: type) -> list[tuple[str, Key]]:
    found: list[tuple[str, Key]] = []
    for name, key in keys(section).items():
        found.append((f"{section.__name__}.{name}", key))
        part = key.kind.value if isinstance(key.kind, MapOf) else key.kind
        found += _described(part.section) if isinstance(part, TableOf) else []
    return found


@pytest.mark.parametrize(("name", "key"), _described(Environment))
def test_every_key_is_explained_and_its_examples_are_right(name: str, key: Key) -> None:
    assert key.doc.endswith("."), name
    if isinstance(key.kind, Scalar):
        assert key.default is not None or key.example is not None, name
        for value in (key.default, key.example):
            if value is not None:
                key.kind.parse(value)
    elif isinstance(key.kind, ListOf):
        assert isinstance(key.example, list)
        assert [key.kind.item.parse(item) for item in key.example]
