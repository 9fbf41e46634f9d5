"""The relay containers of one outlet: one at a time, the next when one ended unasked (SPEC N2)."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from engine.containers.container import Container, Limits, Mount, create
from engine.network import relay
from engine.tasks.work import Work

_LIMITS = Limits(cpus=1, memory=256 << 20, pids=512)


class Relays:
    """The environment's own image, the container's network namespace, the only mount of the gateway's socket.

    Args:
        container: the running container that is let out.
        interpreter: what its image has to run the relay with.
        folder: where the gateway's socket is.
    """

    def __init__(
        self, work: Work, container: Container, interpreter: relay.Interpreter, folder: Path, run: int
    ) -> None:
        mounts = (Mount(relay.script_path(interpreter), relay.SCRIPT_MOUNT), Mount(folder, relay.SOCKET_MOUNT))
        self._api = work.api
        self._spec = replace(
            work.container_spec(container.image, "relay", run, mounts),
            network=f"container:{container.id}",
            command=relay.relay_command(interpreter),
            capabilities=(),
            limits=_LIMITS,
            env={},
            user="0",
        )
        self._current: Container | None = None

    def start(self) -> None:
        """Start a relay, in place of the one before.

        Raises:
            ContainerError: the engine refuses.
        """
        self.close()
        self._current = create(self._api, self._spec)
        self._current.start()

    @property
    def running(self) -> bool:
        """Whether the engine says that the relay has not ended."""
        if self._current is None:
            return False
        return self._current.status() == "running"

    def close(self) -> None:
        """Remove the relay."""
        if self._current is not None:
            self._current.remove()
            self._current = None
