"""Editing an environment file: the trust in what it said goes over to what the user made of it (SPEC E7, W2, N6)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.environment.load import parse, read
from engine.environment.rewrite import Append, changed
from engine.environment.save import content, save, sha256
from engine.environment.trust import trust, trusted
from engine.errors import EngineError

if TYPE_CHECKING:
    from engine.environment.model import Environment


def editing(path: Path) -> Callable[[], None]:
    """What to call when the user has edited the file by other means."""
    before = read(path)[0]
    may_go_over = before is not None and trusted(before)

    def edited() -> None:
        after = read(path)[0]
        if after is not None and may_go_over:
            trust(after)

    return edited


def store(path: Path, data: bytes, *, before: str | None) -> None:
    """Store what the user edited; see `engine.environment.save.save`."""
    known, after = read(path)[0], parse(data, path)[0]
    save(path, data, before=before)
    if known is not None and trusted(known) and after is not None:
        trust(after)


def add_allowed(environment: Environment, entry: str) -> None:
    """Add `entry` to the end of `allow` in `[network]` of the environment's file.

    Raises:
        EngineError: the file cannot be edited without changing something else, or was changed since it was loaded.
    """
    path, seen = environment.path, environment.source_text_sha256
    data = content(path)
    if sha256(data) != seen:
        raise EngineError(f"{path} was changed at this moment", "try again")
    try:
        after = changed(data, [Append(("network", "allow"), entry)])
    except EngineError as error:
        by_hand = f'add "{entry}" to allow in [network] by hand'
        raise EngineError(f"{path} is written in a way that cannot be edited safely", by_hand) from error
    store(path, after, before=seen)
