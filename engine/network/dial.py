"""The one place where a connection to the outside is opened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.network.endpoint import ConnectionEnded, Endpoint
from engine.network.hosts import is_address
from engine.network.resolver import Resolver

if TYPE_CHECKING:
    from engine.network.proxies import Proxy

MAX_ADDRESSES = 4
"""Addresses of one name that are tried."""

_MAX_ANSWER = 64 * 1024
# Names that mean something inside a network only; the ones a proxy of this host could know although we do not.
_LOCAL_NAMES = (".localhost", ".local", ".internal", ".intranet", ".lan", ".corp", ".home", ".home.arpa", ".private")


class DialRefused(Exception):
    """The host is not on the public internet; the message says what it is, without its address."""


class DialFailed(Exception):
    """The name does not resolve, or nobody answers; the message says which."""


async def dial(
    host: str, port: int, *, resolver: Resolver, refuse: Callable[[str], str | None], seconds: float
) -> Endpoint:
    """Connect to a canonical host: each address is judged by `refuse`, and the very address judged is dialled.

    Args:
        refuse: the class of an address that must not be dialled, None for a good one.
        seconds: for each address to answer.

    Raises:
        DialRefused: all addresses of the host are refused.
        DialFailed: the name has no address, or none of the good ones answers.
    """
    try:
        found = (host,) if is_address(host) else await resolver.addresses(host)
    except OSError:
        raise DialFailed(f"{host} does not resolve") from None
    classes = {address: refuse(address) for address in found}
    good = [address for address, refused in classes.items() if refused is None]
    if not good:
        raise _refused(host, classes)
    return await _connect_any(host, good, port, seconds)


async def dial_here(name: str, address: str, port: int, *, seconds: float) -> Endpoint:
    """Connect to an address of this machine's loopback, which the user named; it goes by another `name` in messages.

    Raises:
        DialFailed: nobody answers there.
    """
    return await _connect_any(name, [address], port, seconds)


async def dial_proxy(
    proxy: Proxy,
    host: str,
    port: int,
    *,
    tunnel: bool,
    resolver: Resolver,
    refuse: Callable[[str], str | None],
    seconds: float,
) -> Endpoint:
    """Connect to a proxy of this host that leads to a canonical `host`; with `tunnel`, through it.

    The proxy resolves the name. What this machine knows of it is judged all the same: one refused address is enough,
    as nobody can say which one the proxy takes, and of names unknown here, local ones are refused.

    Raises:
        DialRefused: the host is not on the public internet.
        DialFailed: the proxy does not answer, or does not let us through.
    """
    await _judge_behind_proxy(host, resolver, refuse)
    try:
        found = (proxy.host,) if is_address(proxy.host) else await resolver.addresses(proxy.host)
    except OSError:
        raise DialFailed("the proxy of this host does not resolve") from None
    endpoint = await _connect_any("the proxy of this host:", list(found), proxy.port, seconds)
    if tunnel:
        try:
            await _open_tunnel(endpoint, proxy, host, port, seconds)
        except BaseException:
            endpoint.abort()
            raise
    return endpoint


async def _judge_behind_proxy(host: str, resolver: Resolver, refuse: Callable[[str], str | None]) -> None:
    try:
        found = (host,) if is_address(host) else await resolver.addresses(host)
    except OSError:
        if "." not in host or host.endswith(_LOCAL_NAMES):
            raise DialRefused(f"{host} is a local name") from None
        return
    classes = {address: refuse(address) for address in found}
    if any(kind is not None for kind in classes.values()):
        raise _refused(host, classes)


async def _open_tunnel(endpoint: Endpoint, proxy: Proxy, host: str, port: int, seconds: float) -> None:
    def answer(data: bytearray) -> bytes | None:
        end = data.find(b"\r\n\r\n")
        if end < 0 and len(data) > _MAX_ANSWER:
            raise ConnectionEnded
        return None if end < 0 else bytes(data[: end + 4])

    endpoint.write(proxy.connect_head(host, port))
    try:
        async with asyncio.timeout(seconds):
            head = await endpoint.receive(answer)
    except (TimeoutError, ConnectionEnded):
        raise DialFailed(f"{host} port {port}: no answer from the proxy of this host") from None
    status = head.split(b" ", 2)[1:2]
    if not head.startswith(b"HTTP/1.") or status != [b"200"]:
        shown = status[0][:3].decode("latin-1") if status and status[0][:3].isdigit() else "no HTTP status"
        raise DialFailed(f"{host} port {port}: the proxy of this host answered {shown}")
    endpoint.take(len(head))
    endpoint.sent, endpoint.received = 0, len(endpoint.gathered)


def _refused(host: str, classes: dict[str, str | None]) -> DialRefused:
    kinds = ", ".join(sorted({kind for kind in classes.values() if kind is not None}))
    return DialRefused(f"{host} {'is' if is_address(host) else 'resolves to'} a refused address ({kinds})")


async def _connect_any(host: str, addresses: list[str], port: int, seconds: float) -> Endpoint:
    fault: Exception = OSError()
    for address in addresses[:MAX_ADDRESSES]:
        try:
            return await _connect(address, port, seconds)
        except OSError as error:
            fault = error
    raise DialFailed(f"{host} port {port}: {_why(fault)}")


async def _connect(address: str, port: int, seconds: float) -> Endpoint:
    async with asyncio.timeout(seconds):
        _, endpoint = await asyncio.get_running_loop().create_connection(Endpoint, address, port)
    return endpoint


def _why(fault: Exception) -> str:
    if isinstance(fault, TimeoutError):
        return "no answer"
    if isinstance(fault, ConnectionRefusedError):
        return "connection refused"
    return "cannot be reached"
