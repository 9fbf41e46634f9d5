"""What an environment does in effect: its own scripts and those of automatic setup, as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.setup.tree import Tree

if TYPE_CHECKING:
    from engine.environment.model import Environment
    from engine.setup.plan import Plan


class Effective(Struct, frozen=True):
    """The scripts that run and the files they follow.

    Attributes:
        plan: of automatic setup; None when the environment does not want it.
        setup_script: the plan's, then the environment's own, in one bash session.
        maintenance_script: likewise.
        watch: the environment's, else the files the plan follows (SPEC C5).
    """

    plan: Plan | None
    setup_script: str
    maintenance_script: str
    watch: tuple[str, ...]

    @property
    def plan_text(self) -> str:
        """All that the plan does; part of the cache key (SPEC C2). Empty without automatic setup."""
        return self.plan.setup_script if self.plan else ""


def effective(environment: Environment, tree: Callable[[], Tree], subdirectory: str) -> Effective:
    """What is in effect for an environment.

    Args:
        tree: gives the files of the repository; called only when automatic setup is wanted.
        subdirectory: the folder of the repository that the task works in.
    """
    setup, maintenance = environment.setup, environment.maintenance
    if not setup.auto:
        return Effective(None, setup.script, maintenance.script, maintenance.watch)
    from engine.setup.plan import plan

    found = plan(tree(), subdirectory)
    return Effective(
        found,
        _joined(found.setup_script, setup.script),
        _joined(found.maintenance_script, maintenance.script),
        maintenance.watch or found.watch,
    )


def _joined(automatic: str, manual: str) -> str:
    """Both in one session; the manual script does not get the options that the other one sets."""
    if not automatic or not manual.strip():
        return automatic or manual
    return f"{automatic}set +euo pipefail\n{manual}"
