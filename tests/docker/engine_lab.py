"""A container engine of our own, to be stopped and killed, in a network namespace of its own.

Its bridge is none, which in this machine's own namespace would take the bridge of the real engine away: so it is only
ever started inside. What it has lies in one folder, and goes with it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.docker.conftest import BASE_IMAGE


class Engine:
    """The engine; `address` is for DOCKER_HOST."""

    def __init__(self, folder: Path, namespace: str) -> None:
        self.folder, self._namespace = folder, namespace
        self.address = f"unix://{folder}/docker.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        argv = ["nsenter", f"--net=/run/netns/{self._namespace}", "dockerd", "--bridge=none", "--iptables=false"]
        argv += [f"--data-root={self.folder}/data", f"--exec-root={self.folder}/exec", f"--host={self.address}"]
        argv += [f"--pidfile={self.folder}/docker.pid"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 60
        while subprocess.run([*self._docker, "version"], capture_output=True).returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                pytest.skip(f"no second engine runs here: {(self.folder / 'log').read_text()[-300:]}")
            time.sleep(0.1)

    def end(self, how: signal.Signals) -> None:
        """Stop it (SIGTERM) or kill it."""
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(60)
        (self.folder / "docker.pid").unlink(missing_ok=True)
        if how == signal.SIGKILL:
            self._containerd_ended()

    def docker(self, *arguments: str) -> str:
        """Run docker against it."""
        return subprocess.run([*self._docker, *arguments], check=True, capture_output=True, text=True).stdout

    def load(self, image: str) -> None:
        """Give it an image of the real engine."""
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saving:
            subprocess.run([*self._docker, "load"], stdin=saving.stdout, check=True, capture_output=True)

    @property
    def _docker(self) -> list[str]:
        return ["docker", "--host", self.address]

    def _containerd_ended(self) -> None:
        """The helper of a killed engine ends with it, a moment later; what it would be found by goes then."""
        pid = self.folder / "exec/containerd/containerd.pid"
        deadline = time.monotonic() + 20
        with suppress(FileNotFoundError, ValueError):
            while Path(f"/proc/{int(pid.read_text())}").exists() and time.monotonic() < deadline:
                time.sleep(0.05)
        pid.unlink(missing_ok=True)

    def close(self) -> None:
        """End it and everything that it runs."""
        if self._process is None:
            return
        if self._process.poll() is not None:
            self.start()
        for container in self.docker("ps", "-aq").split():
            self.docker("rm", "-f", container)
        self.end(signal.SIGTERM)


@contextmanager
def engine() -> Iterator[Engine]:
    """Run an engine that has the base image."""
    if os.geteuid() or not all(map(shutil.which, ("dockerd", "ip", "nsenter"))):
        pytest.skip("a second engine takes root, dockerd, ip and nsenter")
    # Not below pytest's folder: paths of sockets are short.
    folder = Path(f"/tmp/fumehood-engine-{os.getpid()}")
    folder.mkdir(mode=0o700)
    namespace = f"fh-engine-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", namespace], check=True)
    made = Engine(folder, namespace)
    try:
        made.start()
        made.load(BASE_IMAGE)
        yield made
    finally:
        made.close()
        subprocess.run(["ip", "netns", "del", namespace], check=True)
        _unmount(folder)
        shutil.rmtree(folder)


def _unmount(folder: Path) -> None:
    """An engine mounts its own folder, and one that was killed leaves the mounts of its containers."""
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for path in sorted((path for path in mounted if path.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", path], check=True)
