"""The package registries of a snapshot: found when setup has ended, kept in it, known again at resume (SPEC N3)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import NetworkError
from engine.network.registries import DISCOVER, Registries, parse
from engine.state import write_atomic
from engine.tasks.scripts import BASHRC, HOME

if TYPE_CHECKING:
    from engine.containers.api import Api
    from engine.containers.container import Container
    from engine.tasks.work import Work

STORED = f"{HOME}/registries"
# Every client has ten seconds for each of its few questions, side by side.
_SECONDS = 120.0


def discover(container: Container, workdir: str) -> Registries:
    """Ask the clients in a container that setup has left, and note the answer in it for its snapshot.

    Raises:
        NetworkError: a shell cannot get through the settings that setup left.
    """
    output = container.bash(DISCOVER, workdir, BASHRC, timeout=_SECONDS).out
    found = parse(output.decode("utf-8", "replace"))
    container.put(STORED, output)
    return found


def recall(container: Container) -> Registries:
    """What was found when the container's snapshot was made; to be read before anything runs in the container.

    Raises:
        NetworkError: the snapshot does not hold it.
    """
    return parse(container.get(STORED).decode("utf-8", "replace"))


def keep(work: Work, container: Container, run: int) -> None:
    """Note on the host what `recall` says: a follow-up finds the container as its agent left it, and asks here."""
    write_atomic(_kept(work, run), container.get(STORED))


def kept(work: Work, run: int) -> Registries:
    """What `keep` noted before the first turn of an attempt.

    Raises:
        NetworkError: its network was off then, so nothing was noted.
    """
    try:
        return parse(_kept(work, run).read_text("utf-8", "replace"))
    except FileNotFoundError:
        text = "the registries of this task are not known: its network was off when it began"
        raise NetworkError(text, "start a new task, or list the hosts") from None


def _kept(work: Work, run: int) -> Path:
    return work.folder / "attempts" / str(run) / "registries"


def of_image(api: Api, image: str) -> Registries:
    """As `recall`, of a snapshot with this image id, through a container that is never started."""
    from engine.cache.snapshots import owner
    from engine.containers.container import Limits, Spec, create

    labels = {"fumehood.owner": owner(), "fumehood.role": "look"}
    name = f"fumehood-look-{os.urandom(6).hex()}"
    container = create(api, Spec(image, name, "of the snapshot", labels, Limits(1, 64 << 20, 8)))
    try:
        return recall(container)
    finally:
        container.remove()
