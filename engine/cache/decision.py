"""Whether a start hits the cache, and why (SPEC C1, C3): a pure function of snapshots, key and clock."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import asdict

from engine.cache.key import Key, differences
from engine.durations import words


class Maintained(Struct, frozen=True):
    """That maintenance ran in a snapshot: at `at` (Unix seconds), on `files` it watches, named by path and content.

    `root` is the image of the snapshot it ran on; empty when setup itself had done what maintenance does.
    """

    at: float
    files: Mapping[str, str]
    root: str = ""


class Snapshot(Struct, frozen=True):
    """A stored container filesystem: an image whose labels are this record (DESIGN decision 2).

    `created_at` in Unix seconds, of the setup it goes back to; `sha` the commit it was made from, `setup_seconds` what
    that setup cost.
    """

    image: str
    environment: str
    name: str
    key: Key
    created_at: float
    sha: str
    setup_seconds: float
    size_bytes: int
    maintained: Maintained | None = None

    @property
    def root(self) -> str:
        """The image of the snapshot it was refreshed from; empty for one that comes straight from setup."""
        return self.maintained.root if self.maintained else ""

    @property
    def changed_at(self) -> float:
        """When it was stored: at the end of setup, or of the maintenance that refreshed it."""
        return self.maintained.at if self.maintained else self.created_at


class Explanation(Struct, frozen=True):
    """The decision for a start now, in words and figures; `expires_in_seconds` only for a hit.

    `maintained`: the last time that maintenance ran in this snapshot or in one refreshed from it.
    """

    result: Literal["hit", "miss", "off"]
    reason: str
    key: str
    changed: tuple[str, ...] = ()
    age_seconds: float | None = None
    expires_in_seconds: float | None = None
    snapshot: Snapshot | None = None
    maintained: Maintained | None = None

    @property
    def image(self) -> str:
        """The image a hit starts from; empty otherwise."""
        return self.snapshot.image if self.snapshot and self.result == "hit" else ""

    @property
    def size_bytes(self) -> int:
        """Size of the snapshot this speaks of; 0 without one."""
        return self.snapshot.size_bytes if self.snapshot else 0


def decide(
    snapshots: Sequence[Snapshot],
    key: Key,
    *,
    now: float,
    ttl: float,
    reset_at: float | None,
    enabled: bool,
    watched: Mapping[str, str] | None = None,
) -> Explanation:
    """Hit or miss, and why.

    Of several that are valid, the one in which maintenance saw just the `watched` files is best; else the newest that
    comes straight from setup, so that refreshed states never pile up on each other.

    Args:
        snapshots: those of this environment, in any order.
        now: Unix seconds; a snapshot from the future is not trusted (a clock was set back).
        ttl: seconds a snapshot lives, counted from its creation.
        reset_at: when the user last reset this environment's cache; older snapshots do not count.
        watched: the files maintenance depends on, as the task has them.
    """
    if not enabled:
        return Explanation("off", "the cache is off for this environment (cache.enabled = false)", key.digest)
    if not snapshots:
        why = "no snapshot yet" if reset_at is None else f"cache reset {words(now - reset_at)} ago"
        return Explanation("miss", why, key.digest)

    def invalid(snapshot: Snapshot) -> str:
        return why_invalid(snapshot, now, ttl, reset_at)

    def fitness(snapshot: Snapshot) -> tuple[bool, bool, bool, bool, float]:
        same, maintained = snapshot.key.digest == key.digest, snapshot.maintained
        exact = maintained is not None and maintained.files == watched
        return same, not invalid(snapshot), exact, not snapshot.root, snapshot.changed_at

    best = max(snapshots, key=fitness)
    age = now - best.created_at
    if best.key.digest != key.digest:
        changed = tuple(differences(best.key, key))
        reason = ", ".join(changed) or "made by another version"
        return Explanation("miss", f"{reason} · age {words(age)}", key.digest, changed, age, None, best)
    if why := invalid(best):
        return Explanation("miss", why, key.digest, (), age, None, best)
    reason = f"nothing it depends on changed · age {words(age)}, {words(ttl - age)} left"
    seen = [s for s in snapshots if s.maintained and s.key.digest == key.digest and not invalid(s)]
    last = max(seen, key=lambda snapshot: snapshot.changed_at, default=best).maintained
    return Explanation("hit", reason, key.digest, (), age, ttl - age, best, last)


def why_invalid(snapshot: Snapshot, now: float, ttl: float, reset_at: float | None) -> str:
    """Why a snapshot does not count, whatever its key; empty when it does."""
    age = now - snapshot.created_at
    if reset_at is not None and snapshot.created_at <= reset_at:
        return f"cache reset {words(now - reset_at)} ago"
    if age < 0:
        return f"the snapshot is dated {words(-age)} in the future (was the clock changed?)"
    if age >= ttl:
        return f"expired: {words(age)} old, lives {words(ttl)}"
    return ""


LABEL_ENVIRONMENT = "fumehood.environment"
LABEL_OWNER = "fumehood.owner"
_LABELS = ("name", "key", "components", "lines", "created", "sha", "seconds", "maintained")


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
        json.dumps(asdict(snapshot.maintained)) if snapshot.maintained else "",
    )
    labels = {f"fumehood.{name}": value for name, value in zip(_LABELS, values, strict=True)}
    return {"fumehood": "1", LABEL_ENVIRONMENT: snapshot.environment, LABEL_OWNER: owner, **labels}


def from_labels(image: str, size: int, labels: Mapping[str, str]) -> Snapshot | None:
    """The snapshot these labels describe; None when they are not ours or are damaged."""
    try:
        found = (labels[f"fumehood.{label}"] for label in _LABELS)
        name, key, components, lines, created, sha, seconds, maintained = found
        return Snapshot(
            image,
            labels[LABEL_ENVIRONMENT],
            name,
            Key(key, json.loads(components), json.loads(lines)),
            float(created),
            sha,
            float(seconds),
            size,
            Maintained(**json.loads(maintained)) if maintained else None,
        )
    except (KeyError, ValueError, TypeError):
        return None
