"""A refresh: maintenance runs in a fresh container of a snapshot, and what it did becomes a snapshot (SPEC C5)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from pathlib import Path

from engine.cache.decision import Snapshot
from engine.cache.key import Key
from engine.containers.container import Container
from engine.errors import PhaseFailed
from engine.network.check import PUBLIC
from engine.repository import into
from engine.tasks.maintenance import keep, run_maintenance
from engine.tasks.outlet import Outlet, outlet
from engine.tasks.recorder import phase
from engine.tasks.standby import running
from engine.tasks.work import Work


class Refresh:
    """One refresh of `root`, got ready before it is known what for: so the script starts at once when a file changes.

    Its container has a way out from the start, as maintenance has, and nothing runs in it until `run`.
    """

    def __init__(self, work: Work, root: Snapshot) -> None:
        self.work, self.root = work, root
        self._open = ExitStack()
        self._ready: tuple[Container, Outlet] | None = None

    def get_ready(self) -> None:
        """Start the container and open its way out.

        Raises:
            EngineError: it does not come up; nothing is left of it then.
        """
        try:
            container = running(self.work, self.root)
            self._open.callback(container.remove)
            self._ready = (
                container,
                self._open.enter_context(outlet(self.work, container, "maintenance", PUBLIC, run=1)),
            )
        except BaseException:
            self.close()
            raise

    def run(self, key: Key, committed: Mapping[str, str], wanted: Mapping[str, str], reason: str) -> Snapshot:
        """Run the script with the watched files as `wanted`, and store what it did.

        Args:
            key: the environment's key now.
            committed: the watched files of the commit in the container; what differs is read from the checkout.
            reason: why, for the journal.

        Raises:
            PhaseFailed: the script failed; nothing is stored. EngineError: the container went away.
        """
        if self._ready is None:
            self.get_ready()
        assert self._ready is not None
        container, way_out = self._ready
        work, sha = self.work, self.work.checkout.target.sha
        if wanted != committed:
            _bring_edits(work, container, committed, wanted)
        if not run_maintenance(work, container, 1, reason, nullcontext(way_out)):
            raise PhaseFailed("maintenance", "the maintenance script failed: what it did is not kept")
        with phase(work.recorder, "snapshot"):
            into.checkout(container, work.repository_dir, sha)
            into.record_leftovers(container, work.repository_dir)
            return keep(work, container, self.root, key, sha, wanted)

    def close(self) -> None:
        """Remove the container and its way out; harmless when there are none."""
        self._ready = None
        self._open.close()


def _bring_edits(work: Work, container: Container, committed: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Let the watched files in the container be as they are in the checkout on the host."""
    checkout = Path(work.source.url, work.source.subdirectory)
    changed = [path for path, blob in wanted.items() if committed.get(path) != blob]
    files = {f"{work.workdir}/{path}": (checkout / path, 0o644) for path in changed}
    if files:
        container.put_all(files)
    gone = [path for path in committed if path not in wanted]
    if gone:
        container.bash('cd -- "$1" && shift && rm -f -- "$@"', work.workdir, *gone)
