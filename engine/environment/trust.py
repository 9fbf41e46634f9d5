"""Which contents of repository-supplied environment files the user has agreed to run (SPEC E7).

An agreement holds for one content of one file. Beside its hash lie hashes of what matters for security, so that a later
question can say which of it changed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from engine.environment.kinds import MapOf, TableOf, keys
from engine.environment.model import Environment, is_users_own
from engine.errors import Untrusted
from engine.state import locked, state_dir, write_atomic

# What says how long and how large, not what: a change of it needs no look.
_HARMLESS = frozenset(
    ("name", "repository.default_branch", "setup.timeout", "maintenance.timeout", "maintenance.watch",
     "maintenance.on_failure", "start.timeout", "cache.ttl", "cache.enabled", "cache.standby",
     "resources.cpus", "resources.memory", "resources.pids", "resources.disk", "agent.timeout", "agent.idle",
     "agent.max_commands", "agent.max_repeats", "agent.max_requests", "agent.max_tokens", "agent.max_cost")
)  # fmt: skip
_VERSION = 1
# Contents of one file that are remembered; the oldest is forgotten first, and asked for again.
_KEPT = 100


class Fact(Struct, frozen=True):
    """A key that matters for security, and what the file says there: where code comes from, what runs, what it gets."""

    key: str
    value: str


class Review(Struct, frozen=True):
    """An environment file as one looks at it before agreeing.

    `facts` are what it says about security; `changed` are the keys that differ from the content agreed to last, and
    None when none ever was.
    """

    path: Path
    sha256: str
    trusted: bool
    facts: tuple[Fact, ...]
    changed: tuple[str, ...] | None


def review(environment: Environment) -> Review:
    """What there is to agree to."""
    found = facts(environment)
    contents = _contents(environment.path)
    last = next(reversed(contents.values()), None)
    changed = None if last is None else _differing(_hashes(found), last)
    return Review(environment.path, environment.source_text_sha256, trusted(environment), found, changed)


def trusted(environment: Environment) -> bool:
    """Whether the environment may be used: the user's own file in the config folder, or a content agreed to."""
    return is_users_own(environment.path) or environment.source_text_sha256 in _contents(environment.path)


def require(environment: Environment) -> None:
    """Let only agreed contents pass.

    Raises:
        Untrusted: the user has not agreed to this content; says what changed since the one before.
    """
    if trusted(environment):
        return
    changed = review(environment).changed
    hint = f"look at it and agree: fumehood env trust {environment.path}"
    if changed is None:
        raise Untrusted(f"{environment.path} is not trusted yet: nothing of it runs before you agree", hint)
    raise Untrusted(f"{environment.path} changed since you trusted it: {told(changed)}", hint)


def told(changed: tuple[str, ...]) -> str:
    """Which keys changed, for a message."""
    if not changed:
        return "nothing that matters for security"
    more = f" and {len(changed) - 6} more" if len(changed) > 6 else ""
    return ", ".join(changed[:6]) + more


def trust(environment: Environment) -> None:
    """Agree to the file with this content, beside the contents agreed to before."""
    with locked(state_dir() / "locks" / "trust.lock"):
        contents = _contents(environment.path)
        contents.pop(environment.source_text_sha256, None)
        contents = dict(list(contents.items())[1 - _KEPT :])
        contents[environment.source_text_sha256] = _hashes(facts(environment))
        record = {"v": _VERSION, "path": str(environment.path), "contents": contents}
        write_atomic(_record(environment.path), json.dumps(record, indent=1) + "\n")


def revoke(path: Path) -> None:
    """Forget every content of the file that was agreed to."""
    with locked(state_dir() / "locks" / "trust.lock"):
        _record(path).unlink(missing_ok=True)


def facts(environment: Environment) -> tuple[Fact, ...]:
    """What the file says that matters for security, in its order; what it leaves empty is left out."""
    found: list[Fact] = []
    for section, entry in keys(Environment).items():
        value = getattr(environment, section)
        if isinstance(entry.kind, TableOf):
            for name in keys(entry.kind.section):
                _note(found, f"{section}.{name}", getattr(value, name))
        elif isinstance(entry.kind, MapOf):
            for name, item in value.items():
                said = _secret(entry.kind.value.section, item) if isinstance(entry.kind.value, TableOf) else str(item)
                found.append(Fact(f"{section}.{name}", said))
    return tuple(found)


def _note(found: list[Fact], key: str, value: Any) -> None:
    if key not in _HARMLESS and value not in ("", (), {}, False):
        found.append(Fact(key, _written(value)))


def _secret(section: type, value: Any) -> str:
    """Who gets a secret: what its table says, in words of the file."""
    said = [f"{name} = {_written(item)}" for name in keys(section) if (item := getattr(value, name))]
    return ", ".join(said) or "given to setup"


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False, default=dict)


def _hashes(found: tuple[Fact, ...]) -> dict[str, str]:
    return {fact.key: hashlib.sha256(fact.value.encode("utf-8", "surrogatepass")).hexdigest() for fact in found}


def _differing(now: Mapping[str, str], before: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(key for key in dict.fromkeys((*now, *before)) if now.get(key) != before.get(key))


def records_dir() -> Path:
    """One file for each environment file that was agreed to; whoever waits for an agreement watches it."""
    return state_dir() / "trust"


def _record(path: Path) -> Path:
    absolute = os.path.normpath(path.absolute())
    return records_dir() / hashlib.sha256(os.fsencode(absolute)).hexdigest()


def _contents(path: Path) -> dict[str, dict[str, str]]:
    """Hash of content to hashes of its facts, latest agreement last; a record that is missing or damaged has none."""
    try:
        record = json.loads(_record(path).read_text("utf-8"))
        contents = record["contents"] if record["v"] == _VERSION else {}
        return {str(sha): {str(key): str(value) for key, value in said.items()} for sha, said in contents.items()}
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return {}
