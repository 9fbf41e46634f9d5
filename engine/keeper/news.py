"""What the keeper's journal says of each environment: what runs for it, how the last run went, what it waits for."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field

from engine.tasks.events import Kept

_RUNS = ("refresh", "rebuild")


class Care(Struct):
    """One environment: the refresh or rebuild that has begun, the last one that ended, why nothing can be done."""

    running: Kept | None = None
    last: Kept | None = None
    waiting: Kept | None = None


class News(Struct):
    """Every environment by the path of its file; `apply` moves it on by one event."""

    environments: dict[str, Care] = field(default_factory=dict)

    def of(self, path: str) -> Care:
        """What is known of the environment of this file."""
        return self.environments.get(path) or Care()

    def apply(self, events: Iterable[Kept]) -> News:
        """Take events in, in the order of the journal."""
        for event in events:
            care = self.environments.setdefault(event.environment_path, Care())
            # Waiting is over as soon as anything else is told.
            care.waiting = event if event.status == "waiting" else None
            if event.action in _RUNS and event.status == "started":
                care.running = event
            elif event.action in _RUNS:
                care.running = None
                care.last = event if event.status in ("done", "failed") else care.last
        return self
