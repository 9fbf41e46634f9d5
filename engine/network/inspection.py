"""A tunnel the gateway looks into: TLS ended on both sides, every request in it judged (SPEC N4, N5).

HTTP/1.1 only, and one connection to the server for one tunnel: when either side closes, both do, so that a client
meets nothing it would not meet without a gateway. Upgrades are refused: what follows them could not be judged.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress

import h11
from msgspec import Struct

from engine.network.certificates import Authority
from engine.network.credentials import Credential, with_credentials
from engine.network.endpoint import ConnectionEnded, Endpoint, linger
from engine.network.model import Budget
from engine.network.policy import Policy
from engine.network.record import Limits, RequestRecord, Verdict, shown_path
from engine.network.refusal import Refused, forbidden, judged, malformed
from engine.network.request import (
    MAX_HEAD,
    BadRequest,
    OtherHost,
    Request,
    framing_fields,
    head_end,
    parse_tunnelled_request,
)
from engine.network.tls import TlsStream

_HTTPS = 443
_HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-connection", b"te", b"trailer", b"upgrade"}
)


class Inspection(Struct, frozen=True):
    """What inspected tunnels of one gateway share.

    Attributes:
        authority: makes the certificates shown to the container.
        trust: how servers are verified.
        credentials: the network secrets.
        on_request: called once for each decided request inside a tunnel, when it has ended.
        budget: the requests to the agent's model that are answered.
    """

    authority: Authority
    trust: ssl.SSLContext
    credentials: tuple[Credential, ...]
    on_request: Callable[[RequestRecord], None]
    budget: Budget | None = None


def system_trust() -> ssl.SSLContext:
    """How this machine verifies servers: its own authorities, or those of SSL_CERT_FILE and SSL_CERT_DIR."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class _Underway(Struct):
    """A request that has begun; `request` is None until it could be read."""

    began: float
    sent: int
    received: int
    request: Request | None = None
    rule: str = ""
    verdict: Verdict = "allowed"
    reason: str = ""


class InspectedTunnel:
    """Serves the requests inside one tunnel, one after the other.

    Args:
        client: the container's side; it has sent a ClientHello for the tunnel's host.
        server: a connection to that host.
        tunnel: the CONNECT request.
        policy: gives the policy in force now.
        limits: the times to keep.
        inspection: authority, trust and credentials.

    Attributes:
        requests: how many requests were begun.
        reason: why nothing could be served; empty otherwise.
    """

    def __init__(
        self,
        client: Endpoint,
        server: Endpoint,
        tunnel: Request,
        *,
        policy: Callable[[], Policy],
        limits: Limits,
        inspection: Inspection,
    ) -> None:
        self.requests = 0
        self.reason = ""
        self._host, self._port = tunnel.host, tunnel.port
        self._policy = policy
        self._limits = limits
        self._inspection = inspection
        self._client_end, self._server_end = client, server
        self._client = TlsStream(client, inspection.authority.server_context(tunnel.host))
        self._server = TlsStream(server, inspection.trust, tunnel.host)
        self._server_ready = False
        self._pending = b""
        self._underway: _Underway | None = None

    @property
    def request(self) -> Request | None:
        """The request under way."""
        return self._underway.request if self._underway else None

    async def run(self) -> None:
        """Serve until one side ends."""
        try:
            async with asyncio.timeout(self._limits.head_seconds):
                await self._client.handshake()
        except ssl.SSLError as fault:
            self.reason = f"the program did not take the gateway's certificate for {self._host} ({_why(fault)})"
            return
        except (TimeoutError, ConnectionEnded):
            self.reason = (
                f"the program broke off TLS with the gateway for {self._host}: it may not trust its certificate"
            )
            return
        self._server_end.ended.add_done_callback(self._server_ended)
        with suppress(ConnectionEnded):
            while await self._serve_one() and not self._server_end.ended.done():
                pass
            self._client.finish()

    def end(self, reason: str = "") -> RequestRecord | None:
        """The record of the request under way, which ends here; None when there is none."""
        now, self._underway = self._underway, None
        if now is None:
            return None
        return RequestRecord(
            host=self._host,
            port=self._port,
            method=now.request.method if now.request else "",
            decision=now.verdict,
            rule=now.rule,
            reason=now.reason or reason,
            bytes_up=self._server.sent - now.sent,
            bytes_down=self._server.received - now.received,
            seconds=round(asyncio.get_running_loop().time() - now.began, 3),
            path=shown_path(now.request.path) if now.request else "",
        )

    def _server_ended(self, _: object) -> None:
        """Between two requests, let the client see that the server closed, so that it does not send another."""
        if self._underway is None and not self._pending:
            self._client.finish()
            self._client_end.close()

    async def _serve_one(self) -> bool:
        """Serve one request; whether another one may follow."""
        if not self._pending:
            self._pending = await self._client.read()
        if not self._pending:
            return False
        self.requests += 1
        loop = asyncio.get_running_loop()
        now = self._underway = _Underway(loop.time(), self._server.sent, self._server.received)
        again = False
        try:
            again = await self._answer(now)
        except Refused as refusal:
            await self._turn_away(now, refusal)
        except ConnectionEnded:
            now.reason = now.reason or "the connection ended early"
        record = self.end()
        if record is not None:
            self._inspection.on_request(record)
        return again

    async def _turn_away(self, now: _Underway, refusal: Refused) -> None:
        if not now.reason:
            now.verdict, now.reason = refusal.verdict, refusal.reason
        now.rule = now.rule or refusal.rule
        with suppress(ConnectionEnded):
            await self._client.write(refusal.response())
            self._client.finish()
            await linger(self._client_end)

    async def _answer(self, now: _Underway) -> bool:
        head = await self._head()
        try:
            now.request = parse_tunnelled_request(head, self._host, self._port)
        except OtherHost:
            raise forbidden(f"a request in the tunnel to {self._host} names another host") from None
        except BadRequest as fault:
            raise malformed(fault) from None
        now.rule = self._judge(now.request)
        await self._ready()
        return await self._exchange(now, now.request, head)

    async def _head(self) -> bytes:
        """The head of the next request; what came after it stays pending."""
        try:
            async with asyncio.timeout(self._limits.head_seconds):
                while (end := head_end(self._pending)) is None:
                    more = await self._client.read()
                    if not more:
                        raise ConnectionEnded
                    self._pending += more
        except TimeoutError:
            raise Refused("408 Request Timeout", "failed", "the request did not arrive in time") from None
        except BadRequest as fault:
            raise malformed(fault) from None
        head, self._pending = self._pending[:end], self._pending[end:]
        return head

    def _judge(self, request: Request) -> str:
        rule = judged(self._policy(), request, self._inspection.budget)
        if request.websocket:
            raise forbidden(f"a websocket to {self._host} was refused: what it carries cannot be inspected")
        if request.method == "TRACE" and any(c.bound_to(self._host, self._port) for c in self._inspection.credentials):
            raise forbidden(f"TRACE to {self._host} was refused: its answer would hold a network secret")
        return rule

    async def _ready(self) -> None:
        """Speak TLS with the server, and verify it, before the first request that is allowed."""
        if self._server_ready:
            return
        try:
            async with asyncio.timeout(self._limits.connect_seconds):
                await self._server.handshake()
        except ssl.SSLCertVerificationError as fault:
            raise _failed(f"the certificate of {self._host} is not valid: {fault.verify_message}") from None
        except ssl.SSLError as fault:
            raise _failed(f"{self._host} does not speak TLS with the gateway ({_why(fault)})") from None
        except (TimeoutError, ConnectionEnded):
            raise _failed(f"{self._host} did not finish the TLS handshake") from None
        self._server_ready = True

    async def _exchange(self, now: _Underway, request: Request, head: bytes) -> bool:
        """Pass one request and its answer; whether another may follow on both connections."""
        down = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        up = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        # The head is known to have one meaning; read again, it tells h11 how to frame the answer.
        down.receive_data(head + self._pending)
        self._pending = b""
        try:
            down.next_event()
            begin = _sent(up, self._upstream(request))
        except (h11.RemoteProtocolError, h11.LocalProtocolError) as fault:
            raise malformed(fault) from None
        upload = asyncio.ensure_future(self._upload(now, down, up, begin))
        try:
            await self._download(down, up)
        finally:
            upload.cancel()
            await asyncio.wait({upload})
        self._pending = down.trailing_data[0]
        states = (down.our_state, down.their_state, up.our_state, up.their_state)
        return all(state is h11.DONE for state in states) and not up.trailing_data[0]

    def _upstream(self, request: Request) -> h11.Request:
        fields = [(b"Host", request.authority(_HTTPS).encode("ascii"))]
        fields += with_credentials(request, self._inspection.credentials)
        fields += [(name.encode("ascii"), value.encode("ascii")) for name, value in framing_fields(request)]
        return h11.Request(method=request.method, target=request.path, headers=fields)

    async def _upload(self, now: _Underway, down: h11.Connection, up: h11.Connection, begin: bytes) -> None:
        """Pass the request, trailers left out; a body that breaks off breaks the connection to the server."""
        try:
            waiting = [begin]
            while not isinstance(event := down.next_event(), h11.EndOfMessage):
                if isinstance(event, h11.Data):
                    waiting.append(_sent(up, h11.Data(data=event.data)))
                    continue
                await self._server.write(b"".join(waiting))
                waiting.clear()
                down.receive_data(await self._client.read())
            await self._server.write(b"".join((*waiting, _sent(up, h11.EndOfMessage()))))
        except h11.RemoteProtocolError as fault:
            now.verdict, now.reason = "denied", f"malformed request: {fault}"
            self._server_end.abort()
        except ConnectionEnded:
            self._server_end.abort()

    async def _download(self, down: h11.Connection, up: h11.Connection) -> None:
        """Pass the answer, trailers left out."""
        waiting: list[bytes] = []
        answered = False
        while not isinstance(event := self._event(up, answered), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                if waiting:
                    await self._client.write(b"".join(waiting))
                    waiting.clear()
                up.receive_data(await self._from_server(answered))
            elif isinstance(event, h11.Data):
                waiting.append(_sent(down, h11.Data(data=event.data)))
            elif isinstance(event, (h11.InformationalResponse, h11.Response)):
                answered = isinstance(event, h11.Response)
                waiting.append(_sent(down, _passed_on(event)))
            else:
                raise ConnectionEnded
        await self._client.write(b"".join((*waiting, _sent(down, h11.EndOfMessage()))))

    def _event(self, up: h11.Connection, answered: bool) -> object:
        try:
            return up.next_event()
        except h11.RemoteProtocolError as fault:
            if answered:
                raise ConnectionEnded from None
            raise _failed(f"the answer of {self._host} is not HTTP/1.1: {fault}") from None

    async def _from_server(self, answered: bool) -> bytes:
        try:
            return await self._server.read()
        except ConnectionEnded:
            # A client knows what to do when a connection it used before closes under its next request.
            if answered or self.requests > 1:
                raise
            raise _failed(f"{self._host} closed the connection without an answer") from None


def _sent(connection: h11.Connection, event: h11.Event) -> bytes:
    return connection.send(event) or b""


def _passed_on(event: h11.InformationalResponse | h11.Response) -> h11.InformationalResponse | h11.Response:
    """The answer without what concerns the connection to the server alone."""
    tokens = {
        token.strip().lower() for name, value in event.headers if name == b"connection" for token in value.split(b",")
    }
    headers = [(name, value) for name, value in event.headers.raw_items() if name.lower() not in _HOP_BY_HOP | tokens]
    if isinstance(event, h11.InformationalResponse):
        return h11.InformationalResponse(status_code=event.status_code, headers=headers, reason=event.reason)
    if b"close" in tokens or (event.http_version < b"1.1" and b"keep-alive" not in tokens):
        headers.append((b"Connection", b"close"))
    return h11.Response(status_code=event.status_code, headers=headers, reason=event.reason)


def _failed(reason: str) -> Refused:
    return Refused("502 Bad Gateway", "failed", reason)


def _why(fault: ssl.SSLError) -> str:
    return (fault.reason or "no reason given").lower().replace("_", " ")
