"""Whether a start hits the cache, and why (SPEC C1, C3): a pure function of snapshots, key and clock."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.cache.key import Key, differences
from engine.durations import words


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A stored container filesystem: an image whose labels are this record (DESIGN decision 2).

    `created_at` in Unix seconds, `sha` the commit it was made from, `setup_seconds` what it cost to make.
    """

    image: str
    environment: str
    name: str
    key: Key
    created_at: float
    sha: str
    setup_seconds: float
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """The decision for a start now, in words and figures; `expires_in_seconds` only for a hit."""

    result: Literal["hit", "miss", "off"]
    reason: str
    key: str
    changed: tuple[str, ...] = ()
    age_seconds: float | None = None
    expires_in_seconds: float | None = None
    snapshot: Snapshot | None = None

    @property
    def image(self) -> str:
        """The image a hit starts from; empty otherwise."""
        return self.snapshot.image if self.snapshot and self.result == "hit" else ""

    @property
    def size_bytes(self) -> int:
        """Size of the snapshot this speaks of; 0 without one."""
        return self.snapshot.size_bytes if self.snapshot else 0


def decide(
    snapshots: Sequence[Snapshot], key: Key, *, now: float, ttl: float, reset_at: float | None, enabled: bool
) -> Explanation:
    """Hit or miss, and why.

    Args:
        snapshots: those of this environment, in any order.
        now: Unix seconds; a snapshot from the future is not trusted (a clock was set back).
        ttl: seconds a snapshot lives, counted from its creation.
        reset_at: when the user last reset this environment's cache; older snapshots do not count.
    """
    if not enabled:
        return Explanation("off", "the cache is off for this environment (cache.enabled = false)", key.digest)
    newest_first = sorted(snapshots, key=lambda snapshot: snapshot.created_at, reverse=True)
    same = [snapshot for snapshot in newest_first if snapshot.key.digest == key.digest]
    candidate = next(iter(same or newest_first), None)
    if candidate is None:
        if reset_at is not None:
            return Explanation("miss", f"cache reset {words(now - reset_at)} ago", key.digest)
        return Explanation("miss", "no snapshot yet", key.digest)
    age = now - candidate.created_at
    if candidate.key.digest != key.digest:
        changed = tuple(differences(candidate.key, key))
        reason = ", ".join(changed) or "made by another version"
        return Explanation("miss", f"{reason} · age {words(age)}", key.digest, changed, age, None, candidate)
    if reset_at is not None and candidate.created_at <= reset_at:
        why = f"cache reset {words(now - reset_at)} ago"
    elif age < 0:
        why = f"the snapshot is dated {words(-age)} in the future (was the clock changed?)"
    elif age >= ttl:
        why = f"expired: {words(age)} old, lives {words(ttl)}"
    else:
        reason = f"nothing it depends on changed · age {words(age)}, {words(ttl - age)} left"
        return Explanation("hit", reason, key.digest, (), age, ttl - age, candidate)
    return Explanation("miss", why, key.digest, (), age, None, candidate)


LABEL_ENVIRONMENT = "fumehood.environment"
LABEL_OWNER = "fumehood.owner"
_LABELS = ("name", "key", "components", "lines", "created", "sha", "seconds")


def to_labels(snapshot: Snapshot, owner: str) -> dict[str, str]:
    """The labels that make an image this snapshot."""
    values = (
        snapshot.name,
        snapshot.key.digest,
        json.dumps(snapshot.key.components),
        json.dumps(snapshot.key.lines),
        repr(snapshot.created_at),
        snapshot.sha,
        repr(snapshot.setup_seconds),
    )
    labels = {f"fumehood.{name}": value for name, value in zip(_LABELS, values, strict=True)}
    return {"fumehood": "1", LABEL_ENVIRONMENT: snapshot.environment, LABEL_OWNER: owner, **labels}


def from_labels(image: str, size: int, labels: Mapping[str, str]) -> Snapshot | None:
    """The snapshot these labels describe; None when they are not ours or are damaged."""
    try:
        name, key, components, lines, created, sha, seconds = (labels[f"fumehood.{label}"] for label in _LABELS)
        return Snapshot(
            image,
            labels[LABEL_ENVIRONMENT],
            name,
            Key(key, json.loads(components), json.loads(lines)),
            float(created),
            sha,
            float(seconds),
            size,
        )
    except (KeyError, ValueError):
        return None
