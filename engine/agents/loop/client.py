"""Asking the model: one streamed request for an answer, again and again when it fails in passing."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections.abc import AsyncIterator
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from engine.agents.base import Alive
from engine.agents.loop.conversation import Said, Turn
from engine.agents.loop.settings import Settings
from engine.agents.loop.sse import Events
from engine.agents.loop.wire import ModelError
from engine.agents.parts import table, text
from engine.tasks import events as ev

if TYPE_CHECKING:
    import httpx

_CONNECT_SECONDS = 30.0
_LONGEST_WAIT = 30.0
# A provider that wants a longer pause than this will not be waited for longer all the same.
_LONGEST_ASKED = 120.0
_LONGEST_ERROR = 64 << 10
_LONGEST_ANSWER = 64 << 20
_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_SHOWN = 500


@cache
def trust() -> ssl.SSLContext:
    """The authorities of this machine, which may have some of its own, rather than those httpx brings."""
    return ssl.create_default_context()


def needs_trust(base_url: str) -> bool:
    """Whether TLS may be spoken on the way; not with a plain server on this machine."""
    return base_url.startswith("https:") or not _is_here(base_url)


class Spent(Exception):
    """The turn's requests are used up."""


class Model:
    """A model that is asked for answers, at most `requests` times, failed requests included.

    It is called from this machine, through its proxy if it has one; a server on this machine itself is never called
    through a proxy. There is no limit of time: a model may think, and a local one reads slowly; the task's limits hold.
    """

    def __init__(self, settings: Settings, requests: int) -> None:
        import httpx

        self._settings = settings
        self._left = requests
        self._client = httpx.AsyncClient(
            verify=trust() if needs_trust(settings.base_url) else False,
            timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
            trust_env=not _is_here(settings.base_url),
            headers={
                "Content-Type": "application/json",
                "Accept": "text/event-stream",
                "User-Agent": "fumehood",
                **settings.wire.headers(settings.key),
            },
        )

    async def __aenter__(self) -> Model:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def ask(self, system: str, turns: list[Turn]) -> AsyncIterator[Alive | ev.Notice | Said]:
        """Signs of life while the answer comes, notices of what is tried again, and at the end the answer.

        Raises:
            ModelError: there is none, and trying again would not help or has not.
            Spent: no request is left.
        """
        body = self._settings.wire.body(self._settings.model, system, turns) | dict(self._settings.request)
        data = json.dumps(body).encode()
        tried = 0
        while True:
            if self._left <= 0:
                raise Spent
            self._left -= 1
            try:
                async for item in self._once(data):
                    yield item
                return
            except ModelError as fault:
                if not fault.passing or tried >= self._settings.retries:
                    raise
                wait = _pause(tried, fault.retry_after)
                tried += 1
                again = f"asking again in {wait:.1f} s ({tried} of {self._settings.retries})"
                yield ev.Notice(level="warning", text=f"the model did not answer: {fault}; {again}")
            await asyncio.sleep(wait)

    async def _once(self, data: bytes) -> AsyncIterator[Alive | Said]:
        import httpx

        url = self._settings.base_url + self._settings.wire.path
        try:
            async with self._client.stream("POST", url, content=data) as response:
                if response.status_code != 200:
                    raise self._refused(response, await _beginning(response))
                kind = response.headers.get("content-type", "")
                if "event-stream" not in kind:
                    raise ModelError(f"{url} answered with {kind or 'nothing'}, not with a stream of events")
                async for item in self._answer(response):
                    yield item
        except httpx.HTTPError as fault:
            raise ModelError(self._told(fault), passing=True) from None
        except httpx.InvalidURL as fault:
            raise ModelError(f"{url}: {fault}") from None

    async def _answer(self, response: httpx.Response) -> AsyncIterator[Alive | Said]:
        reader, events, size = self._settings.wire.reader(), Events(), 0
        async for piece in response.aiter_bytes():
            size += len(piece)
            if size > _LONGEST_ANSWER:
                raise ModelError(f"the model's answer is longer than {_LONGEST_ANSWER >> 20} MiB")
            yield Alive()
            try:
                complete = events.feed(piece)
            except ValueError as fault:
                raise ModelError(f"the model's answer cannot be read: {fault}") from None
            for event in complete:
                if event.strip() == "[DONE]":
                    break
                reader.feed(_object(event))
            else:
                continue
            break
        if not reader.done:
            raise ModelError("its answer was cut off", passing=True)
        yield reader.said()

    def _refused(self, response: httpx.Response, body: bytes) -> ModelError:
        """The fault that an answer with an error status tells of."""
        status = response.status_code
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            told = body.decode("utf-8", "replace")
        error = table(told).get("error", told)
        message = text(table(error).get("message")) or text(error) or text(table(told).get("message"))
        code = text(table(error).get("code")) or text(table(error).get("type"))
        # Some servers quote the key they refuse.
        message = message.replace(self._settings.key, "***") if self._settings.key else message
        message = " ".join(message.split())[:_SHOWN] or response.reason_phrase
        passing = status in _PASSING and code != "insufficient_quota"
        after = _seconds(response.headers.get("retry-after", ""))
        return ModelError(f"HTTP {status}: {message}", status=status, code=code, retry_after=after, passing=passing)

    def _told(self, fault: httpx.HTTPError) -> str:
        host = urlsplit(self._settings.base_url).netloc
        return f"{host}: {str(fault) or type(fault).__name__}"


async def _beginning(response: httpx.Response) -> bytes:
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) >= _LONGEST_ERROR:
            break
    return body[:_LONGEST_ERROR]


def _object(event: str) -> dict[str, Any]:
    """The data of an event; what is no object is no event of an answer."""
    try:
        return table(json.loads(event))
    except (ValueError, RecursionError):
        raise ModelError("its answer holds something that is not JSON", passing=True) from None


def _pause(tried: int, asked: float) -> float:
    return min(asked, _LONGEST_ASKED) or min(2.0**tried, _LONGEST_WAIT) * random.uniform(0.75, 1.25)


def _seconds(value: str) -> float:
    return float(value) if value.isascii() and value.isdigit() and len(value) < 9 else 0.0


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
