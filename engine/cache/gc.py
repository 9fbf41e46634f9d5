"""What of our images may go, and why (SPEC C9): a pure function of what there is, of the clock and of the limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from msgspec import Struct

from engine import sizes
from engine.durations import words

Kind = Literal["snapshot", "build", "task base"]


class Item(Struct, frozen=True):
    """An image of this installation.

    Attributes:
        environment: the environment's id; `name`: what people know it as.
        parent: the image it stands on; that one cannot go before it.
        made_at: when what it holds was made (Unix seconds); `changed_at`: when it was stored.
        size_bytes: what it adds to the image it stands on.
        in_use: a container was made of it, or somebody is about to make one.
        dead: why no start can use it any more; empty while one can.
    """

    image: str
    kind: Kind
    environment: str
    name: str
    parent: str
    made_at: float
    changed_at: float
    size_bytes: int
    in_use: bool = False
    dead: str = ""


class Removal(Struct, frozen=True):
    """An image that is to go, and why, in words."""

    item: Item
    reason: str


def plan(items: Sequence[Item], *, now: float, max_bytes: int, max_age: float | None = None) -> list[Removal]:
    """What is to go, in an order in which it can: nothing before what stands on it.

    Nothing in use is ever removed, nor what it stands on. What is dead goes; then, while all together are larger than
    `max_bytes`, the oldest first, the newest of each environment last.

    Args:
        max_age: seconds after which a snapshot is to go even if a start could use it.
    """
    reasons: dict[str, str] = {}
    for item in items:
        if item.dead:
            reasons[item.image] = item.dead
        elif max_age is not None and item.kind == "snapshot" and now - item.made_at >= max_age:
            reasons[item.image] = f"{words(now - item.made_at)} old"
    going: list[Removal] = []
    left = list(items)

    def take(wanted: Callable[[Item], bool], order: Callable[[Item], tuple[object, ...]], reason: str = "") -> bool:
        """Let one more go, if any of those wanted can."""
        carrying = {item.parent for item in left}
        able = [i for i in left if not i.in_use and i.image not in carrying and wanted(i)]
        if not able:
            return False
        item = min(able, key=order)
        left.remove(item)
        going.append(Removal(item, reason or reasons[item.image]))
        return True

    def clear() -> None:
        while take(lambda item: item.image in reasons, lambda item: (item.changed_at, item.image)):
            pass

    clear()
    newest = _newest(item for item in items if item.image not in reasons)
    over = f"the cache is larger than {sizes.words(max_bytes)}"
    while sum(item.size_bytes for item in left) > max_bytes:
        if not take(lambda item: True, lambda item: (item.image in newest, item.changed_at, item.image), over):
            break
    # What went for want of room may have been all that stood on something dead.
    clear()
    return going


def _newest(items: Iterable[Item]) -> set[str]:
    """The newest image of each kind and environment."""
    latest: dict[tuple[Kind, str], Item] = {}
    for item in sorted(items, key=lambda item: (item.changed_at, item.image)):
        latest[item.kind, item.environment] = item
    return {item.image for item in latest.values()}
