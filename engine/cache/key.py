"""What a snapshot depends on, and the key made of it (SPEC C2)."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.state import local_key

if TYPE_CHECKING:
    from engine.environment.model import Environment
    from engine.secrets.secret import Secret

# Raised when what a snapshot contains changes its meaning; older snapshots are then misses.
FORMAT = "4"
_LINES_KEPT = 2000


class Key(Struct, frozen=True):
    """The key, the HMAC of each component (so that a miss can name what changed), and a print of script lines.

    `lines` holds 6 hex digits for each line of each script: enough to count changed lines, not to read them.
    """

    digest: str
    components: Mapping[str, str]
    lines: Mapping[str, list[str]]

    def differs_only_in(self, other: Key, component: str) -> bool:
        """Whether nothing else tells the two keys apart."""
        return {**self.components, component: ""} == {**other.components, component: ""}


def cache_key(
    environment: Environment, *, image_id: str, repository: str, secrets: Mapping[str, Secret], automatic: str = ""
) -> Key:
    """The key of this environment as it stands.

    Commits, network settings, resources and the agent are not part of it (SPEC C2).

    Args:
        image_id: docker's id of the image, not its name: a name can move.
        repository: the address of the source repository, and the folder in it the task works in.
        secrets: the value of each declared secret; only HMACs of them are kept.
        automatic: all that automatic setup does; empty when the environment does not want it.
    """
    scripts = {"setup script": environment.setup.script, "maintenance script": environment.maintenance.script}
    if environment.setup.auto:
        scripts["automatic setup"] = automatic
    material: dict[str, bytes] = {
        "format": FORMAT.encode(),
        "image": image_id.encode(),
        "repository": repository.encode(),
        **{name: script.encode("utf-8", "surrogatepass") for name, script in scripts.items()},
        **{f"version {k}": v.encode() for k, v in environment.versions.items()},
        **{f"variable {k}": v.encode("utf-8", "surrogatepass") for k, v in environment.variables.items()},
        **{f"secret {k}": v.reveal() for k, v in secrets.items()},
    }
    secret = local_key()

    def mac(name: str, value: bytes) -> str:
        return hmac.new(secret, name.encode() + b"\0" + value, hashlib.sha256).hexdigest()

    components = {name: mac(name, value)[:24] for name, value in sorted(material.items())}
    digest = mac("key", json.dumps(components, sort_keys=True).encode())[:32]
    lines = {
        name: [mac("line", line.encode("utf-8", "surrogatepass"))[:6] for line in script.splitlines()[:_LINES_KEPT]]
        for name, script in scripts.items()
    }
    return Key(digest, components, lines)


def differences(old: Key, new: Key) -> list[str]:
    """The components that differ, in words: `setup script changed (3 lines)`, `variable X added`."""
    found = []
    for name in sorted({*old.components, *new.components}, key=_order):
        before, after = old.components.get(name), new.components.get(name)
        if before == after:
            continue
        if before is None or after is None:
            found.append(f"{name} {'added' if before is None else 'removed'}")
        else:
            found.append(f"{name} changed{_line_count(old.lines.get(name), new.lines.get(name))}")
    return found


def _order(name: str) -> tuple[int, str]:
    return (0 if name.endswith("script") else 1, name)


def _line_count(old: list[str] | None, new: list[str] | None) -> str:
    if old is None or new is None:
        return ""
    import difflib

    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    count = sum(max(i2 - i1, j2 - j1) for tag, i1, i2, j1, j2 in matcher.get_opcodes() if tag != "equal")
    # Only the ending of the last line can differ without a line that does.
    return f" ({count} line{'' if count == 1 else 's'})" if count else " (line endings)"
