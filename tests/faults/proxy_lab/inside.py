"""The lab itself, as the first process of its own mount, process and network namespaces (see `lab`).

    python -m tests.faults.proxy_lab.inside FOLDER spliced|inspected

The gateways and the client share this network namespace; the servers are in another one, as a gateway refuses the
addresses of its own. Prints one JSON line: the outcome of each case.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

from engine.network.certificates import load_authority
from engine.network.record import shown_line
from tests.faults.proxy_lab import places
from tests.faults.proxy_lab.cases import CASES, Case, Tls
from tests.faults.proxy_lab.client import ask
from tests.faults.proxy_lab.servers import Arrival

_PORTS = {"limited": 3128, "full": 3129}
_POLICIES = {
    "limited": 'mode = "limited"\nallow = ["=allowed.test", "*.wild.test"]\nmethods = ["GET", "HEAD", "OPTIONS"]\n',
    "full": 'mode = "full"\n',
}
# No other name service than the lab's: no search domains of this machine, no name service of its own.
_ETC = {
    "resolv.conf": f"nameserver {places.NAME_SERVER}\nsearch .\noptions timeout:1 attempts:2\n",
    "hosts": f"{places.LOOPBACK} localhost\n",
    "nsswitch.conf": "hosts: files dns\n",
}
_START_SECONDS = 20.0
_RECORD_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one case.

    Attributes:
        answer: the first line of what the client got, with escapes; that of the tunnel's inside, if it was opened.
        leaks: what arrived where it must not, each in words.
        broken: why the client did not get what it must get: its answer, or a refusal; empty when it did.
    """

    answer: str
    leaks: tuple[str, ...]
    broken: str


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """The servers of one namespace (`servers`)."""

    process: subprocess.Popen[str]

    def arrivals(self) -> list[Arrival]:
        """What arrived since the last time this was asked."""
        return [Arrival(**arrival) for arrival in json.loads(self._ask("arrivals"))]

    def wait(self) -> None:
        """Wait until they listen."""
        self._read()

    def _ask(self, question: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{question}\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the servers of the lab ended; what they said is above")
        return line


@dataclass(frozen=True, slots=True)
class GatewayProcess:
    """`python -m engine.network`, listening on a port of loopback."""

    port: int
    lines: Queue[str]

    def records(self, number: int) -> list[dict[str, str]]:
        """The records of the next requests that have ended, `number` of them; fewer if they do not come."""
        found: list[dict[str, str]] = []
        with suppress(Empty):
            while len(found) < number:
                told = json.loads(self.lines.get(timeout=_RECORD_SECONDS))
                # The first line says where it listens.
                if "listening" not in told:
                    found.append(told)
        return found


def run(folder: Path, *, inspect: bool) -> dict[str, Outcome]:
    """Lay the networks, start everything, and try each case."""
    _lay_files(folder)
    servers_ca = load_authority(folder / "servers")
    (folder / "servers.pem").write_bytes(servers_ca.certificate)
    # Without limits nothing needs to be seen, and nothing is looked into.
    authorities = {"limited": load_authority(folder / "gateway") if inspect else servers_ca, "full": servers_ca}
    trust = {n: ssl.create_default_context(cadata=ca.certificate.decode()) for n, ca in authorities.items()}
    # An attacker takes any certificate, and need not name a server.
    careless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    careless.check_hostname, careless.verify_mode = False, ssl.CERT_NONE
    with ExitStack() as stack:
        servers = stack.enter_context(_networks(folder))
        gateways = {name: stack.enter_context(_gateway(folder, name, inspect=inspect)) for name in _PORTS}
        _prove_reachable(servers)
        outcomes = {}
        for case in CASES:
            gateway = gateways[case.policy]
            answer = ask(case, gateway.port, trust[case.policy] if case.reaches else careless)
            # All is over when it is recorded: what a request had to cause has arrived, and no server waits for more.
            looked_into = inspect and isinstance(case.inside, Tls) and len(case.inside.messages)
            records = gateway.records(looked_into or 1)
            arrivals = [arrival for each in servers for arrival in each.arrivals()]
            outcomes[case.name] = judge(case, answer, arrivals, records)
    return outcomes


def judge(case: Case, answer: bytes, arrivals: Sequence[Arrival], records: Sequence[dict[str, str]]) -> Outcome:
    """The outcome of a case: from what the servers saw first, then from what the client and the log were told."""
    target = case.reaches or case.dials
    leaks = [leak for arrival in arrivals for leak in _leaks(case, arrival, target)]
    told = answer.decode("latin-1")
    if target is None:
        named = [addresses for name, addresses in places.NAMES.items() if name.encode() in case.request]
        leaks += [f"told {address}" for addresses in named for address in addresses if address in told]
    return Outcome(shown_line(answer), tuple(dict.fromkeys(leaks)), _broken(case, answer, records))


def _leaks(case: Case, arrival: Arrival, target: str | None) -> Iterator[str]:
    limited = case.policy == "limited"
    if not arrival.address:
        if limited and not places.permitted(arrival.name):
            yield f"looked up {arrival.name}"
        return
    if arrival.address != target or arrival.port not in (places.HTTP, places.HTTPS):
        yield f"connected to {arrival.address} port {arrival.port}"
    if arrival.size and (case.reaches is None or arrival.more):
        yield f"{arrival.address} got {'more than a request' if arrival.more else 'bytes'}"
    if limited and arrival.name and not places.permitted(arrival.name):
        yield f"TLS for {arrival.name}"
    for method, host in arrival.requests:
        if limited and (not places.permitted(host.partition(":")[0]) or method not in places.METHODS):
            yield f"{method} to {host}"


def _broken(case: Case, answer: bytes, records: Sequence[dict[str, str]]) -> str:
    if not answer:
        return "no answer"
    if case.reaches and f"REACHED {case.reaches} ".encode() not in answer:
        return "not reached"
    if case.says not in answer:
        return f"the answer does not say {case.says.decode()}"
    if not records:
        return "no record"
    if not all((record["host"] + record["path"] + record["reason"]).isprintable() for record in records):
        return "its record is not plain text"
    decision = records[-1]["decision"]
    return "" if case.hidden or (decision == "denied") is (case.reaches is None) else f"recorded as {decision}"


def _prove_reachable(servers: Sequence[ServerProcess]) -> None:
    """Every address answers whoever asks it without a gateway, and is heard of: no leak goes unseen.

    Raises:
        RuntimeError: one does not.
    """
    version6 = _has_ipv6()
    here = (*places.HERE, *(places.HERE6 if version6 else ()))
    there = (places.NAME_SERVER, *places.SERVED, *(places.SERVED6 if version6 else ()))
    for each, addresses in zip(servers, (here, there), strict=True):
        wanted = {(address, port) for address in addresses for port in (*places.PLAIN_PORTS, places.HTTPS)}
        for place in wanted:
            with socket.create_connection(place, timeout=_START_SECONDS) as connection:
                connection.sendall(b"x")
        seen = {(arrival.address, arrival.port) for arrival in each.arrivals() if arrival.size}
        if seen != wanted:
            raise RuntimeError(f"the lab is not whole: {sorted(wanted ^ seen)}")


def _lay_files(folder: Path) -> None:
    for name, text in _ETC.items():
        (folder / name).write_text(text)
        target = Path("/etc", name)
        if target.exists():
            subprocess.run(["mount", "--bind", folder / name, target], check=True)


@contextmanager
def _networks(folder: Path) -> Iterator[tuple[ServerProcess, ServerProcess]]:
    """This namespace, one with the other addresses, the wire between them; the servers of both."""
    _ip("link set lo up")
    with _servers(folder, []) as here, _servers(folder, ["unshare", "--net"]) as there:
        pid = there.process.pid
        _ip(f"link add gate type veth peer name wire netns {pid}", *_end_of_wire(places.OWN, places.OWN6, "gate"))
        _ip(f"route add default via {places.NAME_SERVER}", *_with_ipv6(f"route add default via {places.NAME_SERVER6}"))
        served = ["link set lo up", *(f"addr add {address}/32 dev lo" for address in places.SERVED)]
        served += _with_ipv6(*(f"addr add {address}/128 dev lo nodad" for address in places.SERVED6))
        _ip(*_end_of_wire(places.NAME_SERVER, places.NAME_SERVER6, "wire"), *served, namespace_of=pid)
        yield here, there


def _end_of_wire(address: str, address6: str, device: str) -> list[str]:
    return [
        f"addr add {address}/30 dev {device}",
        *_with_ipv6(f"addr add {address6}/64 dev {device} nodad"),
        f"link set {device} up",
    ]


def _with_ipv6(*commands: str) -> list[str]:
    return list(commands) if _has_ipv6() else []


def _has_ipv6() -> bool:
    return Path("/proc/net/if_inet6").exists()


def _ip(*commands: str, namespace_of: int | None = None) -> None:
    """Run `ip` once with these commands."""
    enter = [] if namespace_of is None else ["nsenter", f"--net=/proc/{namespace_of}/ns/net"]
    subprocess.run([*enter, "ip", "-batch", "-"], input="\n".join(commands), text=True, check=True)


@contextmanager
def _servers(folder: Path, within: Sequence[str]) -> Iterator[ServerProcess]:
    command = [*within, sys.executable, "-m", "tests.faults.proxy_lab.servers", str(folder / "servers")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            servers = ServerProcess(process)
            servers.wait()
            yield servers
        finally:
            process.kill()


@contextmanager
def _gateway(folder: Path, policy: str, *, inspect: bool) -> Iterator[GatewayProcess]:
    file = folder / f"{policy}.toml"
    file.write_text(_POLICIES[policy] + f"inspect = {str(inspect).lower()}\n")
    command = [sys.executable, "-m", "engine.network", "--policy", str(file), "--port", str(_PORTS[policy])]
    command += ["--ca", str(folder / "gateway")] if inspect else []
    # A proxy of this machine would be used.
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment["SSL_CERT_FILE"] = str(folder / "servers.pem")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            _wait_for(process, _PORTS[policy])
            lines = Queue[str]()
            Thread(target=_copy, args=(process, lines), daemon=True).start()
            yield GatewayProcess(_PORTS[policy], lines)
        finally:
            process.kill()


def _copy(process: subprocess.Popen[str], lines: Queue[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)


def _wait_for(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection((places.LOOPBACK, port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
            continue
        return
    raise RuntimeError(f"the gateway does not listen on port {port}")


if __name__ == "__main__":
    found = run(Path(sys.argv[1]), inspect=sys.argv[2] == "inspected")
    print(json.dumps({name: asdict(outcome) for name, outcome in found.items()}))
