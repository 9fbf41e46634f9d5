"""A public HTTPS server of our own for whole tasks: an address the gateway dials, names for it, an authority it trusts.

The server lives in a network namespace joined to this machine by a veth pair with documentation addresses. The program
under test sees its names through a mount namespace of its own, in which another file lies over /etc/hosts, and trusts
its authority by SSL_CERT_FILE, as it would a company's. The namespaces end with the processes in them; nothing of
this machine is changed.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import socket
import ssl
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.network.certificates import load_authority
from tests.docker.conftest import ROOT, Lab

HOSTS = Path("/etc/hosts")


class HttpsLab(Lab):
    """One user's home, whose program can reach the server.

    Attributes:
        certificate: the server's authority in PEM.
        allowed: a name of the server, for policies and secrets.
        other: another one, for what must not get there.
    """

    def __init__(self, home: Path, served: Path, address: str, token: str) -> None:
        super().__init__(home)
        self.certificate = load_authority(served / "ca").certificate.decode()
        self.allowed, self.other = f"allowed-{token}.example", f"other-{token}.example"
        self._log = served / "requests.jsonl"
        hosts, bundle = home / "hosts", home / "authorities.pem"
        hosts.write_text(f"{HOSTS.read_text()}\n{address} {self.allowed} {self.other}\n")
        usual = Path(os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or "/dev/null")
        if not usual.is_file():
            usual = Path("/etc/ssl/certs/ca-certificates.crt")
        bundle.write_text(f"{usual.read_text() if usual.is_file() else ''}\n{self.certificate}")
        self.variables["SSL_CERT_FILE"] = str(bundle)
        over = f'mount --bind {hosts} {HOSTS} && exec "$@"'
        self.program = ["unshare", "--mount", "sh", "-c", over, "fumehood", *self.program]

    def script_model(self, *streams: bytes) -> None:
        """What `/v1/messages` answers, by the number of answers that a request holds already."""
        folder = self._log.parent / "model"
        folder.mkdir(exist_ok=True)
        for number, stream in enumerate(streams):
            (folder / f"{number}.sse").write_bytes(stream)

    def seen(self, host: str) -> list[dict[str, Any]]:
        """The requests that arrived at one of the server's names, in their order."""
        if not self._log.exists():
            return []
        return [r for r in map(json.loads, self._log.read_text().splitlines()) if r["host"] == host]


def _claim() -> tuple[socket.socket, str, str]:
    """Four addresses nobody else uses: the claim, to be kept open, this machine's address and the server's."""
    routes = subprocess.run(["ip", "-4", "route"], check=True, capture_output=True, text=True).stdout
    for block in random.sample(range(128, 256, 4), 32):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0fumehood-https-lab-{block}")
        except OSError:
            claim.close()
            continue
        if f"198.51.100.{block}/" not in routes:
            return claim, f"198.51.100.{block + 1}", f"198.51.100.{block + 2}"
        claim.close()
    pytest.skip("no documentation addresses are free on this machine")


@contextmanager
def _serving(folder: Path) -> Iterator[tuple[str, str]]:
    """Serve `folder` in a namespace of its own; gives the server's address and a token nobody else has."""
    claim, here, there = _claim()
    argv = ["unshare", "--net", sys.executable, "-m", "tests.docker.https_server", str(folder)]
    with claim, subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            assert server.stdout.readline() == "ready\n"
            token = f"{server.pid:x}"
            inside = ["nsenter", f"--net=/proc/{server.pid}/ns/net"]
            # The pair goes with the namespace, however this process ends.
            for step in (
                ["ip", "link", "add", f"fh{token}h", "type", "veth", "peer", "name", "lab", "netns", str(server.pid)],
                ["ip", "address", "add", f"{here}/30", "dev", f"fh{token}h"],
                ["ip", "link", "set", f"fh{token}h", "up"],
                [*inside, "ip", "address", "add", f"{there}/30", "dev", "lab"],
                [*inside, "ip", "link", "set", "lab", "up"],
            ):
                subprocess.run(step, check=True)
            yield there, token
        finally:
            server.terminate()


def _publish(folder: Path) -> None:
    """What the server has to offer: a repository, a wheel, an npm package, an apt index."""
    files = folder / "files"
    (files / "simple" / "lab-wheel").mkdir(parents=True)
    wheel = "lab_wheel-1.0-py3-none-any.whl"
    with zipfile.ZipFile(files / "simple" / "lab-wheel" / wheel, "w") as archive:
        archive.writestr("lab_wheel.py", "NAME = 'lab wheel'\n")
        archive.writestr("lab_wheel-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: lab-wheel\nVersion: 1.0\n")
        archive.writestr(
            "lab_wheel-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("lab_wheel-1.0.dist-info/RECORD", "")
    (files / "simple" / "lab-wheel" / "index.html").write_text(f'<a href="{wheel}">{wheel}</a>')
    with tarfile.open(files / "lab-package-1.0.0.tgz", "w:gz") as package:
        for name, text in {
            "package.json": '{"name": "lab-package", "version": "1.0.0", "main": "main.js"}',
            "main.js": "module.exports = 'lab package';",
        }.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(text)
            package.addfile(member, io.BytesIO(text.encode()))
    (files / "apt").mkdir()
    (files / "apt" / "Packages").write_text(
        f"Package: lab-tool\nVersion: 1.0\nArchitecture: all\nMaintainer: Lab\nFilename: ./lab.deb\nSize: 1\n"
        f"SHA256: {'0' * 64}\nDescription: a tool\n"
    )
    work = folder / "work"
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")
    work.mkdir()
    (work / "README").write_text("cloned\n")
    for step in (
        ("-C", str(work), "init", "-q", "-b", "main"),
        ("-C", str(work), "add", "-A"),
        ("-C", str(work), *identity, "commit", "-qm", "start"),
        ("clone", "-q", "--bare", str(work), str(folder / "git" / "lab.git")),
    ):
        subprocess.run(["git", *step], check=True)


@contextmanager
def running(folder: Path) -> Iterator[HttpsLab]:
    """A laboratory with a server; both go with the block."""
    missing = [tool for tool in ("ip", "unshare", "nsenter", "git") if not shutil.which(tool)]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"a server of our own takes root and {', '.join(missing) or 'namespaces'}")
    home, served = folder / "home", folder / "served"
    home.mkdir()
    _publish(served)
    load_authority(served / "ca")
    with _serving(served) as (address, token):
        made = HttpsLab(home, served, address, token)
        try:
            yield made
        finally:
            made.clean_up()
