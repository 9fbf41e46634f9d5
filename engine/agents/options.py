"""The options of an agent in its environment's file, read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from engine.environment.model import Agent as Section
from engine.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Options = TypeVar("Options", bound=DataclassInstance)

_OF_ALL_AGENTS = frozenset(field.name for field in fields(Section))


def read_options(kind: type[Options], agent: str, settings: Mapping[str, Any]) -> Options:
    """What `[agent.options]` says to `agent`; each field of `kind` is an option, a text with a default.

    Empty is only what is empty by default.

    Raises:
        UsageError: one is unknown or no text.
    """
    known = {field.name: field.default for field in fields(kind)}
    given = {name: value for name, value in settings.items() if name not in _OF_ALL_AGENTS}
    for name, value in given.items():
        if name not in known:
            raise UsageError(f"option {name!r} is unknown", f"known in [agent.options] of {agent}: {', '.join(known)}")
        if not isinstance(value, str) or (not value and known[name]):
            raise UsageError(f"option {name} must be a text", f'write {name} = "…"')
    return kind(**given)
