"""Images: finding, pulling with progress, listing and removing them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

from msgspec import Struct
from msgspec.structs import replace

from engine.containers.api import Api, Refused
from engine.containers.container import LABEL
from engine.containers.endpoint import translated
from engine.errors import ContainerError


class Image(Struct, frozen=True):
    """An image the engine has: full id, names, size in bytes, labels, creation as Unix seconds.

    `parent` is the id of the image it was made from here, empty when none is known; `added` the bytes it adds to that.
    """

    id: str
    names: tuple[str, ...]
    size: int
    created: float
    labels: Mapping[str, str]
    parent: str = ""
    added: int = 0


def find(api: Api, name: str) -> str | None:
    """The id of a local image by name or id; None when the engine does not have it."""
    try:
        with translated(f"looking for image {name}"):
            return str(api.image(name)["Id"])
    except ContainerError as error:
        cause = error.__cause__
        if isinstance(cause, Refused) and cause.status == 404:
            return None
        if isinstance(cause, Refused) and cause.status == 400:
            raise ContainerError(f"{name!r} is no image name", "write it as docker does: name:tag") from error
        raise


def comment(api: Api, image: str) -> str:
    """What was noted when an image was made; images made on top of it do not have it, nor has one that is gone."""
    try:
        with translated(f"reading image {image[:19]}"):
            return str(api.image(image).get("Comment") or "")
    except ContainerError as error:
        if isinstance(error.__cause__, Refused) and error.__cause__.status == 404:
            return ""
        raise


def foreign(api: Api, image: str) -> str:
    """That an image is made for another kind of machine than the engine's, as the end of a sentence; else empty."""
    with translated(f"reading image {image[:19]}"):
        made, here = api.image(image).get("Architecture", ""), api.version().get("Arch", "")
    return f"is made for {made}, the container engine runs on {here}" if made and here and made != here else ""


def pull(api: Api, name: str, progress: Callable[[str], None], check: Callable[[], None]) -> str:
    """Pull an image and return its id.

    Args:
        progress: gets a line now and then, once a second at most.
        check: called a few times a second; what it raises ends the pull.

    Raises:
        ContainerError: the registry refuses, cannot be reached, or does not have it; or the disk is too small.
    """
    from engine.containers.disk import refuse_to_fill
    from engine.containers.endpoint import pull_credentials
    from engine.containers.progress import Layers, Pace

    hint = "check the name; without a registry use `fumehood image bootstrap` and its image"
    repository, at, tag = name.partition("@")
    if not at:
        colon = name.rfind(":")
        repository, tag = (name[:colon], name[colon + 1 :]) if colon > name.rfind("/") else (name, "latest")
    layers, pace = Layers(), Pace(progress)
    progress(f"pulling image {name}")
    credentials = pull_credentials(name)
    with translated(f"pulling image {name}", hint), closing(api.pull(repository, tag, credentials)) as messages:
        for message in messages:
            check()
            if message and "error" in message:
                raise ContainerError(f"pulling image {name}: {message['error']}", hint)
            if message:
                layers.feed(message)
            if pace.due():
                refuse_to_fill(api, layers.needed, f"image {name}")
                pace.say(f"pulling image {name}: {layers}")
    found = find(api, name)
    if found is None:
        raise ContainerError(f"image {name} was pulled but is not there", hint)
    return found


def labelled(api: Api, labels: Mapping[str, str]) -> list[Image]:
    """The images of ours that carry these labels (value "" = any value), newest first."""
    filters = {"label": [LABEL, *(f"{k}={v}" if v else k for k, v in labels.items())]}
    return _list(api, filters)


def everything(api: Api) -> list[Image]:
    """Every image of the engine, newest first, with what it adds to its parent; without the steps between the two."""
    records = {image.id: image for image in _list(api, {}, everything=True)}

    def whole(image: Image | None) -> bool:
        return image is None or bool(image.names) or LABEL in image.labels

    def with_parent(image: Image) -> Image:
        parent = records.get(image.parent)
        while not whole(parent):
            assert parent is not None
            parent = records.get(parent.parent)
        if parent is None:
            return replace(image, parent="", added=image.size)
        return replace(image, parent=parent.id, added=max(0, image.size - parent.size))

    return [with_parent(image) for image in records.values() if whole(image)]


def _list(api: Api, filters: Mapping[str, Sequence[str]], *, everything: bool = False) -> list[Image]:
    with translated("listing images"):
        found = api.images(filters, everything=everything)
    images = [
        Image(
            record["Id"],
            tuple(name for name in record.get("RepoTags") or () if name != "<none>:<none>"),
            int(record["Size"]),
            float(record["Created"]),
            record.get("Labels") or {},
            record.get("ParentId") or "",
        )
        for record in found
    ]
    return sorted(images, key=lambda image: image.created, reverse=True)


def remove(api: Api, image: str) -> bool:
    """Remove an image; False when a container still uses it or it is gone."""
    try:
        with translated(f"removing image {image[:19]}"):
            api.remove_image(image)
    except ContainerError as error:
        if isinstance(error.__cause__, Refused) and error.__cause__.status in (404, 409):
            return False
        raise
    return True
