"""Writing an environment file that exists: a text of the user's, or one more entry of the allowlist (SPEC W2, N6)."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.environment import document, load, trust
from engine.environment.kinds import BadValue
from engine.environment.rewrite import line_end, statements, with_item
from engine.errors import EngineError
from engine.state import write_atomic

if TYPE_CHECKING:
    from engine.environment.model import Environment


def add_allowed(environment: Environment, entry: str) -> None:
    """Add `entry` to the end of `allow` in `[network]` of the environment's file; its trust goes over to the new text.

    Raises:
        EngineError: the file cannot be edited without changing something else, or was changed since it was loaded.
    """
    path = environment.path.resolve()
    by_hand = f'add "{entry}" to allow in [network] by hand'
    try:
        data = document.read_bytes(path)
    except BadValue as error:
        raise EngineError(f"{path} {error.message}", error.hint) from None
    if hashlib.sha256(data).hexdigest() != environment.source_text_sha256:
        raise EngineError(f"{path} was changed at this moment", "try again")
    changed = with_allowed(data, entry)
    expected = replace(environment.network, allow=(*environment.network.allow, entry))
    after = load.parse(changed, environment.path)[0] if changed else None
    if changed is None or after != replace(
        environment, network=expected, source_text_sha256=hashlib.sha256(changed).hexdigest()
    ):
        raise EngineError(f"{path} is written in a way that cannot be edited safely", by_hand)
    was_trusted = trust.trusted(environment)
    write_atomic(path, changed, path.stat().st_mode & 0o777)
    if was_trusted:
        trust.trust(after)


def with_allowed(data: bytes, entry: str) -> bytes | None:
    """The text of an environment file with `entry` added to `network.allow`; None when there is no place for it.

    A good guess, to be checked by reading the result.
    """
    text = data.decode()
    newline = "\r\n" if "\r\n" in text else "\n"
    ours = [statement for statement in statements(text) if statement.path[:1] == ("network",)]
    allow = next((s for s in ours if s.path == ("network", "allow") and not s.header), None)
    if allow is not None:
        changed = with_item(text, allow, f'"{entry}"', newline)
    elif ours:
        key = "allow" if ours[0].header else "network.allow"
        place = line_end(text, ours[-1].end)
        changed = f'{text[:place]}{newline}{key} = ["{entry}"]{text[place:]}'
    else:
        return None
    return changed.encode()
