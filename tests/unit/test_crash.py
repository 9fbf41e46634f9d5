"""What crashes leave behind while secrets are in memory: no core, no value in any report (SECURITY-CASES S18)."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.environment.load import load
from engine.environment.trust import trust
from engine.secrets.store import Store
from engine.state import state_dir
from engine.tasks.spec import TaskSpec, new_id

VALUE = b"tok-QZXJ7781KVWM9920"
ROOT = Path(__file__).resolve().parents[2]
FAULT = """
import sys
from pathlib import Path
from engine.containers import endpoint
from engine.environment.load import load
from engine.secrets.store import Store
from engine.tasks.supervisor import supervise

def fail():
    environment = load(Path(sys.argv[2]))
    value = Store(environment).values(environment.secrets)["TOK"].reveal().decode()
    raise RuntimeError(f"cannot use {value}")

endpoint.connect = fail
supervise(Path(sys.argv[1]))
"""


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A trusted environment with a secret that has a value."""
    path = tmp_path / "fumehood.toml"
    path.write_text('name = "web"\n[secrets]\nTOK = {}\n')
    for step in (["init", "-q", "-b", "main"], ["commit", "-q", "--allow-empty", "-m", "start"]):
        subprocess.run(["git", "-C", str(tmp_path), *step], check=True)
    Store(load(path)).set("TOK", VALUE)
    trust(load(path))
    return path


@contextmanager
def started(argv: list[str], folder: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that may write core files, as large as this user may have, into `folder`."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    process = subprocess.Popen(
        [sys.executable, *argv],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (most, most)),
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def crashed(process: subprocess.Popen[bytes], number: signal.Signals) -> int:
    """How the process ended under this signal, as the kernel tells its parent."""
    process.send_signal(number)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = -number
    assert os.WTERMSIG(status) == number
    return status


@pytest.fixture
def cores(tmp_path: Path) -> Path:
    """A folder for core files, on a machine that does write them."""
    folder = tmp_path / "cores"
    folder.mkdir()
    with started(["-c", "import sys; sys.stdin.read()"], folder) as process:
        dumped = os.WCOREDUMP(crashed(process, signal.SIGABRT))
    if not dumped:
        pytest.skip("this machine writes no core files for this user")
    for core in folder.iterdir():
        core.unlink()
    return folder


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_a_supervisor_that_crashes_leaves_no_core(
    environment: Path, cores: Path, tmp_path: Path, number: signal.Signals
) -> None:
    spec = TaskSpec(new_id(), str(environment), "go", "command", "", 1, time.time())
    spec.save()
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(tmp_path / "engine.sock"))
        engine.listen(8)
        engine.settimeout(30)
        host = f"unix://{tmp_path}/engine.sock"
        with started(["-m", "engine.tasks", str(spec.folder)], cores, DOCKER_HOST=host) as process:
            # It looks for the engine when it has decrypted the secrets; this one never answers.
            engine.accept()[0].close()
            status = crashed(process, number)
    assert not os.WCOREDUMP(status)
    assert list(cores.iterdir()) == []


def test_a_command_that_crashes_leaves_no_core(environment: Path, cores: Path) -> None:
    argv = ["-m", "tui.cli", "secret", "set", "TOK", "-", "--env", str(environment)]
    with started(argv, cores) as process:
        assert process.stdin
        process.stdin.write(VALUE)
        process.stdin.flush()
        limits, deadline = Path(f"/proc/{process.pid}/limits"), time.monotonic() + 30
        while "Max core file size        0 " not in limits.read_text():
            assert time.monotonic() < deadline, limits.read_text()
        status = crashed(process, signal.SIGSEGV)
    assert not os.WCOREDUMP(status)
    assert list(cores.iterdir()) == []


def test_the_report_of_an_internal_fault_is_masked(environment: Path) -> None:
    spec = TaskSpec(new_id(), str(environment), "go", "command", "", 1, time.time())
    spec.save()
    done = subprocess.run(
        [sys.executable, "-c", FAULT, str(spec.folder), str(environment)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=60,
    )
    assert VALUE not in done.stdout + done.stderr
    report = (spec.folder / "supervisor.log").read_text()
    assert "RuntimeError: cannot use ***" in report
    assert "internal fault: cannot use ***" in (spec.folder / "journal.jsonl").read_text()
    written = [path for path in state_dir().rglob("*") if path.is_file()]
    assert len(written) > 2
    assert not any(VALUE in path.read_bytes() for path in written)
