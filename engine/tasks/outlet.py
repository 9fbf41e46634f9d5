"""The way out of one container for the length of one phase: a gateway here, a relay beside the container (SPEC N2)."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from engine.containers.container import Container
from engine.errors import EngineError, NetworkError
from engine.network import relay
from engine.network.attribution import Cause
from engine.network.gateway import Gateway, RequestRecord
from engine.network.policy import Policy
from engine.network.proxies import host_proxies
from engine.network.rules import parse_entry
from engine.network.variables import FETCH_SCRIPT, proxy_variables
from engine.state import socket_dir
from engine.tasks import events as ev
from engine.tasks.relays import Relays
from engine.tasks.requests import asked_to_allow
from engine.tasks.scripts import HOME
from engine.tasks.work import Work

if TYPE_CHECKING:
    from engine.agents.route import Route
    from engine.network.certificates import Authority
    from engine.network.credentials import Credential
    from engine.network.model import Budget, LocalModel

_FETCH = f"{HOME}/fetch.cjs"
# What programs of a Debian-like system trust, and what `update-ca-certificates` adds to that whenever it makes it anew.
_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
_ADDED_AUTHORITY = "/usr/local/share/ca-certificates/fumehood.crt"
# Of one way out; a large installation takes some thousand.
MOST_RECORDS = 20_000
_RELAY_SECONDS = 15.0
_RESTARTS = 3
_TICK_SECONDS = 0.2


class Outlet(Struct):
    """An open way out: the variables that lead programs to it.

    Requests that began before `counted_from` (monotonic seconds) are the self-test's own and not journalled.
    `budget` counts those to the agent's model, where it has a way there.
    """

    variables: Mapping[str, str]
    counted_from: float = 0.0
    budget: Budget | None = None


@contextmanager
def outlet(
    work: Work, container: Container, phase: ev.Phase, policy: Policy, *, run: int, route: Route | None = None
) -> Iterator[Outlet]:
    """Let the container out as far as `policy` allows; every request is journalled (SPEC N1, N6).

    It ends with the block: relay and gateway go, and with them every connection. What the user allows the task
    meanwhile is added to a limited policy.

    Args:
        route: the agent's way to its model, which `policy` allows; its requests get the key.

    Raises:
        NetworkError: gateway or relay cannot be set up; nothing is reachable then.
    """
    interpreter, node_options = _asked(container)
    sight = _inspection(work, container, route)
    way = _way(work, route) if route else _Way()
    container.put(_FETCH, FETCH_SCRIPT)
    way_out = Outlet({**proxy_variables(_FETCH, node_options), **sight.variables, **way.variables}, budget=way.budget)
    folder = socket_dir(f"{work.id}-{phase}-{run}")

    records = _Records(work, phase, run, way_out)
    try:
        with (
            _Serving(folder / relay.SOCKET_NAME, policy, records.add, sight, way) as serving,
            closing(Relays(work, container, interpreter, folder, run)) as relays,
        ):
            # A second time, if somebody took the first away.
            if not (_came(serving, relays) or _came(serving, relays)):
                raise NetworkError("the relay container did not start: there is no way out of the container")
            with _attended(work, serving, relays, phase, run):
                yield way_out
    finally:
        records.close()
        folder.rmdir()


class _Records:
    """The requests of one way out on their way to the journal: so many of them, the others counted.

    What runs in a container can ask without end, and the journal is on this machine's disk.
    """

    def __init__(self, work: Work, phase: ev.Phase, run: int, way_out: Outlet) -> None:
        self._work = work
        self._phase: ev.Phase = phase
        self._run = run
        self._way_out = way_out
        self._recorded = 0
        self._unrecorded = Counter[str]()

    def add(self, request: RequestRecord) -> None:
        if time.monotonic() - request.seconds < self._way_out.counted_from:
            return
        if self._recorded == MOST_RECORDS:
            if not self._unrecorded:
                self._tell(f"the {self._phase} made {MOST_RECORDS:,} requests: further ones are only counted")
            self._unrecorded[request.decision] += 1
            return
        self._recorded += 1
        cause = self._work.recorder.cause(self._run, request.seconds)
        # Services run beside the agent: their requests are of their own phase.
        phase = self._work.recorder.phase_of(cause.command) or self._phase
        self._work.recorder.emit(_event(request, phase, self._run, cause))

    def close(self) -> None:
        if self._unrecorded:
            counts = ", ".join(f"{count:,} {decision}" for decision, count in sorted(self._unrecorded.items()))
            self._tell(f"further requests of the {self._phase}, not listed: {counts}")

    def _tell(self, text: str) -> None:
        self._work.recorder.emit(ev.Notice(level="warning", text=text, run=self._run))


class _Sight(Struct, frozen=True):
    """What a gateway needs to look into TLS, and what the container needs to bear it; empty without `inspect`."""

    authority: Authority | None = None
    credentials: tuple[Credential, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


def _inspection(work: Work, container: Container, route: Route | None) -> _Sight:
    """The environment's certificate authority and network secrets, if it wants TLS inspected (SPEC N4, N5, N7).

    The way to a model takes it too: the key is put in there.
    """
    if not (work.environment.network.inspect or (route and not route.address)):
        return _Sight()
    from engine.network.certificates import environment_authority
    from engine.network.credentials import make_credential
    from engine.network.variables import ca_variables

    authority = environment_authority(work.environment.id)
    _trust(container, authority.certificate)
    credentials = [*_key(route)] if route and not route.address else []
    variables = ca_variables(_AUTHORITIES)
    for name, secret in work.environment.secrets.items():
        if secret.hosts:
            placeholder = "" if secret.header else work.placeholder(name)
            value = work.secrets[name].reveal()
            credentials.append(make_credential(secret.hosts, value, header=secret.header, placeholder=placeholder))
            if placeholder:
                variables[name] = placeholder
    return _Sight(authority, tuple(credentials), variables)


class _Way(Struct, frozen=True):
    """What a gateway and the container know of the way to a model; empty where there is none."""

    budget: Budget | None = None
    local: LocalModel | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


def _way(work: Work, route: Route) -> _Way:
    from engine.agents.route import LOCAL, URL
    from engine.network.hosts import split_authority
    from engine.network.model import Budget, LocalModel

    host = split_authority(route.authority)
    assert host is not None
    local = LocalModel(LOCAL, route.address, host[1], _key(route)) if route.address else None
    variables = {URL: route.url}
    if route.variable:
        variables[route.variable] = work.placeholder(route.variable)
    return _Way(Budget(work.environment.agent.max_requests), local, variables)


def _key(route: Route) -> tuple[Credential, ...]:
    """The key of a model, bound to its host."""
    from engine.network.credentials import make_credential

    if route.value is None:
        return ()
    return (make_credential([route.authority], route.value.reveal(), header=route.header, drops=route.drops),)


def _trust(container: Container, certificate: bytes) -> None:
    """Make the container's programs trust an authority, beside those it trusts and those a script will add."""
    from engine.network.certificates import bundle

    trusted = container.get(_AUTHORITIES)
    if certificate not in trusted:
        container.put_all({_ADDED_AUTHORITY: (certificate, 0o644), _AUTHORITIES: (bundle(certificate, trusted), 0o644)})


@contextmanager
def _attended(work: Work, serving: _Serving, relays: Relays, phase: ev.Phase, run: int) -> Iterator[None]:
    """Meanwhile take in what the user allows the task (SPEC N6), and replace relays that end unasked."""
    ended = threading.Event()

    def attend() -> None:
        offset, left = 0, _RESTARTS
        while not ended.wait(_TICK_SECONDS):
            if serving.policy.mode == "limited":
                offset = _allow(work, serving, offset, run)
            if left >= 0 and not serving.has_relay and not work.stop.event.is_set():
                work.recorder.emit(ev.NetworkLost(phase=phase, reason="the relay container ended", run=run))
                left = _replaced(work, serving, relays, phase, run, left)

    thread = threading.Thread(target=attend, name="outlet", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _came(serving: _Serving, relays: Relays) -> bool:
    """Start a relay, and wait until it has come, or has ended without."""
    relays.start()
    deadline = time.monotonic() + _RELAY_SECONDS
    while not (came := serving.reached(1.0)) and relays.running and time.monotonic() < deadline:
        pass
    return came


def _allow(work: Work, serving: _Serving, offset: int, run: int) -> int:
    """Take in what was asked for after `offset` of the requests; where they end now."""
    entries, offset = asked_to_allow(work.folder, offset)
    for entry in entries:
        serving.allow(entry)
        work.recorder.emit(ev.Notice(level="info", text=f"{entry} is allowed for this task now", run=run))
    return offset


def _replaced(work: Work, serving: _Serving, relays: Relays, phase: ev.Phase, run: int, left: int) -> int:
    """Start another relay, of `left` that may be; how many may be then, -1 when the network stays lost.

    The gateway has not ended and has its policy still, so nothing gets wider. The self-test is not run again: the agent
    is in the container now, as root, and what its tools would print proves nothing.
    """
    why = f"its relay ended {_RESTARTS + 1} times"
    if left:
        try:
            if _came(serving, relays):
                work.recorder.emit(ev.NetworkRestored(phase=phase, run=run))
                return left - 1
            why = "another relay could not listen"
        except EngineError as error:
            why = f"another relay could not be started: {error}"
    work.recorder.emit(ev.NetworkLost(phase=phase, reason=f"{why}; it stays lost in this phase", run=run))
    return -1


class _Serving:
    """A gateway on an event loop of its own, in a thread."""

    def __init__(
        self, path: Path, policy: Policy, record: Callable[[RequestRecord], None], sight: _Sight, way: _Way
    ) -> None:
        self._path = path
        self.policy = policy
        self._loop = asyncio.new_event_loop()
        self._gateway = Gateway(
            policy,
            on_request=record,
            authority=sight.authority,
            credentials=sight.credentials,
            proxies=host_proxies(os.environ),
            budget=way.budget,
            local=way.local,
        )
        self._thread = threading.Thread(target=self._loop.run_forever, name="gateway", daemon=True)

    def __enter__(self) -> _Serving:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._gateway.start(self._path), self._loop).result()
        return self

    @property
    def has_relay(self) -> bool:
        """Whether a relay is there; without one nothing goes out."""
        return self._gateway.reached.is_set()

    def reached(self, seconds: float) -> bool:
        """Wait until a relay has come."""
        waiting = asyncio.wait_for(self._gateway.reached.wait(), seconds)
        try:
            return asyncio.run_coroutine_threadsafe(waiting, self._loop).result()
        except TimeoutError:
            return False

    def allow(self, entry: str) -> None:
        """Add an entry, already in its stored form, to the policy in force."""
        self.policy = replace(self.policy, allow=(*self.policy.allow, *parse_entry(entry)))
        self._loop.call_soon_threadsafe(self._gateway.set_policy, self.policy)

    def __exit__(self, *_: object) -> None:
        self._gateway.shut()
        asyncio.run_coroutine_threadsafe(self._gateway.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _asked(container: Container) -> tuple[relay.Interpreter, str]:
    """What can run the relay, and the `NODE_OPTIONS` of image and environment, which have to go on holding."""
    printed = container.bash("type -P python3 perl; printf '\\0%s' \"$NODE_OPTIONS\"").out.decode("utf-8", "replace")
    found, _, node_options = printed.partition("\0")
    for interpreter in relay.INTERPRETERS:
        if f"/{interpreter}\n" in found:
            return interpreter, node_options
    raise NetworkError(
        f"image {container.image_name} has neither python3 nor perl, which the relay to the network needs",
        "install one of them in the image (Debian: perl-base)",
    )


def _event(request: RequestRecord, phase: ev.Phase, run: int, cause: Cause) -> ev.NetworkRequest:
    return ev.NetworkRequest(
        phase=phase,
        host=request.host,
        port=request.port,
        method=request.method,
        decision=request.decision,
        path=request.path,
        rule=request.rule,
        reason=request.reason,
        bytes_up=request.bytes_up,
        bytes_down=request.bytes_down,
        seconds=request.seconds,
        command=cause.command,
        sure=cause.sure,
        run=run,
    )
