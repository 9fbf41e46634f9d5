"""What the way container -> relay -> gateway -> server costs, against a direct connection in the same run.

    python tests/bench/gateway.py [--runs 5] [--size 512] [--npm 3] [--image fumehood/base:bookworm] [--interpreter python3]

Direct is a container pair on a docker network of their own; the other client has no network but the relay. Without
docker everything runs on this machine's loopback, which is a faster direct connection than any real one. Ways are
measured in turns: figures are medians, ratios medians of each turn's own. squid and mitmproxy, where installed, are
measured from this machine to the same server, beside the gateway on that way. `--npm` is how many times a real
`npm install` is timed both ways, with an empty cache.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
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
from engine.network.proxies import host_proxies  # noqa: E402
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
from engine.network.variables import proxy_variables  # noqa: E402
from tests.bench.ends.peers import peers  # noqa: E402
from tests.relay_lab import free_port, local_relay  # noqa: E402

ENDS = Path(__file__).parent / "ends" / "gateway.py"
SERVER = "server.test"
PACKAGES = ("express", "eslint", "webpack")


@dataclass(frozen=True)
class Way:
    """One way from a client to the server; `run` gives the output of the client script for its arguments, and
    `policy` is what `gateway` is told before. One that is inspected carries TLS only."""

    name: str
    run: Callable[[list[str]], str]
    options: tuple[str, ...] = ()
    gateway: Gateway | None = None
    policy: Policy | None = None

    @property
    def inspected(self) -> bool:
        """Whether somebody looks into TLS on this way."""
        return self.name.endswith(" inspected")

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


class Docker:
    """Containers on a docker network of their own, and beside them one with nothing but a relay; all go at the end."""

    def __init__(self, image: str, *mounts: str) -> None:
        self._image = image
        self._mounts = [word for mount in mounts for word in ("-v", mount)]
        self._network = f"fumehood-bench-{os.getpid()}"
        self._started: list[str] = []

    def __enter__(self) -> Docker:
        command("docker", "network", "create", self._network)
        return self

    def __exit__(self, *_: object) -> None:
        for container in reversed(self._started):
            subprocess.run(["docker", "rm", "-f", container], check=True, stdout=subprocess.DEVNULL)
        command("docker", "network", "rm", self._network)

    def open(self, *words: str) -> str:
        """A container on the network."""
        return self._start("--network", self._network, *self._mounts, self._image, *words)

    def closed(self, socket_folder: Path, interpreter: Interpreter) -> str:
        """A container that only a relay leads out of."""
        container = self._start("--network", "none", *self._mounts, self._image, "sleep", "infinity")
        mounts = ["-v", f"{script_path(interpreter)}:{SCRIPT_MOUNT}:ro", "-v", f"{socket_folder}:{SOCKET_MOUNT}:ro"]
        self._start("--network", f"container:{container}", *mounts, self._image, *relay_command(interpreter))
        return container

    def _start(self, *options: str) -> str:
        self._started.append(command("docker", "run", "-d", "--init", *options))
        return self._started[-1]


@contextlib.contextmanager
def containers(
    image: str, folder: Path, socket_folder: Path, interpreter: Interpreter
) -> Iterator[tuple[str, list[Way]]]:
    """The server's address, and the ways of two containers to it: direct, and through the relay."""
    with Docker(image, f"{ENDS}:/bench/gateway.py:ro", f"{folder}:/keys:ro") as docker:
        server = docker.open("python3", "-I", "/bench/gateway.py", "serve", "/keys/server.pem")
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        address = command("docker", "inspect", "-f", form, server)
        direct, closed = docker.open("sleep", "infinity"), docker.closed(socket_folder, interpreter)
        through = ("--proxy", f"127.0.0.1:{RELAY_PORT}")
        yield (
            address,
            [Way("direct", in_container(direct), ("--at", address)), Way("relay", in_container(closed), through)],
        )


@contextlib.contextmanager
def loopback(folder: Path, socket_folder: Path, interpreter: Interpreter) -> Iterator[tuple[str, list[Way]]]:
    """As `containers`, all on this machine."""
    port = free_port()
    words = local_relay(interpreter, socket_folder / SOCKET_NAME, port)
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
                if column != "bytes MB/s" or not way.inspected:
                    figures[way.name].append(take(way))
        for name, found in figures.items():
            ratios = [figure / base for figure, base in zip(found, figures[ways[0].name], strict=False)]
            cell = f"{statistics.median(found):9.0f}  x {statistics.median(ratios):.2f}" if found else "-"
            results[name].append(cell)
    for name, cells in results.items():
        print(f"{name:<26}" + "".join(f"{cell:>26}" for cell in cells))


def npm(image: str, interpreter: Interpreter, background: Background, socket_folder: Path, pairs: int) -> None:
    """Print how long a real `npm install` takes in a container with docker's network, and through the gateway."""
    script = f"cd $(mktemp -d) && npm install --cache ./cache --no-audit --no-fund {' '.join(PACKAGES)}"
    variables = {"npm_config_registry": command("npm", "config", "get", "registry")} if shutil.which("npm") else {}

    def seconds(container: str, more: dict[str, str]) -> float:
        words = [word for name, value in {**variables, **more}.items() for word in ("-e", f"{name}={value}")]
        began = time.perf_counter()
        command("docker", "exec", *words, container, "bash", "-c", script)
        return time.perf_counter() - began

    gateway = Gateway(make_policy("full"), proxies=host_proxies(os.environ))
    background.wait(gateway.start(socket_folder / SOCKET_NAME))
    try:
        with Docker(image) as docker:
            direct, closed = docker.open("sleep", "infinity"), docker.closed(socket_folder, interpreter)
            background.wait(asyncio.wait_for(gateway.reached.wait(), 30))
            took = [(seconds(direct, {}), seconds(closed, proxy_variables())) for _ in range(pairs)]
    finally:
        background.wait(gateway.close())
    one, other = (statistics.median(pair[side] for pair in took) for side in (0, 1))
    ratio = statistics.median(through / straight for straight, through in took)
    print(f"npm install {' '.join(PACKAGES)}: direct {one:.1f} s, relay {other:.1f} s  x {ratio:.2f}")


def wait_for(port: int) -> None:
    """Wait until somebody listens."""
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"nobody listens on port {port}")


def memory() -> float:
    """The most memory this process, in which the gateway runs, has had so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--size", type=int, default=512, help="MB of one transfer")
    options.add_argument("--npm", type=int, default=0, metavar="PAIRS", help="time `npm install` both ways")
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
        (folder / "servers.pem").write_bytes(servers.certificate)
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
                before = memory()
                measure([direct, *relay.judged(inside)], background, chosen.runs, chosen.size)
                print(f"memory of the gateway's process: {before:.0f} MB, at most {memory():.0f} MB meanwhile")
                with peers(folder / "ca" / "authority.pem", folder / "servers.pem") as ports:
                    at, run = ("--at", address), on_host(folder)
                    ours = Way("host gateway", run, ("--proxy", f"127.0.0.1:{port}")).judged(beside)
                    others = [Way(name, run, ("--proxy", f"127.0.0.1:{p}", *at)) for name, p in ports.items()]
                    if others:
                        measure([Way("host direct", run, at), *ours, *others], background, chosen.runs, chosen.size)
        finally:
            background.wait(inside.close())
            background.wait(beside.close())
        if chosen.npm and docker:
            npm(chosen.image, chosen.interpreter, background, socket_folder, chosen.npm)


if __name__ == "__main__":
    main()
