"""Keys over a slow link: a real sshd on the loopback, a proxy that carries no more than the link would; also in tmux."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.terminal_lab.driver import Lost, Program
from tests.bench.terminal_lab.figures import Report
from tests.bench.terminal_lab.inputs import small
from tests.bench.terminal_lab.lab import FUMEHOOD, MINIMAL, Lab
from tests.bench.terminal_lab.streaming import PANES, keys_to_paint, typing_to_paint

DELAY = 0.05
"""Seconds each way."""
LINES = 10_000
SPEEDS = (100_000, 30_000)
_PROXY = Path(__file__).with_name("rate_proxy.py")
_CONFIGURATION = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
"""


class Server:
    """An sshd of our own: its port, keys and configuration are in a folder of the lab."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700)
        for name in ("host", "user"):
            key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(key, check=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (folder / "sshd").write_text(_CONFIGURATION.format(port=self.port, folder=folder))
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        command = [program, "-D", "-e", "-f", str(folder / "sshd")]
        self._process = subprocess.Popen(command, stderr=(folder / "log").open("wb"))
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise
                time.sleep(0.05)
            else:
                return

    def client(self, speed: int, command: str) -> list[str]:
        """A terminal's connection to it over a link of so many bytes a second."""
        proxy = shlex.join([sys.executable, str(_PROXY), str(self.port), str(speed), str(DELAY)])
        options = [f"ProxyCommand={proxy}", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null",
                   "IdentitiesOnly=yes", "LogLevel=ERROR"]  # fmt: skip
        words = ["ssh", "-F", "none", "-tt", "-i", str(self.folder / "user")]
        for option in options:
            words += ["-o", option]
        return [*words, f"{getpass.getuser()}@bench", command]

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


@contextmanager
def _server(folder: Path, report: Report) -> Iterator[Server | None]:
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None and os.getuid() == 0 and shutil.which("apt-get"):
        install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "openssh-server"]
        subprocess.run(install, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        report.line("skipped", "there is no sshd: install openssh-server")
        yield None
        return
    server = Server(folder, program)
    try:
        yield server
    finally:
        server.close()


def measure(lab: Lab, report: Report) -> None:
    """The minimal app as the floor, then fumehood while lines stream in, at each speed, also in tmux."""
    state = lab.state("link")
    small(state)
    report.title(f"keys over a slow link, {DELAY * 1000:.0f} ms each way, while {LINES:,} lines/s stream in, 120×40")
    count = 8 if lab.quick else 16
    with _server(lab.folder / "ssh", report) as server:
        if server is None:
            return
        for speed in SPEEDS:
            said = f"{speed / 1000:.0f} kB/s"
            with _over(lab, server, speed, state, MINIMAL) as program:
                program.shows("a small app")
                floor = keys_to_paint(program, "x", count, row=0, seconds=20)
                report.line(f"minimal Textual app, {said}, nothing streams", _times(floor))
            for within in ("", *(["tmux"] if shutil.which("tmux") else [])):
                where = f"{said}{', in tmux' if within else ''}"
                with lab.printing(state, "prints2", LINES):
                    taken = _keys(lab, server, speed, state, count, report, where, within)
                for what, times in taken.items():
                    report.goal(f"{what}, median, {where}", statistics.median(times), 500, "ms")


def _keys(
    lab: Lab, server: Server, speed: int, state: Path, count: int, report: Report, where: str, within: str
) -> dict[str, list[float]]:
    lost = [60_000.0]
    taken = {"going to a pane": lost, "typing a prompt": lost}
    with _over(lab, server, speed, state, [*FUMEHOOD, "--no-watch"], tmux=bool(within)) as program:
        try:
            opened = program.shows("worker-", seconds=60) - program.began
            written = program.rest(4 if lab.quick else 10)
            report.line(
                f"fumehood, {where}",
                f"opened in {opened:.1f} s, following {written / 4000 if lab.quick else written / 10000:.0f} kB/s",
            )
            taken["going to a pane"] = keys_to_paint(program, PANES, count, seconds=20)
            report.line("", f"going to a pane: {_times(taken['going to a pane'])}")
            taken["typing a prompt"] = typing_to_paint(program, count, seconds=20)
            report.line("", f"typing a prompt: {_times(taken['typing a prompt'])}")
        except Lost as error:
            report.line(f"fumehood, {where}", f"{str(error).partition('; ')[0]}")
    return taken


@contextmanager
def _over(
    lab: Lab, server: Server, speed: int, state: Path, argv: list[str], *, tmux: bool = False
) -> Iterator[Program]:
    """A program on the far side; the tmux there is ended with it."""
    variables = lab.variables(state)
    given = {
        name: variables[name] for name in variables if name.startswith(("XDG_", "PYTHON", "HOME", "LANG", "COLORT"))
    }
    command = shlex.join(["env", "-C", str(lab.project), *(f"{name}={value}" for name, value in given.items()), *argv])
    connection = str(lab.folder / "tmux")
    if tmux:
        (lab.folder / "tmux.conf").write_text("set -g status off\nset -g default-terminal tmux-256color\n")
        command = shlex.join(["tmux", "-S", connection, "-f", str(lab.folder / "tmux.conf"), "new-session", command])
    try:
        with lab.program(*server.client(speed, command), state=state) as program:
            yield program
    finally:
        if tmux:
            subprocess.run(["tmux", "-S", connection, "kill-server"], check=False, capture_output=True)


def _times(taken: list[float]) -> str:
    return f"median {statistics.median(taken):.0f} ms, max {max(taken):.0f}"
