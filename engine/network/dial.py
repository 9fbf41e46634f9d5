"""The one place where a connection to the outside is opened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from engine.network.endpoint import Endpoint
from engine.network.hosts import is_address
from engine.network.resolver import Resolver

MAX_ADDRESSES = 4
"""Addresses of one name that are tried."""


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
        kinds = ", ".join(sorted({kind for kind in classes.values() if kind is not None}))
        raise DialRefused(f"{host} {'is' if is_address(host) else 'resolves to'} a refused address ({kinds})")
    fault: Exception = OSError()
    for address in good[:MAX_ADDRESSES]:
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
