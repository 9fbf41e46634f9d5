"""The cache: what a start would find in it, what is in it, what goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from engine.errors import UsageError
from engine.state import Lock

if TYPE_CHECKING:
    from engine.bench.environments import Environments
    from engine.cache.decision import Explanation, Snapshot
    from engine.environment.model import Environment
    from engine.tasks.garbage import Report


class CacheEntry(NamedTuple):
    """A snapshot, when it expires (Unix seconds), the tasks that use it, and the bytes it adds to what it stands on."""

    snapshot: Snapshot
    expires_at: float
    in_use_by: tuple[str, ...]
    size_bytes: int


class Cache:
    """The snapshots of this user."""

    def __init__(self, environments: Environments) -> None:
        self._environments = environments

    def explain(self, environment: Environment) -> Explanation:
        """What a start now would find in the cache, and why (SPEC C3); starts nothing."""
        from engine.cache import snapshots
        from engine.cache.decision import Explanation as Decided
        from engine.containers.endpoint import connect
        from engine.environment.trust import trusted
        from engine.repository.source import Source
        from engine.tasks.image import present
        from engine.tasks.inputs import Inputs
        from engine.tasks.secrets import secret_values

        source = Source.of(environment)
        if source.kind == "remote" and not trusted(environment):
            return Decided("miss", "its file is not trusted yet, so the address it names is not asked", "")
        api = connect()
        image = present(api, environment)
        if image is None:
            return Decided("miss", f"image {environment.image.title} is not there yet", "")
        inputs = Inputs(environment, source)
        key = inputs.key(image, secret_values(environment))
        return snapshots.explain(api, environment, key, inputs.watched)

    def list(self) -> Sequence[CacheEntry]:
        """Every snapshot of this user, newest first."""
        from engine.cache import snapshots
        from engine.containers import images
        from engine.containers.endpoint import connect

        api = connect()
        found = snapshots.everything(api)
        using = snapshots.users(api, found)
        added = {image.id: image.added for image in images.everything(api)}
        ttls = self._ttls()
        return [
            CacheEntry(
                snapshot=snapshot,
                expires_at=snapshot.created_at + ttls.get(snapshot.environment, 12 * 3600),
                in_use_by=tuple(using[snapshot.image]),
                size_bytes=added.get(snapshot.image, 0),
            )
            for snapshot in found
        ]

    def gc(self, *, max_size: str | None = None, max_age: str | None = None, dry_run: bool = False) -> Report:
        """Remove snapshots and images that nothing needs, and what dead processes left (SPEC C9).

        Args:
            max_size: all that is kept together is to be no larger, such as `20g`; the default when not given.
            max_age: snapshots of this age go in any case, such as `6h`.
            dry_run: only say what would go.

        Raises:
            UsageError: the size or the age cannot be read; ContainerError: the engine cannot be asked.
        """
        from engine.containers.endpoint import connect
        from engine.environment.kinds import BadValue
        from engine.environment.values import parse_duration
        from engine.tasks import garbage

        limit = garbage.limit_bytes(max_size)
        try:
            age = parse_duration(max_age) if max_age is not None else None
        except BadValue as error:
            raise UsageError(f"--max-age: {error.message}", error.hint) from error
        return garbage.collect(connect(), max_bytes=limit, max_age=age, dry_run=dry_run, ttls=self._ttls())

    def use(self) -> tuple[int, int]:
        """Bytes that all images of this user add to the disk, and those they may (SPEC C9).

        Raises:
            EngineError: the engine cannot be asked, or the limit is unreadable.
        """
        from engine.containers.endpoint import connect
        from engine.tasks import garbage

        return garbage.used_bytes(connect()), garbage.limit_bytes()

    def reset(self, environment: Environment) -> str:
        """Invalidate the environment's snapshots (SPEC C4); returns what happened in one line."""
        from engine.cache import snapshots
        from engine.containers.endpoint import connect

        api = connect()
        snapshots.reset(environment.id)
        found = snapshots.of_environment(api, environment.id)
        lock = Lock(snapshots.lock_path(environment.id))
        # A task that is just starting from a snapshot has the lock; what it leaves goes with the next snapshot made.
        removed = [s for s in found if snapshots.remove(api, s.image)] if lock.try_acquire() else []
        lock.release()
        if not found:
            return f"{environment.name}: there was no snapshot; the next start sets it up"
        kept = len(found) - len(removed)
        still = f", {kept} kept until the tasks that use it end" if kept else ""
        return f"{environment.name}: {len(removed)} snapshot{'s' * (len(removed) != 1)} removed{still}"

    def _ttls(self) -> dict[str, float]:
        """How long the snapshots of each environment within reach live, by its id."""
        return {
            entry.environment.id: entry.environment.cache.ttl
            for entry in self._environments.list()
            if entry.environment
        }
