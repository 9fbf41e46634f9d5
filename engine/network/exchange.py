"""One connection of a container: its request, the decision on it, and the bytes that pass."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from engine.errors import NetworkError
from engine.network.body import body_reader
from engine.network.client_hello import BadHello, is_tls, server_name
from engine.network.dial import DialFailed, DialRefused
from engine.network.endpoint import ConnectionEnded, Endpoint, moving, splice
from engine.network.hosts import is_address
from engine.network.policy import Policy
from engine.network.request import (
    BadRequest,
    Request,
    head_end,
    parse_proxy_request,
    parse_tunnelled_request,
    upstream_head,
)

_T = TypeVar("_T")
_HTTPS = 443
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
# Fatal alert access_denied: clients name it in their error message, where a closed connection would tell nothing.
_TLS_REFUSAL = bytes((21, 3, 3, 0, 2, 2, 49))
_LINGER_SECONDS = 2.0
_CLOSE_SECONDS = 60.0
_SHOWN_BYTES = 200

Verdict = Literal["allowed", "denied", "failed"]


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One decided request (SPEC N6).

    Attributes:
        host: what was asked for; of a request that could not be read, its first line with escapes.
        port: 0 when the request could not be read.
        method: `CONNECT` for a tunnel, else the HTTP method; empty when it could not be read.
        decision: `failed` was allowed but not served: no such name, nobody answers, too slow.
        rule: the rule that decided, empty when none did.
        reason: why it was not served, or why it was cut.
        bytes_up: bytes sent to the host.
        bytes_down: bytes that came from it.
        seconds: from the first byte of the request to the end.
    """

    host: str
    port: int
    method: str
    decision: Verdict
    rule: str = ""
    reason: str = ""
    bytes_up: int = 0
    bytes_down: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What one gateway spends on its container.

    Attributes:
        connections: served at the same time; more wait.
        head_seconds: for a request head or a TLS hello to arrive.
        connect_seconds: for a connection to one address.
        idle_seconds: without a byte, after which a connection is cut.
    """

    connections: int = 256
    head_seconds: float = 10.0
    connect_seconds: float = 8.0
    idle_seconds: float = 600.0


class _Refused(Exception):
    """Ends an exchange that is not served; `error` is the value of `x-proxy-error`."""

    def __init__(self, status: str, verdict: Verdict, reason: str, error: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.verdict = verdict
        self.reason = reason
        self.error = error

    def response(self) -> bytes:
        """The refusal in HTTP: one line of text that an agent can read."""
        body = f"fumehood: {self.reason}\n".encode()
        header = f"x-proxy-error: {self.error}\r\n" if self.error else ""
        return (
            f"HTTP/1.1 {self.status}\r\n{header}Content-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        ).encode() + body


class Exchange:
    """Serves one connection of a container.

    Args:
        client: the container's side.
        policy: gives the policy in force now.
        dial: connects to a host and port the policy allows; raises as `engine.network.dial.dial`.
        limits: the times to keep.
    """

    def __init__(
        self,
        client: Endpoint,
        *,
        policy: Callable[[], Policy],
        dial: Callable[[str, int], Awaitable[Endpoint]],
        limits: Limits,
    ) -> None:
        self._client = client
        self._server: Endpoint | None = None
        self._policy = policy
        self._dial = dial
        self._limits = limits
        self._request: Request | None = None
        self._tunnel_open = False
        self._unchecked = False
        self._verdict: Verdict = "allowed"
        self._rule = ""
        self._reason = ""
        self._first_line = ""
        self._began = 0.0

    async def run(self) -> None:
        """Serve the connection to its end."""
        try:
            await self._receive(lambda data: data or None)
            self._began = asyncio.get_running_loop().time()
            await self._serve()
        except _Refused as refusal:
            await self._turn_away(refusal)
        except ConnectionEnded:
            pass

    def end(self) -> RequestRecord | None:
        """Close both sides, after `run` or instead of it; returns what became of the request, if there was one."""
        for side in (self._client, self._server):
            if side is not None:
                side.abort()
        if not self._began or (self._request is None and not self._reason):
            return None
        request, server = self._request, self._server
        return RequestRecord(
            host=request.host if request else self._first_line,
            port=request.port if request else 0,
            method=request.method if request else "",
            decision=self._verdict,
            rule=self._rule,
            reason=self._reason,
            bytes_up=server.sent if server else 0,
            bytes_down=server.received if server else 0,
            seconds=round(asyncio.get_running_loop().time() - self._began, 3),
        )

    def cut_by(self, policy: Policy) -> bool:
        """Whether `policy` would not have let this exchange come as far as it has; if so the record will say it."""
        request = self._request
        if request is None or self._verdict != "allowed":
            return False
        if policy.decide(request.host, request.port, _visible_method(request)).allowed and not (
            self._unchecked and policy.checks_tunnels
        ):
            return False
        self._reason = "cut: the network policy changed"
        return True

    async def _serve(self) -> None:
        request = await self._read_request(parse_proxy_request)
        self._judge(request)
        self._server = await self._connect(request)
        if request.method != "CONNECT":
            await self._forward(request, self._server)
        else:
            await self._tunnel(request, self._server)

    async def _tunnel(self, request: Request, server: Endpoint) -> None:
        self._client.write(_ESTABLISHED)
        self._tunnel_open = True
        if not self._policy().checks_tunnels:
            self._unchecked = True
        elif is_tls(await self._receive(lambda data: data or None)):
            await self._check_hello(request)
        elif request.port == _HTTPS:
            raise _forbidden(f"the tunnel to {request.host}:{_HTTPS} carries something else than TLS")
        else:
            await self._plain_in_tunnel(request, server)
            return
        await splice(self._client, server, self._limits.idle_seconds)
        await self._close(server)

    async def _check_hello(self, request: Request) -> None:
        """Refuse a TLS connection that is for another host than the tunnel was opened to."""
        name = await self._receive(server_name)
        if name != request.host and not (name == "" and is_address(request.host)):
            raise _forbidden(f"the TLS hello in the tunnel to {request.host} names {name or 'no server'}")

    async def _plain_in_tunnel(self, request: Request, server: Endpoint) -> None:
        """Plain HTTP in a tunnel is read and judged like any other, so that it can neither change host nor method."""
        inner = await self._read_request(lambda head: parse_tunnelled_request(head, request.host, request.port))
        self._judge(inner)
        await self._forward(inner, server)

    async def _forward(self, request: Request, server: Endpoint) -> None:
        """Send one request on, and everything that comes back."""
        body = body_reader(request.body)

        def pass_body(data: bytes) -> None:
            try:
                server.write(body.feed(data))
            except BadRequest as fault:
                self._reason = f"malformed request: {fault}"
                server.abort()

        def body_ended(_: object) -> None:
            if not body.finished:
                server.abort()

        server.write(upstream_head(request))
        self._client.pour(pass_body, into=server)
        self._client.ended.add_done_callback(body_ended)
        server.pour(self._client.write, into=self._client)
        await moving((self._client, server), {server.ended, self._client.lost}, self._limits.idle_seconds)
        await self._close(server)

    async def _close(self, server: Endpoint) -> None:
        """Let both sides take what was written to them, for a while."""
        for side in (self._client, server):
            side.close()
        await asyncio.wait({self._client.lost, server.lost}, timeout=_CLOSE_SECONDS)

    async def _turn_away(self, refusal: _Refused) -> None:
        self._verdict, self._reason = refusal.verdict, refusal.reason
        self._first_line = _shown_line(self._client.gathered)
        spoke_tls = self._tunnel_open and is_tls(self._client.gathered)
        self._client.write(_TLS_REFUSAL if spoke_tls else refusal.response())
        self._client.finish()
        # A client still sending its body would lose the answer if we closed at once.
        self._client.pour(lambda _: None)
        await asyncio.wait({self._client.ended}, timeout=_LINGER_SECONDS)

    def _judge(self, request: Request) -> None:
        decision = self._policy().decide(request.host, request.port, _visible_method(request))
        self._rule = decision.rule
        if not decision.allowed:
            raise _Refused("403 Forbidden", "denied", decision.reason, decision.error)

    async def _connect(self, request: Request) -> Endpoint:
        try:
            return await self._dial(request.host, request.port)
        except DialRefused as fault:
            raise _forbidden(f"{fault}: only the public internet can be reached") from None
        except (DialFailed, NetworkError) as fault:
            raise _Refused("502 Bad Gateway", "failed", str(fault)) from None

    async def _read_request(self, parse: Callable[[bytes], Request]) -> Request:
        def whole(data: bytearray) -> tuple[Request, int] | None:
            end = head_end(data)
            return None if end is None else (parse(bytes(data[:end])), end)

        request, size = await self._receive(whole)
        self._client.take(size)
        self._request = request
        return request

    async def _receive(self, parse: Callable[[bytearray], _T | None]) -> _T:
        try:
            async with asyncio.timeout(self._limits.head_seconds):
                return await self._client.receive(parse)
        except TimeoutError:
            raise _Refused("408 Request Timeout", "failed", "the request did not arrive in time") from None
        except (BadRequest, BadHello) as fault:
            raise _Refused("400 Bad Request", "denied", f"malformed request: {fault}") from None


def _forbidden(reason: str) -> _Refused:
    return _Refused("403 Forbidden", "denied", reason, "blocked-by-policy")


def _shown_line(data: bytearray) -> str:
    line = bytes(data[:_SHOWN_BYTES]).split(b"\r\n")[0]
    return line.decode("latin-1").encode("unicode_escape").decode("ascii")


def _visible_method(request: Request) -> str | None:
    return None if request.method == "CONNECT" else request.method
