"""Clearing up (SPEC C9, T8): images that no start can use, and what processes that died left behind.

Only this installation's own is touched: what carries its owner's label, and images only under names that it gives.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from engine.cache import snapshots
from engine.cache.decision import LABEL_ENVIRONMENT, LABEL_OWNER, why_invalid
from engine.cache.gc import Item, Removal, plan
from engine.containers import build, images
from engine.containers.container import Container, labelled, role_of, task_of
from engine.containers.endpoint import translated
from engine.durations import words
from engine.errors import ContainerError, EngineError, UsageError
from engine.state import Lock, state_dir, tasks_dir, write_atomic
from engine.tasks import image as own_image
from engine.tasks import kept, recovery, standby, trash
from engine.tasks.spec import LOCK

if TYPE_CHECKING:
    from engine.containers.api import Api, Record

LIMIT_VARIABLE = "FUMEHOOD_CACHE_MAX"
DEFAULT_LIMIT = "20g"
# No snapshot lives longer (SPEC C1).
LONGEST_TTL = 12 * 3600.0
BUILD_UNUSED = 7 * 86400.0
_EVERY = 3600.0


class Removed(Struct, frozen=True):
    """Something that went, or would go: what it was, why, and the bytes it gave back."""

    kind: str
    name: str
    reason: str
    size_bytes: int


class Report(Struct, frozen=True):
    """What a collection did: `left_bytes` is what all our images still add to the disk, `notes` what stays and why."""

    removed: tuple[Removed, ...]
    notes: tuple[str, ...]
    left_bytes: int
    limit_bytes: int

    @property
    def freed_bytes(self) -> int:
        """What everything that went gave back."""
        return sum(item.size_bytes for item in self.removed)


def limit_bytes(written: str | None = None) -> int:
    """The size cap: as `written`, else that of the environment variable, else the default.

    Raises:
        UsageError: it is no size.
    """
    import os

    from engine.environment.kinds import BadValue
    from engine.environment.values import parse_size

    text = written or os.environ.get(LIMIT_VARIABLE) or DEFAULT_LIMIT
    try:
        return parse_size(text)
    except BadValue as error:
        where = "--max-size" if written else LIMIT_VARIABLE
        raise UsageError(f"{where}: {error.message}", error.hint) from error


def collect_if_due() -> Report | None:
    """Collect if nobody has for an hour; None when it is not due, or somebody else does it now.

    Raises:
        EngineError: the engine cannot be asked, or the limit is unreadable.
    """
    from engine.containers.endpoint import connect

    stamp = state_dir() / "collected"
    try:
        if time.time() - stamp.stat().st_mtime < _EVERY:
            return None
    except FileNotFoundError:
        write_atomic(stamp, "")
        return None
    lock = Lock(state_dir() / "locks" / "collect.lock")
    if not lock.try_acquire():
        return None
    try:
        write_atomic(stamp, "")
        return collect(connect(), max_bytes=limit_bytes())
    finally:
        lock.release()


def after_task() -> None:
    """What a supervisor does when its task has ended: it collects, or only gives up containers kept for too long.

    What comes of it goes to the log of supervisors.
    """
    from engine.containers.endpoint import connect

    def say(text: str) -> None:
        print(f"{time.strftime('%F %T')} collecting: {text}", file=sys.stderr, flush=True)

    try:
        report = collect_if_due()
        if report is None:
            kept.give_up_old(connect())
    except EngineError as error:
        say(error.message)
        return
    for removed in report.removed if report else ():
        say(f"{removed.kind} {removed.name}: {removed.reason}, {removed.size_bytes} bytes")


def collect(
    api: Api,
    *,
    max_bytes: int,
    max_age: float | None = None,
    dry_run: bool = False,
    ttls: Mapping[str, float] | None = None,
) -> Report:
    """Remove what nothing needs: containers of work that has ended, then images (see `engine.cache.gc.plan`).

    Tasks that were removed long enough ago go for good, too.

    Args:
        max_age: seconds after which a snapshot goes even if a start could use it.
        dry_run: only say what would go.
        ttls: how long snapshots live, by environment id; the longest that any may when not given.

    Raises:
        ContainerError: the engine cannot be asked.
    """
    now = time.time()
    notes: list[str] = []
    if not dry_run:
        trash.empty()
    removed = list(_containers(api, dry_run, notes))
    items = _items(api, now, ttls or {})
    left = sum(item.size_bytes for item in items)
    for removal in plan(items, now=now, max_bytes=max_bytes, max_age=max_age):
        if dry_run or _remove(api, removal):
            removed.append(Removed(removal.item.kind, removal.item.name, removal.reason, removal.item.size_bytes))
            left -= removal.item.size_bytes
    return Report(tuple(removed), tuple(notes), left, max_bytes)


def used_bytes(api: Api) -> int:
    """What all images of this owner add to the engine's disk together.

    Raises:
        ContainerError: the engine cannot be asked.
    """
    return sum(item.size_bytes for item in _items(api, time.time(), {}))


# -- images ------------------------------------------------------------------------------------------------------------


def _items(api: Api, now: float, ttls: Mapping[str, float]) -> list[Item]:
    with translated("listing containers"):
        containers = api.containers([])
    used = {record["ImageID"] for record in containers if not snapshots.is_kept(record)}
    kept_of = {record["ImageID"] for record in containers if snapshots.is_kept(record)}
    found = images.everything(api)
    there = {image.id for image in found}
    items = (
        _item(api, image, now, ttls, there) for image in found if image.labels.get(LABEL_OWNER) == snapshots.owner()
    )

    def in_use(item: Item) -> bool:
        # A task base was made for nobody else; with it the files of its interrupted task would go.
        return item.in_use or item.image in used or (item.kind == "task base" and item.image in kept_of)

    return [replace(item, in_use=in_use(item)) for item in items if item]


def _item(api: Api, image: images.Image, now: float, ttls: Mapping[str, float], there: set[str]) -> Item | None:
    """What an image of this owner is; None when somebody made it from ours, and it is theirs."""
    environment, role = image.labels.get(LABEL_ENVIRONMENT, ""), image.labels.get(snapshots.LABEL_ROLE, "")
    name = image.names[0] if image.names else image.id[7:19]
    made = image.created
    if role == snapshots.ROLE_BUILD:
        if not image.names or not all(n.startswith(f"{build.repository(environment)}:") for n in image.names):
            return None
        dead = _why_unbuilt(environment, image, now)
        return Item(image.id, "build", environment, name, image.parent, made, made, image.added, dead=dead)
    if not snapshots.stored_by_us(api, image):
        return None
    if role == "base":
        task = name.rpartition(":task-")[2]
        live = Lock(tasks_dir() / task / LOCK).held_elsewhere()
        dead = "" if live else "its task has ended"
        return Item(image.id, "task base", environment, name, image.parent, made, made, image.added, live, dead)
    snapshot = snapshots.of_image(api, image)
    if snapshot is None:
        why = "made by another version"
        return Item(image.id, "snapshot", environment, name, image.parent, made, made, image.added, dead=why)
    reset_at = snapshots.reset_time(environment)
    dead = why_invalid(snapshot, now, ttls.get(environment, LONGEST_TTL), reset_at)
    if not dead and snapshot.root and snapshot.root not in there:
        dead = "what it was refreshed from is gone"
    at, changed = snapshot.created_at, snapshot.changed_at
    return Item(image.id, "snapshot", environment, name, image.parent, at, changed, image.added, dead=dead)


def _why_unbuilt(environment: str, image: images.Image, now: float) -> str:
    """Why an environment's own image is no longer needed; empty when it is."""
    use = own_image.last_use(environment)
    if use is None:
        return "nothing is known of its use"
    if use.image != image.id:
        return "its Dockerfile or context changed"
    if not use.environment.exists():
        return f"{use.environment} is gone"
    return f"not used for {words(now - use.at)}" if now - use.at > BUILD_UNUSED else ""


def _remove(api: Api, removal: Removal) -> bool:
    """Remove an image, unless somebody is about to use it."""
    item = removal.item
    locks = [Lock(snapshots.lock_path(item.environment))]
    if item.kind == "build":
        locks.append(Lock(own_image.lock_path(item.environment)))
    try:
        return all(lock.try_acquire() for lock in locks) and snapshots.remove(api, item.image)
    finally:
        for lock in locks:
            lock.release()


# -- containers --------------------------------------------------------------------------------------------------------


def _containers(api: Api, dry_run: bool, notes: list[str]) -> Iterator[Removed]:
    """Remove containers that nobody tends: of tasks that have ended, of a keeper that is gone."""
    from engine.keeper.clients import keeper_dir

    # Held meanwhile, so that no keeper begins with what is being removed.
    keeper = Lock(keeper_dir() / "lock")
    alone = keeper.try_acquire()
    try:
        outdated = {record["Id"] for record in kept.outdated(api)}
        for record in recovery.relays_first(labelled(api, {LABEL_OWNER: snapshots.owner()})):
            task = task_of(record)
            if record["Id"] in outdated:
                reason = "kept for a follow-up for too long"
            elif task and (tasks_dir() / task).is_dir():
                reason = _why_ended(task, record, notes)
            elif trash.holds(task):
                continue
            else:
                reason = "nobody is at the bench any more" if alone else ""
            if not reason:
                continue
            container = Container(api, record["Id"])
            name = record["Names"][0].lstrip("/") if record["Names"] else record["Id"][:12]
            size = _weight(container)
            if not dry_run:
                _end(task)
                container.remove()
            yield Removed("container", name, reason, size)
        if not dry_run:
            recovery.reconcile()
        if alone and not dry_run:
            standby.remove_all(api)
    finally:
        keeper.release()


def _weight(container: Container) -> int:
    """What a container has written; nothing when it went away by itself."""
    try:
        return container.written()
    except ContainerError:
        return 0


def _end(task: str) -> None:
    """Write down that a task whose supervisor died has ended, if that is why its container goes."""
    from engine.tasks.journal import read_all
    from engine.tasks.model import fold

    folder = tasks_dir() / task
    if task and folder.is_dir():
        state = fold(task, read_all(folder))
        if recovery.abandoned(folder, state):
            recovery.mark_interrupted(folder, state)


def _why_ended(task: str, record: Record, notes: list[str]) -> str:
    """Why a container of a task is to go; empty when it may be in use, or was kept for its user."""
    from engine.tasks.journal import read_all
    from engine.tasks.model import fold

    folder = tasks_dir() / task
    if Lock(folder / LOCK).held_elsewhere():
        return ""
    state = fold(task, read_all(folder))
    if role_of(record)[0] == kept.REFUSED:
        name = record["Names"][0].lstrip("/")
        notes.append(f"container {name} holds the files of a result that was refused; `docker rm {name}` removes it")
    dead = recovery.abandoned(folder, state)
    if not (dead or state.finished) or recovery.fate(record, state) != "goes":
        return ""
    return "its task was interrupted" if dead else "its task has ended"
