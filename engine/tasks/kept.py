"""The containers that turns left: stopped, kept for a follow-up (SPEC T5, T8), given up when they are in the way."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from engine.cache.snapshots import KEPT, owner
from engine.containers.api import Api, Record
from engine.containers.container import Container, labelled, name_for, of_task, role_of, task_of
from engine.errors import ContainerError

if TYPE_CHECKING:
    from engine.tasks.work import Work

TASK, AGAIN, REFUSED = "task", "again", "refused"
"""Roles of an agent's containers: of its first turn, of a follow-up in it, and with a result that was refused."""
# How many of them there are at most, and for how many seconds.
_MOST, _LONGEST = 8, 12 * 3600.0


def keep(container: Container, task: str, run: int, role: str = KEPT) -> None:
    """Stop the container of an attempt and keep its files: for a follow-up, or `REFUSED`, for the user's own eyes."""
    container.stop()
    container.rename(name_for(task, role, run))


def there(api: Api, task: str, run: int) -> Record | None:
    """Docker's record of the container that an attempt's last turn left; None when it is not there any more."""
    return next((r for r in of_task(api, task) if role_of(r) == (KEPT, run) and r["State"] == "exited"), None)


def take(work: Work, run: int) -> Container | None:
    """The container that the attempt's last turn left, as one of this turn; None when it is not there any more."""
    record = there(work.api, work.id, run)
    if record is None:
        return None
    container = Container(work.api, record["Id"], record["ImageID"], work.environment.image.title, work.stop.event)
    try:
        container.rename(name_for(work.id, AGAIN, run))
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
    found = [r for r in labelled(api, {"fumehood.owner": owner()}) if task_of(r) and role_of(r)[0] == KEPT]
    newest_first = sorted(found, key=lambda record: float(record["Created"]), reverse=True)
    return [
        record
        for position, record in enumerate(newest_first)
        if position >= _MOST or time.time() - float(record["Created"]) > _LONGEST
    ]
