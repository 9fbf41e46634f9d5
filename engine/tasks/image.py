"""The image of an environment that names a Dockerfile: built when the Dockerfile or its context changed (SPEC E1)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.cache import snapshots
from engine.cache.decision import LABEL_ENVIRONMENT, LABEL_OWNER
from engine.containers import build, context, images
from engine.containers.container import LABEL, Limits
from engine.environment.model import FOLDER_NAME
from engine.errors import EngineError
from engine.state import locked, state_dir, write_atomic

if TYPE_CHECKING:
    from engine.containers.api import Api
    from engine.environment.model import Environment
    from engine.tasks.work import Work


def _uses() -> Path:
    """One file for each environment with a Dockerfile; its time is that of the last use."""
    return state_dir() / "builds"


class Use(Struct, frozen=True):
    """The last use of an environment's own image: when (Unix seconds), which image, for which environment file."""

    at: float
    image: str
    environment: Path


def last_use(environment_id: str) -> Use | None:
    """The last use of an environment's own image; None when none is known."""
    path = _uses() / environment_id
    try:
        image, _, environment = path.read_bytes().partition(b"\n")
        return Use(path.stat().st_mtime, image.decode(), Path(os.fsdecode(environment)))
    except (FileNotFoundError, ValueError):
        return None


def _note_use(environment: Environment, image: str) -> str:
    write_atomic(_uses() / environment.id, image.encode() + b"\n" + os.fsencode(environment.path))
    return image


def lock_path(environment_id: str) -> Path:
    """The lock under which one process at a time builds an environment's image."""
    return state_dir() / "locks" / f"build-{environment_id}.lock"


def context_of(environment: Environment) -> context.Context:
    """What the image is built from, as it lies beside the environment file now, committed or not.

    Raises:
        UsageError: it cannot be used.
    """
    folder = environment.directory
    root = folder.parent if folder.name == FOLDER_NAME else folder
    return context.read(folder / environment.image.build, root)


def present(api: Api, environment: Environment) -> str | None:
    """The id of the environment's image, named or built, if the engine has it now."""
    name = environment.image.name
    if environment.image.build:
        name = build.tag(api, environment.id, context_of(environment))
    return images.find(api, name)


class Listed(Struct, frozen=True):
    """An image, the environments that start from it, and those whose snapshots stand on it, by name."""

    image: images.Image
    environments: tuple[str, ...]
    snapshots: tuple[str, ...]


def listed(api: Api, environments: Iterable[Environment]) -> list[Listed]:
    """The named images of the engine that are no snapshots, newest first, each with who of `environments` uses it."""
    naming: dict[str, list[str]] = {}
    for environment in environments:
        try:
            image = present(api, environment)
        except EngineError:
            # Whoever starts a task of it hears why.
            continue
        naming.setdefault(image or "", []).append(environment.name)
    found = {image.id: image for image in images.everything(api)}
    stored = {image.id: snapshot.name for image in found.values() if (snapshot := snapshots.of_image(api, image))}
    standing: dict[str, set[str]] = {}
    for identity, name in stored.items():
        while identity in stored:
            identity = found[identity].parent
        standing.setdefault(identity, set()).add(name)
    return [
        Listed(image, tuple(sorted(naming.get(image.id, ()))), tuple(sorted(standing.get(image.id, ()))))
        for image in found.values()
        if image.names and image.id not in stored
    ]


def built(work: Work) -> str:
    """The id of the image, built now when it is not there.

    Raises:
        UsageError: Dockerfile or context cannot be used; ContainerError: the build failed.
    """
    environment = work.environment
    here = context_of(environment)
    name = build.tag(work.api, environment.id, here)
    if found := images.find(work.api, name):
        return _note_use(environment, found)
    resources = environment.resources
    with locked(lock_path(environment.id), work.stop.check):
        if found := images.find(work.api, name):
            return _note_use(environment, found)
        work.note(f"building the image from {environment.image.build}")
        image = build.build(
            work.api,
            environment.id,
            here,
            labels={
                LABEL: "1",
                LABEL_OWNER: snapshots.owner(),
                snapshots.LABEL_ROLE: snapshots.ROLE_BUILD,
                LABEL_ENVIRONMENT: environment.id,
            },
            limits=Limits(resources.cpus, resources.memory, resources.pids),
            timeout=environment.setup.timeout,
            progress=work.note,
            check=work.stop.check,
        )
        build.forget_other_names(work.api, environment.id, image, name)
        return _note_use(environment, image)
