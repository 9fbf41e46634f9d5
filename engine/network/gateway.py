"""The gateway of one task: the HTTP proxy on a unix socket, the only way out of its container (SPEC N1-N3, N6)."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

from engine.errors import NetworkError
from engine.network.addresses import refused_class
from engine.network.dial import dial
from engine.network.endpoint import Endpoint
from engine.network.exchange import Exchange, Limits, RequestRecord
from engine.network.policy import Policy
from engine.network.resolver import Resolver

_BACKLOG = 1024
# A unix socket's own default is less than what asyncio reads at once.
_SEND_BUFFER = 1024 * 1024
_SOCKET_PATH_BYTES = 107
_RETRY_SECONDS = 0.2

__all__ = ["Gateway", "Limits", "RequestRecord"]


class Gateway:
    """Serves the requests of one container under the policy of its phase.

    Which container asks is known by the socket alone: one gateway, one socket, one task.

    Attributes:
        reached: set when the first connection comes; the relay makes one as soon as it listens.

    Args:
        policy: the policy to begin with.
        on_request: called once for each decided request, when it has ended; it must not raise.
        refuse: the class of an address that is never dialled, None for a good one.
        resolver: how names become addresses; closed with the gateway.
        limits: times and the number of connections.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        on_request: Callable[[RequestRecord], None] = lambda record: None,
        refuse: Callable[[str], str | None] = refused_class,
        resolver: Resolver | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.reached = asyncio.Event()
        self._policy = policy
        self._on_request = on_request
        self._refuse = refuse
        self._resolver = resolver or Resolver()
        self._limits = limits or Limits()
        self._places = asyncio.Semaphore(self._limits.connections)
        self._exchanges: dict[asyncio.Task[None], Exchange] = {}
        self._accepting: asyncio.Task[None] | None = None
        self._listener: socket.socket | None = None
        self._path: Path | None = None

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._policy

    async def start(self, path: Path) -> None:
        """Listen on a unix socket at `path`, in a folder of its own inside a private one.

        The folder is mounted into the relay container, which may run as another user: folder and socket are open to
        all, and the private folder around them (as `state.socket_dir` makes it) keeps other users of this machine out.

        Raises:
            NetworkError: the path is too long, or others may enter the folder around it.
        """
        listener = _bind(path)
        self._path = path
        await self.start_on(listener)

    async def start_on(self, listener: socket.socket) -> None:
        """Listen on a bound socket, which the gateway then owns."""
        listener.setblocking(False)
        listener.listen(_BACKLOG)
        self._listener = listener
        self._accepting = asyncio.get_running_loop().create_task(self._accept(listener))

    def set_policy(self, policy: Policy) -> None:
        """Judge by `policy` from now on, and cut what is under way and would not be allowed by it."""
        self._policy = policy
        for task, exchange in list(self._exchanges.items()):
            if exchange.cut_by(policy):
                task.cancel()

    async def close(self) -> None:
        """Stop listening, cut every connection, remove the socket."""
        tasks = [task for task in (self._accepting, *self._exchanges) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self._resolver.close()

    async def _accept(self, listener: socket.socket) -> None:
        """Take connections while there is a place for them; the others wait in the socket's backlog."""
        loop = asyncio.get_running_loop()
        while True:
            await self._places.acquire()
            try:
                connection, _ = await loop.sock_accept(listener)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
                _, client = await loop.connect_accepted_socket(Endpoint, connection)
            except OSError:
                # Out of file descriptors: others of this process will close some.
                self._places.release()
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            self.reached.set()
            exchange = Exchange(client, policy=lambda: self._policy, dial=self._dial, limits=self._limits)
            task = loop.create_task(exchange.run())
            self._exchanges[task] = exchange
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._places.release()
        record = self._exchanges.pop(task).end()
        if record is not None:
            self._on_request(record)
        if not task.cancelled():
            task.result()

    async def _dial(self, host: str, port: int) -> Endpoint:
        seconds = self._limits.connect_seconds
        return await dial(host, port, resolver=self._resolver, refuse=self._refuse, seconds=seconds)


def _bind(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > _SOCKET_PATH_BYTES:
        raise NetworkError(f"the socket path {path} has more than {_SOCKET_PATH_BYTES} bytes", "set XDG_RUNTIME_DIR")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        around = path.parent.parent.stat()
        if around.st_uid != os.getuid() or around.st_mode & 0o077:
            raise NetworkError(f"{path.parent.parent} is open to other users", f"chmod 700 {path.parent.parent}")
        path.parent.mkdir(exist_ok=True)
        path.parent.chmod(0o711)
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()
        listener.bind(os.fspath(path))
        path.chmod(0o666)
    except NetworkError:
        listener.close()
        raise
    except OSError as fault:
        listener.close()
        raise NetworkError(f"cannot make the socket {path}: {fault.strerror}") from None
    return listener
