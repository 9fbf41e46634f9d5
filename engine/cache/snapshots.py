"""The store of snapshots: docker's images and their labels, nothing else (DESIGN decision 2)."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.cache.decision import (
    LABEL_ENVIRONMENT,
    LABEL_OWNER,
    Explanation,
    Snapshot,
    decide,
    from_labels,
    to_labels,
)
from engine.cache.key import Key
from engine.containers import images
from engine.containers.api import Api, Record
from engine.containers.container import COMMENT, Container, labelled, task_of
from engine.errors import EngineError
from engine.repository.watched import digest
from engine.state import local_key, state_dir, write_atomic

if TYPE_CHECKING:
    from pathlib import Path

    from engine.environment.model import Environment

LABEL_ROLE, ROLE_BUILD = "fumehood.role", "build"
# The role of a container that a task's last turn left, for a follow-up.
KEPT = "kept"
# How many refreshed states of one setup are kept: of the branch, and of what is being edited.
REFRESHED_KEPT = 3


def owner() -> str:
    """What marks containers and images as this installation's; two users of one engine never meet."""
    return hmac.new(local_key(), b"owner", hashlib.sha256).hexdigest()[:16]


def lock_path(environment_id: str) -> Path:
    """The lock under which one process at a time builds this environment's snapshot (SPEC section 4)."""
    return state_dir() / "locks" / f"{environment_id}.lock"


def of_environment(api: Api, environment_id: str) -> list[Snapshot]:
    """The snapshots of one environment."""
    return _snapshots(api, {LABEL_OWNER: owner(), LABEL_ENVIRONMENT: environment_id})


def everything(api: Api) -> list[Snapshot]:
    """Every snapshot of this installation, newest first."""
    return _snapshots(api, {LABEL_OWNER: owner()})


def _snapshots(api: Api, labels: dict[str, str]) -> list[Snapshot]:
    found = (of_image(api, image) for image in images.labelled(api, labels))
    return sorted((s for s in found if s), key=lambda snapshot: snapshot.changed_at, reverse=True)


def of_image(api: Api, image: images.Image) -> Snapshot | None:
    """The snapshot that an image is; None for any other."""
    if image.labels.get(LABEL_ROLE) == ROLE_BUILD or not stored_by_us(api, image):
        return None
    return from_labels(image.id, image.size, image.labels)


def stored_by_us(api: Api, image: images.Image) -> bool:
    """Whether an image with our labels was stored by `store`, not made by somebody from one that was, or in it.

    Such images inherit the labels: they may hold anything, and are their maker's.
    """
    if image.names:
        repository = f"fumehood/{image.labels.get(LABEL_ENVIRONMENT, '')}"
        return all(name.startswith(f"{repository}:") for name in image.names)
    # One that lost its name to a later one with the same key.
    return images.comment(api, image.id) == COMMENT


def explain(api: Api, environment: Environment, key: Key, watched: Mapping[str, str] | None = None) -> Explanation:
    """What a start now would do, and why (SPEC C3); asks docker once, starts nothing. `watched`: as `decide`."""
    return decide(
        of_environment(api, environment.id),
        key,
        now=time.time(),
        ttl=environment.cache.ttl,
        reset_at=reset_time(environment.id),
        enabled=environment.cache.enabled,
        watched=watched,
    )


def store(container: Container, snapshot: Snapshot) -> Snapshot:
    """Commit the container as `snapshot`; returns it with its image id.

    Raises:
        ContainerError: the engine cannot store it, for want of room perhaps.
    """
    tag = snapshot.key.digest[:12]
    if snapshot.maintained and snapshot.root:
        tag = f"{tag}-{digest(snapshot.maintained.files)[:8]}"
    image = container.commit(f"fumehood/{snapshot.environment}", tag, to_labels(snapshot, owner()))
    return replace(snapshot, image=image)


def reset(environment_id: str, at: float | None = None) -> None:
    """From now on no snapshot made before `at` (Unix seconds; now) is used (SPEC C4); running tasks keep theirs."""
    write_atomic(_reset_path(environment_id), repr(time.time() if at is None else at))


def reset_time(environment_id: str) -> float | None:
    """When the environment's cache was last reset, in Unix seconds."""
    path = _reset_path(environment_id)
    try:
        return float(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise EngineError(f"{path} is unusable: {error}", "remove it; the cache is then as if never reset") from error


def reset_folder() -> Path:
    """Where it is noted when an environment's cache was reset: one file for each."""
    return state_dir() / "resets"


def _reset_path(environment_id: str) -> Path:
    return reset_folder() / environment_id


def remove_outdated(api: Api, environment: Environment, key: Key, keep: str) -> list[Snapshot]:
    """Remove this environment's snapshots that no start can use any more, unless a container still does (SPEC C2).

    Of the refreshed ones, the newest few stay, and what they were refreshed from, for the next refresh. The image
    `keep` stays even if a reset came while it was made: a task is about to start from it.
    """
    now, reset_at = time.time(), reset_time(environment.id)
    found = of_environment(api, environment.id)

    def usable(snapshot: Snapshot) -> bool:
        alone = decide([snapshot], key, now=now, ttl=environment.cache.ttl, reset_at=reset_at, enabled=True)
        return alone.result == "hit" or snapshot.image == keep

    roots = {s.image: s.root for s in found if s.root and usable(s)}
    refreshed = dict(list(roots.items())[:REFRESHED_KEPT])
    needed = {keep, *refreshed, *refreshed.values()}
    needed |= {s.image for s in found if s.image not in roots and usable(s)}
    return [s for s in found if s.image not in needed and remove(api, s.image)]


def remove(api: Api, image: str) -> bool:
    """Remove a snapshot, with the containers of it that are only kept for a follow-up; False while one is in use."""
    for record in labelled(api, {LABEL_OWNER: owner()}):
        if record["ImageID"] == image and is_kept(record):
            Container(api, record["Id"]).remove()
    return images.remove(api, image)


def is_kept(record: Record) -> bool:
    """Whether a container is only kept for a follow-up."""
    return bool(task_of(record)) and f"-{KEPT}-" in record["Names"][0] and record["State"] == "exited"


def users(api: Api, snapshots: Sequence[Snapshot]) -> dict[str, list[str]]:
    """Image id -> the tasks whose containers were made from it."""
    using: dict[str, list[str]] = {snapshot.image: [] for snapshot in snapshots}
    for record in labelled(api, {LABEL_OWNER: owner()}):
        task = task_of(record)
        known = record["ImageID"] in using and not is_kept(record)
        if known and task and task not in using[record["ImageID"]]:
            using[record["ImageID"]].append(task)
    return using
