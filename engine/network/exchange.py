"""One connection of a container: its request, the decision on it, and the bytes that pass."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from engine.errors import NetworkError
from engine.network.body import body_reader
from engine.network.client_hello import BadHello, is_tls, server_name
from engine.network.dial import DialFailed, DialRefused
from engine.network.endpoint import Bytes, ConnectionEnded, Endpoint, linger, moving, splice
from engine.network.hosts import is_address
from engine.network.policy import Policy
from engine.network.record import Limits, RequestRecord, Verdict, shown_line, shown_path
from engine.network.refusal import Refused, forbidden, judged, malformed, visible_method
from engine.network.request import (
    BadRequest,
    Request,
    head_end,
    parse_proxy_request,
    parse_tunnelled_request,
    upstream_head,
)

if TYPE_CHECKING:
    from engine.network.inspection import InspectedTunnel, Inspection
    from engine.network.model import Budget, LocalModel
    from engine.network.proxies import Proxy

_T = TypeVar("_T")
_HTTPS = 443
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
# Fatal alert access_denied: clients name it in their error message, where a closed connection would tell nothing.
_TLS_REFUSAL = bytes((21, 3, 3, 0, 2, 2, 49))
_CLOSE_SECONDS = 60.0
_SHOWN_BYTES = 200


class Exchange:
    """Serves one connection of a container.

    Args:
        client: the container's side.
        policy: gives the policy in force now.
        dial: connects to a host and port the policy allows; raises as `engine.network.dial.dial`.
        limits: the times to keep.
        dial_plain: as `dial`, for one plain request, which may be for a proxy of this host; `dial` when None.
        inspection: what it takes to look into tunnels, and to know which need it; None to look into none.
        budget: the requests to the agent's model that are answered.
        local: the agent's model, where that is served on this machine.
    """

    def __init__(
        self,
        client: Endpoint,
        *,
        policy: Callable[[], Policy],
        dial: Callable[[str, int], Awaitable[Endpoint]],
        limits: Limits,
        dial_plain: Callable[[str, int], Awaitable[tuple[Endpoint, Proxy | None]]] | None = None,
        inspection: Inspection | None = None,
        budget: Budget | None = None,
        local: LocalModel | None = None,
    ) -> None:
        self._budget, self._local = budget, local
        self._client = client
        self._server: Endpoint | None = None
        self._policy = policy
        self._dial = dial
        self._limits = limits
        self._dial_plain = dial_plain
        self._inspection = inspection
        self._inspected: InspectedTunnel | None = None
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
        except Refused as refusal:
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
        if self._inspected is not None and self._inspected.requests:
            return self._inspected.end(self._reason)
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
            path=shown_path(request.path) if request else "",
        )

    def cut_by(self, policy: Policy) -> bool:
        """Whether `policy` would not have let this exchange come as far as it has; if so the record will say it."""
        request = (self._inspected and self._inspected.request) or self._request
        if request is None or self._verdict != "allowed":
            return False
        unseen = self._tunnel_open and self._inspected is None and policy.inspects(request.host, request.port)
        if policy.decide(request.host, request.port, visible_method(request), request.path).allowed and not (
            unseen or (self._unchecked and policy.checks_tunnel(request.host, request.port))
        ):
            return False
        self.cut("cut: the network policy changed")
        return True

    def cut(self, reason: str) -> None:
        """Let the record of a request that was let through say why it ended early."""
        if self._request is not None and self._verdict == "allowed":
            self._reason = reason

    async def _serve(self) -> None:
        request = await self._read_request(parse_proxy_request)
        self._judge(request)
        self._server, proxy = await self._connect(request)
        if request.method == "TRACE" and proxy is not None and proxy.fields:
            raise forbidden("TRACE was refused: its answer can hold the credentials for the proxy of this host")
        if request.method != "CONNECT":
            await self._forward(request, self._server, proxy)
        else:
            await self._tunnel(request, self._server)

    async def _tunnel(self, request: Request, server: Endpoint) -> None:
        self._client.write(_ESTABLISHED)
        self._tunnel_open = True
        inspection = self._inspection if self._needs_inspection(request) else None
        if inspection is None and not self._policy().checks_tunnel(request.host, request.port):
            self._unchecked = True
        elif is_tls(await self._receive(lambda data: data or None)):
            await self._check_hello(request)
            if inspection is not None:
                await self._inspect(request, server, inspection)
                return
            if self._policy().is_model(request.host, request.port):
                raise forbidden(f"the model at {request.host} is asked without TLS: what it carries cannot be seen")
        elif request.port == _HTTPS:
            raise forbidden(f"the tunnel to {request.host}:{_HTTPS} carries something else than TLS")
        else:
            await self._plain_in_tunnel(request, server)
            return
        await splice(self._client, server, self._limits.idle_seconds)
        await self._close(server)

    async def _check_hello(self, request: Request) -> None:
        """Refuse a TLS connection that is for another host than the tunnel was opened to."""
        name = await self._receive(server_name)
        if name != request.host and not (name == "" and is_address(request.host)):
            raise forbidden(f"the TLS hello in the tunnel to {request.host} names {name or 'no server'}")

    async def _plain_in_tunnel(self, request: Request, server: Endpoint) -> None:
        """Plain HTTP in a tunnel is read and judged like any other, so that it can neither change host nor method."""
        inner = await self._read_request(lambda head: parse_tunnelled_request(head, request.host, request.port))
        self._judge(inner)
        await self._forward(inner, server)

    def _needs_inspection(self, request: Request) -> bool:
        if self._inspection is None:
            return False
        bound = any(credential.bound_to(request.host, request.port) for credential in self._inspection.credentials)
        return bound or self._policy().inspects(request.host, request.port)

    async def _inspect(self, request: Request, server: Endpoint, inspection: Inspection) -> None:
        """Serve the requests inside a tunnel one by one; each is recorded, and the tunnel only if it held none."""
        from engine.network.inspection import InspectedTunnel

        inspected = self._inspected = InspectedTunnel(
            self._client, server, request, policy=self._policy, limits=self._limits, inspection=inspection
        )
        serving = asyncio.create_task(inspected.run())
        try:
            await moving((self._client, server), {serving, self._client.lost}, self._limits.idle_seconds)
        finally:
            serving.cancel()
            await asyncio.wait({serving})
        if not serving.cancelled():
            serving.result()
        if inspected.reason:
            self._verdict, self._reason = "failed", inspected.reason
        await self._close(server)

    async def _forward(self, request: Request, server: Endpoint, proxy: Proxy | None = None) -> None:
        """Send one request on, and everything that comes back."""
        body = body_reader(request.body)

        def pass_body(data: Bytes) -> None:
            try:
                server.write(body.feed(data))
            except BadRequest as fault:
                self._reason = f"malformed request: {fault}"
                server.abort()

        def body_ended(_: object) -> None:
            if not body.finished:
                server.abort()

        if self._local and self._local.is_asked(request.host, request.port):
            request = self._local.upstream(request)
        server.write(upstream_head(request, proxy))
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

    async def _turn_away(self, refusal: Refused) -> None:
        self._verdict, self._reason = refusal.verdict, refusal.reason
        self._rule = refusal.rule or self._rule
        self._first_line = shown_line(self._client.gathered)
        spoke_tls = self._tunnel_open and is_tls(self._client.gathered)
        self._client.write(_TLS_REFUSAL if spoke_tls else refusal.response())
        await linger(self._client)

    def _judge(self, request: Request) -> None:
        self._rule = judged(self._policy(), request, self._budget)

    async def _connect(self, request: Request) -> tuple[Endpoint, Proxy | None]:
        try:
            if request.method != "CONNECT" and self._dial_plain is not None:
                return await self._dial_plain(request.host, request.port)
            return await self._dial(request.host, request.port), None
        except DialRefused as fault:
            raise forbidden(f"{fault}: only the public internet can be reached") from None
        except (DialFailed, NetworkError) as fault:
            raise Refused("502 Bad Gateway", "failed", str(fault)) from None

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
            raise Refused("408 Request Timeout", "failed", "the request did not arrive in time") from None
        except (BadRequest, BadHello) as fault:
            raise malformed(fault) from None
