"""Images: finding, pulling with progress, listing and removing them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from engine.containers.api import Api, Refused
from engine.containers.container import LABEL
from engine.containers.endpoint import sdk, translated
from engine.errors import ContainerError


@dataclass(frozen=True, slots=True)
class Image:
    """An image the engine has: full id, names, size in bytes, labels, creation as Unix seconds."""

    id: str
    names: tuple[str, ...]
    size: int
    created: float
    labels: Mapping[str, str]


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


def pull(api: Api, name: str, progress: Callable[[str], None]) -> str:
    """Pull an image and return its id; `progress` gets a line whenever a layer's state changes.

    Raises:
        ContainerError: the registry refuses, cannot be reached, or does not have it.
    """
    hint = "check the name; without a registry use `fumehood image bootstrap` and its image"
    seen: dict[str, str] = {}
    repository, tag = name, None
    if "@" not in name and ":" not in name.rpartition("/")[2]:
        tag = "latest"
    with translated(f"pulling image {name}", hint):
        for line in sdk().pull(repository, tag=tag, stream=True, decode=True):
            if "error" in line:
                raise ContainerError(f"pulling image {name}: {line['error']}", hint)
            layer, status = line.get("id", ""), line.get("status", "")
            if seen.get(layer) != status:
                seen[layer] = status
                progress(f"{layer}: {status}" if layer else status)
    found = find(api, name)
    if found is None:
        raise ContainerError(f"image {name} was pulled but is not there", hint)
    return found


def snapshots(api: Api, labels: Mapping[str, str]) -> list[Image]:
    """The images of ours that carry these labels (value "" = any value), newest first."""
    filters = {"label": [LABEL, *(f"{k}={v}" if v else k for k, v in labels.items())]}
    return _list(api, filters)


def all_images(api: Api) -> list[Image]:
    """Every named or labelled image of the engine, newest first."""
    return _list(api, {"dangling": ["false"]})


def _list(api: Api, filters: Mapping[str, Sequence[str]]) -> list[Image]:
    with translated("listing images"):
        found = api.images(filters)
    images = [
        Image(
            record["Id"],
            tuple(record.get("RepoTags") or ()),
            int(record["Size"]),
            float(record["Created"]),
            record.get("Labels") or {},
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
