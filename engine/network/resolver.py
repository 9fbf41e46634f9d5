"""Name look-ups for the gateway: cached, and one query for all who ask for the same name at once.

npm opens a hundred tunnels to one host; resolving each of them costs it twenty seconds on a slow resolver.
"""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from msgspec import Struct

Lookup = Callable[[str], list[str]]
"""Blocking: the IP addresses of a name in the order to try them; raises OSError when there are none."""


def system_lookup(host: str) -> list[str]:
    """What this machine's resolver says about `host`, in the order it prefers."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _Answer(Struct):
    query: asyncio.Task[tuple[str, ...]]
    good_until: float


class Resolver:
    """A bounded cache of look-ups; belongs to one event loop.

    Args:
        lookup: how a name is resolved, called on threads of this resolver alone, so that slow names
            (a container may ask for many) take no thread from anyone else.
        ttl: seconds a result is kept.
        failure_ttl: seconds a failure is kept.
        timeout: seconds after which a look-up has failed.
        size: results kept; the oldest goes first.
    """

    def __init__(
        self,
        lookup: Lookup = system_lookup,
        *,
        ttl: float = 60.0,
        failure_ttl: float = 2.0,
        timeout: float = 10.0,
        size: int = 1024,
    ) -> None:
        self._lookup = lookup
        self._ttl = ttl
        self._failure_ttl = failure_ttl
        self._timeout = timeout
        self._size = size
        self._answers: OrderedDict[str, _Answer] = OrderedDict()
        self._threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="fumehood-dns")

    async def addresses(self, host: str) -> tuple[str, ...]:
        """The addresses of `host`, at least one.

        Raises:
            OSError: the name has no address, or the look-up took too long (TimeoutError).
        """
        now = asyncio.get_running_loop().time()
        answer = self._answers.get(host)
        if answer is None or answer.good_until <= now:
            answer = self._ask(host)
        # Shielded: whoever gives up waiting must not cancel the query of the others.
        return await asyncio.shield(answer.query)

    def close(self) -> None:
        """Forget everything; look-ups under way end unheard."""
        for answer in self._answers.values():
            answer.query.cancel()
        self._answers.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ask(self, host: str) -> _Answer:
        loop = asyncio.get_running_loop()
        answer = _Answer(loop.create_task(self._query(host)), float("inf"))

        def settle(query: asyncio.Task[tuple[str, ...]]) -> None:
            failed = query.cancelled() or query.exception() is not None
            answer.good_until = loop.time() + (self._failure_ttl if failed else self._ttl)

        answer.query.add_done_callback(settle)
        self._answers[host] = answer
        self._answers.move_to_end(host)
        while len(self._answers) > self._size:
            self._answers.popitem(last=False)
        return answer

    async def _query(self, host: str) -> tuple[str, ...]:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._timeout):
            found = await loop.run_in_executor(self._threads, self._lookup, host)
        if not found:
            raise OSError("the name has no address")
        return tuple(found)
