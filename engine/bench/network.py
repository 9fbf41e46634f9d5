"""The network policy of environments and tasks: what it says, and opening it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.errors import UsageError

if TYPE_CHECKING:
    from engine.bench.tasks import Tasks
    from engine.environment.model import Environment
    from engine.network.check import Checked, CheckedPhase, Entry


class Network:
    """What agents may reach."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    def check(
        self,
        environment: Environment,
        hosts: Sequence[str],
        *,
        phase: CheckedPhase = "agent",
        method: str | None = None,
    ) -> list[Checked]:
        """What the gateway would say to these hosts (SPEC L3); see `engine.network.check`."""
        from engine.network.check import check as decide

        return decide(environment, hosts, phase, method, self._registries(environment) if phase == "agent" else None)

    def entries(self, environment: Environment) -> list[Entry]:
        """The entries of the environment's lists as they are stored, or why they are refused (SECURITY-CASES B11)."""
        from engine.network.check import entries as stored_entries

        return stored_entries(environment.network, self._registries(environment))

    def entry(self, host: str, port: int) -> str:
        """The narrowest entry of a list that lets through what the request log names so.

        Raises:
            UsageError: no entry can.
        """
        from engine.network.allow import entry_for

        return entry_for(host, port)

    def allow(self, environment: Environment, entry: str) -> tuple[str, bool]:
        """Let the environment's agents reach one more entry (SPEC N6): as stored, and whether the file changed.

        Raises:
            EngineError: the entry is unusable or would have no effect, or the file cannot be edited.
        """
        from engine.network.allow import allow_in_file

        return allow_in_file(environment, entry)

    def allow_task(self, reference: str, entry: str) -> str:
        """Ask a running task to let its agent reach one more host; returns the entry as stored.

        Raises:
            UsageError: the entry is unusable, or the task has ended.
        """
        from engine.network.allow import one_rule
        from engine.tasks.requests import ask_to_allow

        state = self._tasks.get(reference)
        if state.finished:
            raise UsageError(f"task {state.id} has ended already: {state.status}", "allow it with --env instead")
        stored = str(one_rule(entry))
        if state.network_mode == "off":
            file = state.environment_path
            raise UsageError(
                f"the network of task {state.id} is off: it has no way out, and cannot get one while it runs",
                f'set agent = "limited" and allow = ["{stored}"] in [network] of {file}, then start a new task',
            )
        if state.network_mode == "full":
            raise UsageError(
                f"the network of task {state.id} is full: it reaches every public host",
                f"only what deny in [network] of {state.environment_path} names is refused",
            )
        ask_to_allow(self._tasks.folder(state.id), stored)
        return stored

    def _registries(self, environment: Environment) -> tuple[str, ...] | None:
        """What presets hold of the package registries of the environment's snapshot; None while there is none."""
        from engine.network.check import needs_registries

        if not needs_registries(environment):
            return None
        from engine.cache import snapshots
        from engine.containers.endpoint import connect
        from engine.tasks.registries import of_image

        api = connect()
        newest = next(iter(snapshots.of_environment(api, environment.id)), None)
        return of_image(api, newest.image).entries if newest else None
