"""Images: finding, pulling with progress, listing and removing them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import docker

from engine.containers.container import LABEL
from engine.containers.endpoint import translated
from engine.errors import ContainerError


@dataclass(frozen=True, slots=True)
class Image:
    """An image the engine has: full id, names, size in bytes, labels, creation as Unix seconds."""

    id: str
    names: tuple[str, ...]
    size: int
    created: float
    labels: Mapping[str, str]


def find(client: docker.APIClient, name: str) -> str | None:
    """The id of a local image by name or id; None when the engine does not have it."""
    with translated(f"looking for image {name}"):
        try:
            return str(client.inspect_image(name)["Id"])
        except docker.errors.ImageNotFound:
            return None
        except docker.errors.APIError as error:
            if error.status_code == 400:
                raise ContainerError(f"{name!r} is no image name", "write it as docker does: name:tag") from error
            raise


def pull(client: docker.APIClient, name: str, progress: Callable[[str], None]) -> str:
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
        for line in client.pull(repository, tag=tag, stream=True, decode=True):
            if "error" in line:
                raise ContainerError(f"pulling image {name}: {line['error']}", hint)
            layer, status = line.get("id", ""), line.get("status", "")
            if seen.get(layer) != status:
                seen[layer] = status
                progress(f"{layer}: {status}" if layer else status)
    found = find(client, name)
    if found is None:
        raise ContainerError(f"image {name} was pulled but is not there", hint)
    return found


def snapshots(client: docker.APIClient, labels: Mapping[str, str]) -> list[Image]:
    """The images of ours that carry these labels (value "" = any value), newest first."""
    filters = {"label": [LABEL, *(f"{k}={v}" if v else k for k, v in labels.items())]}
    return _list(client, filters)


def all_images(client: docker.APIClient) -> list[Image]:
    """Every named or labelled image of the engine, newest first."""
    return _list(client, {"dangling": False})


def _list(client: docker.APIClient, filters: Mapping[str, Any]) -> list[Image]:
    with translated("listing images"):
        found = client.images(filters=dict(filters))
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


def layer_size(client: docker.APIClient, image: str) -> int:
    """Bytes that this image adds to the one it was made from."""
    with translated("reading the snapshot's size"):
        history = client.history(image)
    return int(history[0]["Size"]) if history else 0


def remove(client: docker.APIClient, image: str) -> bool:
    """Remove an image; False when a container still uses it or it is gone."""
    try:
        client.remove_image(image, force=False, noprune=False)
    except docker.errors.APIError as error:
        if error.status_code in (404, 409):
            return False
        raise ContainerError(f"removing image {image[:19]}: {error.explanation}") from error
    return True
