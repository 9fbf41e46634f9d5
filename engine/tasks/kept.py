"""The containers that ended turns left: stopped, kept for a follow-up (SPEC T5), given up when they are in the way."""

from __future__ import annotations

import time

from engine.cache.snapshots import KEPT, owner
from engine.containers.api import Api, Record
from engine.containers.container import Container, labelled, name_for, of_task, task_of
from engine.errors import ContainerError
from engine.tasks.work import Work

# How many of them there are at most, and for how many seconds.
_MOST, _LONGEST = 8, 12 * 3600.0


def keep(work: Work, container: Container, run: int) -> None:
    """Stop the container of an attempt whose result is safe, and keep its files for a follow-up."""
    container.stop()
    container.rename(name_for(work.id, KEPT, run))


def take(work: Work, run: int) -> Container | None:
    """The container that the attempt's last turn left, as one of this turn; None when it is not there any more."""
    name = name_for(work.id, KEPT, run)
    record = next((r for r in of_task(work.api, work.id) if f"/{name}" in r["Names"] and r["State"] == "exited"), None)
    if record is None:
        return None
    container = Container(work.api, record["Id"], record["ImageID"], work.environment.image.title)
    try:
        container.rename(name_for(work.id, "task", run))
    except ContainerError:
        # Removed this very moment.
        return None
    return container


def give_up_old(api: Api) -> None:
    """Remove those that are too old or too many."""
    for record in outdated(api):
        Container(api, record["Id"]).remove()


def outdated(api: Api) -> list[Record]:
    """Docker's records of those that are too old or too many; the oldest are."""
    found = [r for r in labelled(api, {"fumehood.owner": owner()}) if task_of(r) and f"-{KEPT}-" in r["Names"][0]]
    newest_first = sorted(found, key=lambda record: float(record["Created"]), reverse=True)
    return [
        record
        for position, record in enumerate(newest_first)
        if position >= _MOST or time.time() - float(record["Created"]) > _LONGEST
    ]
