"""`python -m engine.network`: a gateway without the rest, and its policy file."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.network.__main__ import load_policy

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("where", ["--port", "--socket"])
def test_it_serves_and_prints_a_line_a_request(tmp_path: Path, where: str) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('mode = "limited"\nallow = ["x.org"]\n')
    command = [sys.executable, "-m", "engine.network", "--policy", str(policy)]
    command += ["--port", "0"] if where == "--port" else ["--socket", str(tmp_path / "socket")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())["listening"]
        family, address = (socket.AF_INET, ("127.0.0.1", told)) if where == "--port" else (socket.AF_UNIX, told)
        with socket.socket(family) as client:
            client.connect(address)
            client.sendall(b"CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test\r\n\r\n")
            assert client.recv(65536).startswith(b"HTTP/1.1 403")
        record = json.loads(process.stdout.readline())
        assert (record["host"], record["decision"]) == ("evil.test", "denied")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert not (tmp_path / "socket").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mode = 3", "unknown network mode"),
        ("mode = ", "policy.toml"),
        ('alow = ["x.org"]', "unknown key 'alow'"),
        ('allow = "x.org"', "not a list"),
        ("allow = [1]", "not a list"),
        ('allow = ["*"]', "names no host"),
        ("inspect = 1", "neither true nor false"),
        ('allow = ["GET x.org/a"]', "needs inspect = true"),
    ],
)
def test_a_policy_file_is_read_strictly(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_policy(path)
    assert words in f"{caught.value} {caught.value.hint}"


def test_a_missing_policy_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nosuch"):
        load_policy(tmp_path / "nosuch.toml")


def test_a_policy_that_inspects_needs_an_authority(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('mode = "limited"\nallow = ["GET x.org/v1/*"]\ninspect = true\n')
    assert load_policy(policy).allow[0].path == "/v1/*"
    command = [sys.executable, "-m", "engine.network", "--policy", str(policy), "--port", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert "--ca FOLDER" in done.stderr
    with subprocess.Popen([*command, "--ca", str(tmp_path / "ca")], cwd=ROOT) as process:
        while not (tmp_path / "ca" / "authority.pem").exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()


def test_a_gateway_that_inspects_nothing_loads_nothing_for_it() -> None:
    look = "import sys, engine.network.gateway; print({'h11', 'cryptography'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
