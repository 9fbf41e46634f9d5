"""The look-up cache: one query for all, bounded, failures soon forgotten."""

from __future__ import annotations

import asyncio
import threading

import pytest

from engine.network.resolver import Resolver


class Names:
    """A name service that counts its queries and can be held up."""

    def __init__(self) -> None:
        self.queries: list[str] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, host: str) -> list[str]:
        self.queries.append(host)
        self.go.wait(10)
        if host.startswith("bad"):
            raise OSError("no such name")
        return [] if host.startswith("empty") else ["192.0.2.1", "192.0.2.2"]


def test_concurrent_lookups_share_one_query_and_results_are_kept() -> None:
    async def run() -> None:
        names = Names()
        resolver = Resolver(names)
        names.go.clear()
        waiting = [asyncio.create_task(resolver.addresses("x.org")) for _ in range(100)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        names.go.set()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert results[1:] == [("192.0.2.1", "192.0.2.2")] * 99
        await resolver.addresses("x.org")
        assert names.queries == ["x.org"]
        resolver.close()

    asyncio.run(run())


def test_results_and_failures_expire() -> None:
    async def run() -> None:
        names = Names()
        resolver = Resolver(names, ttl=0, failure_ttl=100)
        for _ in range(2):
            await resolver.addresses("x.org")
            with pytest.raises(OSError, match="no such name"):
                await resolver.addresses("bad.org")
            with pytest.raises(OSError, match="no address"):
                await resolver.addresses("empty.org")
        assert sorted(names.queries) == ["bad.org", "empty.org", "x.org", "x.org"]
        resolver.close()

    asyncio.run(run())


def test_slow_lookups_fail_and_the_cache_is_bounded() -> None:
    async def run() -> None:
        names = Names()
        slow = Resolver(names, timeout=0.01)
        names.go.clear()
        with pytest.raises(TimeoutError):
            await slow.addresses("slow.org")
        names.go.set()
        slow.close()
        small = Resolver(names, size=2)
        for name in ("a.org", "b.org", "c.org", "a.org"):
            await small.addresses(name)
        assert names.queries == ["slow.org", "a.org", "b.org", "c.org", "a.org"]
        small.close()

    asyncio.run(run())
