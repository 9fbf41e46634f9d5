"""What the phases of one piece of work share: its folder, its recorder, the engine's client, its repository."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cache.snapshots import owner
from engine.containers.api import Api
from engine.containers.container import Container, Limits, Mount, Spec, name_for
from engine.errors import EngineError, Lost, interrupts
from engine.tasks import events as ev
from engine.tasks.inputs import Checkout, Inputs, fetched
from engine.tasks.recorder import Recorder
from engine.tasks.stop import Order

if TYPE_CHECKING:
    from engine.secrets.secret import Secret


@dataclass(slots=True)
class Work(Inputs):
    """Phases run in containers of one environment, and recorded in one folder: a task, or a refresh of its snapshot.

    `branch` is the branch, tag or sha to work on, empty for the default branch; `agent` who works, empty for the
    environment's.
    """

    id: str
    folder: Path
    branch: str
    recorder: Recorder
    api: Api
    stop: Order
    secrets: Mapping[str, Secret]
    agent: str = ""
    _fetched: Future[Checkout] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _placeholders: dict[str, str] = field(default_factory=dict)

    @property
    def repository_dir(self) -> str:
        """The repository's top folder in the container."""
        return f"/workspace/{self.source.name}"

    @property
    def workdir(self) -> str:
        """Where scripts and agents work: the folder of the repository that the environment names."""
        below = self.source.subdirectory
        return f"{self.repository_dir}/{below}" if below else self.repository_dir

    def fetch(self) -> None:
        """Bring the mirror up to date and find the commits, beside whatever else is done meanwhile; once."""
        with self._lock:
            if self._fetched is None:
                pool = ThreadPoolExecutor(1, thread_name_prefix="repository")
                self._fetched = pool.submit(fetched, self.environment, self.source, self.branch, self.stop.check)
                pool.shutdown(wait=False)

    @property
    def checkout(self) -> Checkout:
        """The repository, once it is fetched.

        Raises:
            RepositoryError: it cannot be read, or has no such commit.
        """
        self.fetch()
        assert self._fetched is not None
        return self._fetched.result()

    def placeholder(self, secret: str) -> str:
        """What the containers of this task see in place of a network secret (SPEC N5)."""
        from engine.network.credentials import new_placeholder

        with self._lock:
            return self._placeholders.setdefault(secret, new_placeholder(secret))

    def note(self, text: str) -> None:
        """Say in the journal what is going on."""
        self.recorder.emit(ev.Notice(level="info", text=text))

    def labels(self, role: str, run: int) -> dict[str, str]:
        """The labels of a container of this work; what task it belongs to, its name says."""
        return {
            "fumehood.owner": owner(),
            "fumehood.role": role,
            "fumehood.run": str(run),
            "fumehood.environment": self.environment.id,
        }

    def container_spec(
        self, image: str, role: str, run: int, mounts: Sequence[Mount] = (), *, boots: bool = False
    ) -> Spec:
        """A container of this work: the environment's limits and variables, no network."""
        resources = self.environment.resources
        return Spec(
            image=image,
            name=name_for(self.id, role, run),
            image_name=self.environment.image.title,
            labels=self.labels(role, run),
            limits=Limits(resources.cpus, resources.memory, resources.pids),
            env=self.variables(),
            mounts=mounts,
            boots=boots,
        )

    def agent_container_spec(self, image: str, role: str, run: int) -> Spec:
        """A container that an agent is to work in, with what that has to find there; it boots."""
        from engine.agents import mounts

        return self.container_spec(image, role, run, mounts(self.environment, self.agent), boots=True)

    def variables(self) -> Mapping[str, str]:
        """What every process in the containers has in its environment."""
        from engine.tasks.scripts import BASHRC

        chosen = {f"CODEX_ENV_{tool.upper()}_VERSION": version for tool, version in self.environment.versions.items()}
        return {"BASH_ENV": BASHRC, **chosen, **self.environment.variables}


@contextmanager
def undisturbed(work: Work, container: Container) -> Iterator[None]:
    """A step in the block that failed because somebody took its container away did not fail by itself (SPEC T8).

    Raises:
        Lost: so it was.
    """
    try:
        yield
    except EngineError as error:
        if work.stop.event.is_set() or interrupts(error):
            raise
        status = container.settled()
        if status in ("created", "running"):
            raise
        removed = status in ("removing", "removed", "dead")
        what = "removed by somebody else" if removed else "stopped by somebody else, or the engine was restarted"
        raise Lost(f"the container was {what}") from error
