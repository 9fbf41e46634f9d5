"""What a change of an environment's file does to its snapshot, said before it is saved; asks no container engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from engine.cache.key import Key, cache_key, differences
from engine.durations import words

if TYPE_CHECKING:
    from engine.environment.model import Environment


class Effect(Struct, frozen=True):
    """How much has to be done again, and why, in words."""

    again: Literal["nothing", "maintenance", "setup"]
    text: str


def effect(old: Environment, new: Environment) -> Effect:
    """What the snapshot of `old` is worth to `new`, both of the same file."""
    if old.id != new.id:
        text = "another name is another environment: setup runs again, and secrets have to be set again"
        return Effect("setup", text)
    if not new.cache.enabled:
        return Effect("setup", "every task runs setup: the cache is off")
    if not old.cache.enabled:
        return Effect("setup", "the cache is on: the next task makes a snapshot")
    before, after = _key(old), _key(new)
    changed = ", ".join(differences(before, after))
    if changed and before.differs_only_in(after, "maintenance script") and new.maintenance.script.strip():
        return Effect("maintenance", f"maintenance will run again: {changed}")
    if changed:
        return Effect("setup", f"this invalidates the snapshot: {changed}")
    if new.maintenance.script.strip() and set(old.maintenance.watch) != set(new.maintenance.watch):
        return Effect("maintenance", "maintenance will run again: it watches other files")
    if old.cache.ttl != new.cache.ttl:
        return Effect("nothing", f"the snapshot lives {words(new.cache.ttl)} in place of {words(old.cache.ttl)}")
    return Effect("nothing", "no effect on the snapshot")


def _key(environment: Environment) -> Key:
    """The key as far as the file decides it: images by name, secrets by whether they are declared."""
    from engine.secrets.secret import Secret

    return cache_key(
        environment,
        image_id=environment.image.build or environment.image.name,
        repository=environment.repository.url,
        secrets={name: Secret(b"") for name in environment.secrets},
    )
