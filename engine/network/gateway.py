"""The gateway of one task: the HTTP proxy on a unix socket, the only way out of its container (SPEC N1-N6, N8)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import NetworkError
from engine.network.addresses import refused_class
from engine.network.dial import dial, dial_here, dial_proxy
from engine.network.endpoint import Endpoint
from engine.network.exchange import Exchange
from engine.network.handover import bind_door, readable, take_listener
from engine.network.policy import Policy
from engine.network.proxies import Proxies, Proxy
from engine.network.record import Limits, RequestRecord
from engine.network.resolver import Resolver

if TYPE_CHECKING:
    import ssl

    from engine.network.certificates import Authority
    from engine.network.credentials import Credential
    from engine.network.inspection import Inspection
    from engine.network.model import Budget, LocalModel

_RETRY_SECONDS = 0.2
# A host that needs a proxy often resolves no outside name, and finds that out slowly.
_BEHIND_PROXY_SECONDS = 2.0
_BEHIND_PROXY_FAILURE_TTL = 60.0

__all__ = ["Gateway", "Limits", "RequestRecord"]


class Gateway:
    """Serves the requests of one container under the policy of its phase.

    Which container asks is known by the socket alone: one gateway, one socket, one task.

    Attributes:
        reached: set while there is a relay: its listener is served.

    Args:
        policy: the policy to begin with.
        on_request: called once for each decided request, when it has ended; it must not raise.
        refuse: the class of an address that is never dialled, None for a good one.
        resolver: how names become addresses; closed with the gateway.
        limits: times and the number of connections.
        authority: makes the certificates that the container is shown where the gateway looks into TLS.
        credentials: network secrets, put into the requests they are bound to, whatever the policy inspects.
        trust: how servers are verified where it does; this machine's own authorities by default.
        proxies: those through which this host reaches the internet; none by default.
        budget: the requests to the agent's model that are answered.
        local: the agent's model, where that is served on this machine.

    Raises:
        NetworkError: policy or credentials need TLS to be inspected, and there is no authority.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        on_request: Callable[[RequestRecord], None] = lambda record: None,
        refuse: Callable[[str], str | None] = refused_class,
        resolver: Resolver | None = None,
        limits: Limits | None = None,
        authority: Authority | None = None,
        credentials: Sequence[Credential] = (),
        trust: ssl.SSLContext | None = None,
        proxies: Proxies | None = None,
        budget: Budget | None = None,
        local: LocalModel | None = None,
    ) -> None:
        if authority is None and credentials:
            raise NetworkError("network secrets need TLS inspection, and there is no certificate authority")
        self.reached = asyncio.Event()
        self._on_request = on_request
        self._refuse = refuse
        self._proxies = proxies or Proxies()
        self._budget, self._local = budget, local
        self._inspection = None if authority is None else _inspection(authority, trust, credentials, on_request, budget)
        self._policy = self._enforceable(policy)
        self._resolver = resolver or _resolver(self._proxies)
        self._limits = limits or Limits()
        self._places = asyncio.Semaphore(self._limits.connections)
        self._exchanges: dict[asyncio.Task[None], Exchange] = {}
        self._listening: set[asyncio.Task[None]] = set()
        self._listeners: set[socket.socket] = set()
        self._path: Path | None = None

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._policy

    async def start(self, path: Path) -> None:
        """Serve the relay that connects to a unix socket at `path` (see `handover.bind_door`), and its successors.

        Raises:
            NetworkError: the path is too long, or others may enter the folder around it.
        """
        door = bind_door(path)
        self._path = path
        self._run(self._serve_relays(door))

    async def start_on(self, listener: socket.socket) -> asyncio.Task[None]:
        """Serve the connections of a listening socket, which the gateway then owns; until the result is cancelled."""
        listener.setblocking(False)
        return self._run(self._accept(listener))

    def set_policy(self, policy: Policy) -> None:
        """Judge by `policy` from now on, and cut what is under way and would not be allowed by it.

        Raises:
            NetworkError: it needs TLS to be inspected, and there is no authority.
        """
        self._policy = self._enforceable(policy)
        for task, exchange in list(self._exchanges.items()):
            if exchange.cut_by(policy):
                task.cancel()

    async def close(self) -> None:
        """Stop listening, cut every connection, remove the socket."""
        await _cancel(*self._listening, *self._exchanges)
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self._resolver.close()

    def shut(self) -> None:
        """Take no more connections; any thread may call this, at the end.

        A relay that plays tricks can make the listener block, and with it the event loop: `close` would never run.
        """
        for listener in self._listeners.copy():
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)

    def _run(self, serving: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(serving)
        self._listening.add(task)
        task.add_done_callback(self._listening.discard)
        return task

    async def _serve_relays(self, door: socket.socket) -> None:
        """Accept on the listener of one relay after the other; when one ends, everything under way is cut."""
        loop = asyncio.get_running_loop()
        with door:
            while True:
                relay, _ = await loop.sock_accept(door)
                with relay:
                    listener = await take_listener(relay, self._limits.head_seconds)
                    if listener is None:
                        continue
                    accepting = await self.start_on(listener)
                    self.reached.set()
                    await readable(relay)
                    self.reached.clear()
                    for exchange in self._exchanges.values():
                        exchange.cut("cut: the relay ended")
                    await _cancel(accepting, *self._exchanges)

    async def _accept(self, listener: socket.socket) -> None:
        """Take connections while there is a place for them; the others wait in the socket's backlog."""
        loop = asyncio.get_running_loop()
        self._listeners.add(listener)
        try:
            while True:
                await self._places.acquire()
                try:
                    connection, _ = await loop.sock_accept(listener)
                    _, client = await loop.connect_accepted_socket(Endpoint, connection)
                except OSError:
                    # Out of file descriptors: others of this process will close some.
                    self._places.release()
                    await asyncio.sleep(_RETRY_SECONDS)
                    continue
                self._serve(client)
        finally:
            self._listeners.discard(listener)
            listener.close()

    def _serve(self, client: Endpoint) -> None:
        exchange = Exchange(
            client,
            policy=lambda: self._policy,
            dial=self._dial,
            dial_plain=self._dial_plain,
            limits=self._limits,
            inspection=self._inspection,
            budget=self._budget,
            local=self._local,
        )
        task = asyncio.get_running_loop().create_task(exchange.run())
        self._exchanges[task] = exchange
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._places.release()
        record = self._exchanges.pop(task).end()
        if record is not None:
            self._on_request(record)
        if not task.cancelled():
            task.result()

    def _enforceable(self, policy: Policy) -> Policy:
        if policy.inspect and self._inspection is None:
            raise NetworkError("the network policy needs TLS inspection, and there is no certificate authority")
        return policy

    async def _dial(self, host: str, port: int) -> Endpoint:
        if self._local and self._local.is_asked(host, port):
            return await dial_here(host, self._local.address, port, seconds=self._limits.connect_seconds)
        return await self._dial_via(self._proxies.for_tunnel(host, port), host, port, tunnel=True)

    async def _dial_plain(self, host: str, port: int) -> tuple[Endpoint, Proxy | None]:
        if self._local and self._local.is_asked(host, port):
            return await self._dial(host, port), None
        proxy = self._proxies.for_plain(host, port)
        return await self._dial_via(proxy, host, port, tunnel=False), proxy

    async def _dial_via(self, proxy: Proxy | None, host: str, port: int, *, tunnel: bool) -> Endpoint:
        resolver, refuse, seconds = self._resolver, self._refuse, self._limits.connect_seconds
        if proxy is None:
            return await dial(host, port, resolver=resolver, refuse=refuse, seconds=seconds)
        return await dial_proxy(proxy, host, port, tunnel=tunnel, resolver=resolver, refuse=refuse, seconds=seconds)


def _resolver(proxies: Proxies) -> Resolver:
    if proxies.tunnels is None and proxies.plain is None:
        return Resolver()
    return Resolver(timeout=_BEHIND_PROXY_SECONDS, failure_ttl=_BEHIND_PROXY_FAILURE_TTL)


def _inspection(
    authority: Authority,
    trust: ssl.SSLContext | None,
    credentials: Sequence[Credential],
    on_request: Callable[[RequestRecord], None],
    budget: Budget | None,
) -> Inspection:
    # Loaded only where TLS is inspected: h11, ssl and the authorities of this machine take time.
    from engine.network.inspection import Inspection, system_trust

    return Inspection(authority, trust or system_trust(), tuple(credentials), on_request, budget)


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
