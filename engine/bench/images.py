"""The images of the container engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.bench.environments import Environments
    from engine.tasks.image import Listed


class Images:
    """Images that tasks start from, and the base image."""

    def __init__(self, environments: Environments) -> None:
        self._environments = environments

    def list(self) -> Sequence[Listed]:
        """The images of the engine that are no snapshots, newest first, each with who uses it."""
        from engine.containers.endpoint import connect
        from engine.tasks.image import listed

        return listed(connect(), [entry.environment for entry in self._environments.list() if entry.environment])

    def bootstrap(self, progress: Callable[[str], None], *, suite: str | None, packages: Sequence[str]) -> str:
        """Make the base image on this machine (SPEC E8); returns its id."""
        from engine.containers.bootstrap import bootstrap as make_base

        return make_base(progress, suite=suite, extra_packages=packages)
