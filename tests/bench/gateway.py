"""What the way container -> relay -> gateway -> server costs, against a direct connection in the same run.

    python tests/bench/gateway.py [--runs 5] [--size 512] [--image fumehood/base:bookworm] [--interpreter python3]

Direct is a container pair on a docker network of their own; the other client has no network but the relay. Without
docker everything runs on this machine's loopback, which is a faster direct connection than any real one. Figures are
medians of runs taken in turns. squid and mitmproxy, where installed, are measured from this machine to the same server,
beside the gateway on that way.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from engine.network.certificates import load_authority  # noqa: E402
from engine.network.gateway import Gateway  # noqa: E402
from engine.network.policy import Policy, make_policy  # noqa: E402
from engine.network.relay import (  # noqa: E402
    RELAY_PORT,
    SCRIPT_MOUNT,
    SOCKET_MOUNT,
    SOCKET_NAME,
    Interpreter,
    relay_command,
    script_path,
)
from engine.network.resolver import Resolver  # noqa: E402

ENDS = Path(__file__).parent / "ends" / "gateway.py"
SERVER = "server.test"
SQUID = """http_port 127.0.0.1:{port}
acl all_ports port 1-65535
http_access allow all
cache deny all
access_log none
cache_log /dev/null
pid_filename none
coredump_dir {folder}
"""


@dataclass(frozen=True)
class Way:
    """One way from a client to the server; `run` gives the output of the client script for its arguments, and
    `policy` is what `gateway` is told before."""

    name: str
    run: Callable[[list[str]], str]
    options: tuple[str, ...] = ()
    gateway: Gateway | None = None
    policy: Policy | None = None

    def judged(self, gateway: Gateway) -> list[Way]:
        """This way with the tunnels spliced, and looked into."""
        allow = [f"{SERVER}:8443", f"{SERVER}:8080"]
        policies = {
            "spliced": make_policy("limited", allow=allow),
            "inspected": make_policy("limited", allow=allow, methods=["GET"], inspect=True),
        }
        return [Way(f"{self.name} {kind}", self.run, self.options, gateway, p) for kind, p in policies.items()]


class Background:
    """An event loop in a thread, as the supervisor has one for its gateway."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def wait(self, coroutine: object) -> object:
        """The result of a coroutine."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)  # type: ignore[arg-type]


def command(*words: str) -> str:
    """Output of a command that has to succeed."""
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr or done.stdout}")
    return done.stdout.strip()


def in_container(container: str) -> Callable[[list[str]], str]:
    """Runs the client script in a container."""
    return lambda arguments: command("docker", "exec", container, "python3", "-I", "/bench/gateway.py", *arguments)


def on_host(folder: Path) -> Callable[[list[str]], str]:
    """Runs the client script here."""

    def run(arguments: list[str]) -> str:
        return command(sys.executable, str(ENDS), *(word.replace("/keys", str(folder)) for word in arguments))

    return run


@contextlib.contextmanager
def containers(
    image: str, folder: Path, socket_folder: Path, interpreter: Interpreter
) -> Iterator[tuple[str, list[Way]]]:
    """The server's address, and the ways of two containers to it: direct, and through the relay."""
    network = f"fumehood-bench-{os.getpid()}"
    started: list[str] = []
    mounts = ["-v", f"{ENDS}:/bench/gateway.py:ro", "-v", f"{folder}:/keys:ro"]
    python = ["python3", "-I", "/bench/gateway.py"]

    def start(*options: str) -> str:
        started.append(command("docker", "run", "-d", "--init", *options))
        return started[-1]

    command("docker", "network", "create", network)
    try:
        server = start("--network", network, *mounts, image, *python, "serve", "/keys/server.pem")
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        address = command("docker", "inspect", "-f", form, server)
        direct = start("--network", network, *mounts, image, "sleep", "infinity")
        closed = start("--network", "none", *mounts, image, "sleep", "infinity")
        relay = ["-v", f"{script_path(interpreter)}:{SCRIPT_MOUNT}:ro", "-v", f"{socket_folder}:{SOCKET_MOUNT}"]
        start("--network", f"container:{closed}", *relay, image, *relay_command(interpreter))
        through = ("--proxy", f"127.0.0.1:{RELAY_PORT}")
        yield (
            address,
            [Way("direct", in_container(direct), ("--at", address)), Way("relay", in_container(closed), through)],
        )
    finally:
        for container in reversed(started):
            subprocess.run(["docker", "rm", "-f", container], check=True, stdout=subprocess.DEVNULL)
        command("docker", "network", "rm", network)


@contextlib.contextmanager
def loopback(folder: Path, socket_folder: Path, interpreter: Interpreter) -> Iterator[tuple[str, list[Way]]]:
    """As `containers`, all on this machine."""
    port = free_port()
    words = relay_command(interpreter)
    words = [*words[:-4], str(script_path(interpreter)), str(socket_folder / SOCKET_NAME), "127.0.0.1", str(port)]
    server = [sys.executable, str(ENDS), "serve", str(folder / "server.pem")]
    with subprocess.Popen(server) as first, subprocess.Popen(words) as second:
        try:
            wait_for(port)
            wait_for(8443)
            run, proxy = on_host(folder), ("--proxy", f"127.0.0.1:{port}")
            yield "127.0.0.1", [Way("direct", run, ("--at", "127.0.0.1")), Way("relay", run, proxy)]
        finally:
            first.terminate()
            second.terminate()


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def measure(ways: list[Way], background: Background, runs: int, size: int) -> None:
    """Print MB/s without and with TLS, and connections a second with TLS, of each way; the first is the measure."""

    async def prepare(way: Way) -> None:
        if way.gateway is not None and way.policy is not None:
            way.gateway.set_policy(way.policy)

    def sample(way: Way, *arguments: str) -> float:
        background.wait(prepare(way))
        return float(way.run([arguments[0], SERVER, *arguments[1:], *way.options]))

    columns = {
        "bytes MB/s": lambda way: size / sample(way, "fetch", str(size << 20)),
        "TLS MB/s": lambda way: size / sample(way, "fetch", str(size << 20), "--tls", "/keys/trusted.pem"),
        "TLS connections/s": lambda way: sample(way, "knock", "2", "--tls", "/keys/trusted.pem"),
    }
    print(f"{'':<26}" + "".join(f"{column:>26}" for column in columns))
    results: dict[str, list[str]] = {way.name: [] for way in ways}
    for column, take in columns.items():
        figures: dict[str, list[float]] = {way.name: [] for way in ways}
        for _ in range(runs):
            for way in ways:
                if column != "bytes MB/s" or not way.policy or not way.policy.inspect:
                    figures[way.name].append(take(way))
        base = statistics.median(figures[ways[0].name])
        for name, found in figures.items():
            median = statistics.median(found) if found else 0.0
            results[name].append(f"{median:9.0f}  x {median / base:.2f}" if found else "-")
    for name, cells in results.items():
        print(f"{name:<26}" + "".join(f"{cell:>26}" for cell in cells))


@contextlib.contextmanager
def peers(folder: Path, address: str) -> Iterator[list[Way]]:
    """The proxies that are installed here, running."""
    squid = folder / "squid.conf"
    commands: dict[str, Callable[[int], list[str]]] = {
        "squid": lambda port: ["squid", "-N", "-f", str(squid)],
        "mitmdump": lambda port: [
            "mitmdump",
            "-q",
            "--listen-host",
            "127.0.0.1",
            "--listen-port",
            str(port),
            "--ignore-hosts",
            ".*",
        ],
    }
    with contextlib.ExitStack() as stack:
        ways = []
        for name, words in commands.items():
            if shutil.which(name) is None:
                print(f"{name}: not installed")
                continue
            port = free_port()
            squid.write_text(SQUID.format(port=port, folder=folder))
            process = stack.enter_context(subprocess.Popen(words(port), stdout=subprocess.DEVNULL))
            stack.callback(process.terminate)
            wait_for(port)
            ways.append(Way(name, on_host(folder), ("--proxy", f"127.0.0.1:{port}", "--at", address)))
        yield ways


def wait_for(port: int) -> None:
    """Wait until somebody listens."""
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"nobody listens on port {port}")


def main() -> None:
    """Run and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--size", type=int, default=512, help="MB of one transfer")
    options.add_argument("--image", default="fumehood/base:bookworm")
    options.add_argument("--interpreter", choices=("python3", "perl"), default="python3")
    chosen = options.parse_args()
    docker = shutil.which("docker") and not subprocess.run(["docker", "info"], capture_output=True).returncode
    background = Background()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        authority = load_authority(folder / "ca")
        servers = load_authority(folder / "servers")
        (folder / "server.pem").write_bytes(servers.leaf(SERVER))
        (folder / "trusted.pem").write_bytes(servers.certificate + authority.certificate)
        socket_folder = folder / "socket"
        place = (
            containers(chosen.image, folder, socket_folder, chosen.interpreter)
            if docker
            else loopback(folder, socket_folder, chosen.interpreter)
        )
        addresses: list[str] = []

        def gateway() -> Gateway:
            return Gateway(
                Policy("off"),
                refuse=lambda address: None,
                resolver=Resolver(lambda host: addresses),
                authority=authority,
                trust=ssl.create_default_context(cadata=servers.certificate.decode()),
            )

        inside, beside = gateway(), gateway()
        port = free_port()
        background.wait(inside.start(socket_folder / SOCKET_NAME))
        background.wait(beside.start_on(socket.create_server(("127.0.0.1", port))))
        print("a container pair on a private docker network" if docker else "host loopback: no docker here")
        try:
            with place as (address, (direct, relay)):
                addresses.append(address)
                background.wait(asyncio.wait_for(inside.reached.wait(), 30))
                measure([direct, *relay.judged(inside)], background, chosen.runs, chosen.size)
                with peers(folder, address) as others:
                    host = Way("host direct", on_host(folder), ("--at", address))
                    ours = Way("host gateway", on_host(folder), ("--proxy", f"127.0.0.1:{port}")).judged(beside)
                    if others:
                        measure([host, *ours, *others], background, chosen.runs, chosen.size)
        finally:
            background.wait(inside.close())
            background.wait(beside.close())


if __name__ == "__main__":
    main()
