"""The keeper, which prepares environments between tasks: asking it, and reading what it did."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import UsageError
from engine.state import Lock

if TYPE_CHECKING:
    from engine.environment.model import Environment
    from engine.keeper.clients import Client
    from engine.tasks.events import Kept


class Keeper:
    """The keeper of this user, from outside its process."""

    def open(self, environments: Iterable[Path]) -> Client:
        """Let the keeper take care of these environment files until the client that is returned is closed (SPEC C5).

        Trust is not given by this: a file that is not trusted is only waited for.
        """
        from engine.keeper.clients import Client

        client = Client(environments)
        client.ensure_keeper()
        return client

    def rebuild(self, environment: Environment) -> str:
        """Have the keeper run setup again in the background; the snapshot there is holds until the new one does.

        Raises:
            UsageError: the cache is off, or no keeper takes care of the environment.
            Untrusted: the user has not agreed to the content of the environment's file.
        """
        from engine.environment.trust import require
        from engine.keeper import rebuilds
        from engine.keeper.clients import open_environments

        require(environment)
        name = environment.name
        if not environment.cache.enabled:
            raise UsageError(f"the cache is off for {name}", "set enabled = true in [cache]")
        if not self.lives() or environment.path not in open_environments():
            raise UsageError(f"nobody takes care of {name}", "open it with `fumehood watch`, or wait a moment")
        rebuilds.ask(environment.id)
        return f"{name}: setup runs again; the snapshot there is holds until the new one does"

    def events(self, offset: int = 0) -> tuple[list[Kept], int]:
        """What the keeper did, after byte `offset` of its journal, and the offset to go on from."""
        from engine.keeper.clients import keeper_dir
        from engine.tasks.events import Kept
        from engine.tasks.journal import read

        events, after = read(keeper_dir(), offset)
        return [event for event in events if isinstance(event, Kept)], after

    def journal_size(self) -> int:
        """The size of the keeper's journal: while it stays, `events` has nothing new."""
        from engine.keeper.clients import keeper_dir
        from engine.tasks.journal import JOURNAL

        try:
            return (keeper_dir() / JOURNAL).stat().st_size
        except FileNotFoundError:
            return 0

    def lives(self) -> bool:
        """Whether there is a keeper: what its journal says has begun goes on."""
        from engine.keeper.clients import keeper_dir

        return Lock(keeper_dir() / "lock").held_elsewhere()

    def stands_by(self, environment: Environment) -> bool:
        """Whether a container stands by for the environment's next task."""
        from engine.tasks.standby import folder

        return (folder() / environment.id).exists()

    def job_folder(self, job: str) -> Path:
        """The folder of a refresh or rebuild, with a journal and the output of its commands, as a task's."""
        from engine.keeper.clients import keeper_dir

        return keeper_dir() / "jobs" / job
