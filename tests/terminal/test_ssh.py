"""The workbench over a real ssh: a lost connection loses nothing, a slow link answers keys."""

from __future__ import annotations

import getpass
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.docker.conftest import Lab, environment, lab
from tests.screens.conftest import project
from tests.screens.terminal import ROOT, Terminal
from tests.terminal.test_output import Stream

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
pytestmark = [
    pytest.mark.terminal,
    pytest.mark.skipif(SSHD is None or shutil.which("ssh") is None, reason="openssh is not installed"),
]
__all__ = ["lab", "project"]

COUNT = "for i in $(seq 120); do echo line $i; sleep 0.05; done; echo more >> README"
# What the workbench needs of the environment; ssh carries none of it.
CARRIED = ("HOME", "PATH", "LANG", "PYTHONPATH", "COLORTERM")


class Sshd:
    """A server of its own on loopback: own port, own keys, no passwords."""

    def __init__(self, folder: Path) -> None:
        assert SSHD is not None
        self._folder = folder
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        options = {
            "ListenAddress": "127.0.0.1", "Port": self.port, "HostKey": folder / "host", "PidFile": "none",
            "AuthorizedKeysFile": folder / "user.pub", "StrictModes": "no", "UsePAM": "no",
            "PasswordAuthentication": "no", "KbdInteractiveAuthentication": "no", "PermitRootLogin": "prohibit-password",
        }  # fmt: skip
        (folder / "config").write_text("".join(f"{key} {value}\n" for key, value in options.items()))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._log = (folder / "log").open("wb")
        argv = [SSHD, "-D", "-e", "-f", str(folder / "config")]
        self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        end = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.1)

    def login(self, folder: Path, variables: Mapping[str, str], *options: str, proxy: str = "") -> Terminal:
        """Log in and open the workbench on a folder."""
        carried = {k: v for k, v in variables.items() if k in CARRIED or k.startswith(("XDG_", "GIT_"))}
        carried |= {"PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
        words = ["exec", "env", *[f"{k}={v}" for k, v in carried.items()], sys.executable, "-m", "tui", *options]
        remote = f"cd {shlex.quote(str(folder))} && {shlex.join(words)}"
        argv = ["ssh", "-tt", "-F", "none", "-i", str(self._folder / "user"), "-p", str(self.port)]
        argv += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        argv += ["-o", "IdentitiesOnly=yes", *(["-o", f"ProxyCommand={proxy}"] if proxy else [])]
        return Terminal([*argv, f"{getpass.getuser()}@127.0.0.1", remote], columns=120, rows=40)

    def close(self) -> None:
        """End the server; connections of others end when their clients do."""
        self._process.terminate()
        self._process.wait(10)
        self._log.close()


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """A server that ends with the test."""
    folder = tmp_path / "sshd"
    folder.mkdir()
    server = Sshd(folder)
    yield server
    server.close()


@pytest.fixture
def login(sshd: Sshd) -> Iterator[Callable[..., Terminal]]:
    """Logs in; what is still open after the test is closed."""
    terminals: list[Terminal] = []

    def start(*arguments: object, **more: object) -> Terminal:
        terminals.append(sshd.login(*arguments, **more))  # type: ignore[arg-type]
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.close()


@pytest.mark.docker
def test_a_task_outlives_the_connection_it_was_started_over(lab: Lab, login: Callable[..., Terminal]) -> None:
    folder = lab.project("remote", environment(command=COUNT))
    terminal = login(folder, lab.variables)
    terminal.until("no snapshot yet", seconds=60)
    terminal.press("n")
    terminal.until("New task")
    terminal.press("count the lines")
    terminal.until("count the lines")
    terminal.press("\x13")
    terminal.until("Run this file?")
    terminal.press("y")
    terminal.until("line 5", seconds=90)
    os.kill(terminal.pid, signal.SIGKILL)
    (task,) = [entry.name for entry in (lab.home / "state" / "fumehood" / "tasks").iterdir()]
    followed = lab.run("logs", "-f", "--raw", task, timeout=90)
    assert followed.stdout.splitlines() == [f"line {number}" for number in range(1, 121)]
    again = login(folder, lab.variables)
    again.until("+ more", seconds=60)
    assert "line 120" in again.text
    assert "count the lines" in again.text
    assert json.loads(lab.run("status", task, "--json").stdout)["status"] == "ready"


def test_the_workbench_ends_with_its_connection(login: Callable[..., Terminal], project: Path) -> None:
    stream = Stream()
    terminal = login(project, os.environ, "--no-watch")
    terminal.until("tests/test_client.py ....", seconds=60)
    (workbench,) = workbenches_in(project)
    os.kill(terminal.pid, signal.SIGKILL)
    end = time.monotonic() + 60
    while workbenches_in(project) == [workbench]:
        assert time.monotonic() < end, "it outlives its connection"
        stream.more(100)
        time.sleep(0.1)


def workbenches_in(folder: Path) -> list[int]:
    """The processes of workbenches whose current folder this is."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            if words[1:3] == [b"-m", b"tui"] and (process / "cwd").readlink() == folder:
                found.append(int(process.name))
        except OSError:
            continue
    return found


def test_over_a_slow_link_a_key_is_answered_while_the_log_runs(login: Callable[..., Terminal], project: Path) -> None:
    stream = Stream()
    script = Path(__file__).with_name("slow_link.py")
    proxy = shlex.join([sys.executable, str(script), "%h", "%p", "30000", "0.05"])
    terminal = login(project, os.environ, "--no-watch", proxy=proxy)
    terminal.until("tests/test_client.py ....", seconds=90)
    # The log alone, and far more of it than the link carries.
    terminal.press("4+")
    for _ in range(40):
        stream.more(1000)
        terminal.read(0.1)
    for key, said in (("?", "Write a prompt and start a task"), ("\x1b", "following")):
        before = len(terminal.written)
        terminal.press(key)
        end = time.monotonic() + 60
        while said not in terminal.text:
            assert time.monotonic() < end
            stream.more(300)
            terminal.read(0.05)
        # What comes before the answer is what was under way, not what piled up: the link carries it in two seconds.
        assert len(terminal.written) - before < 60_000
