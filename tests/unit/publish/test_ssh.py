"""Pushing over ssh to a server of its own on loopback: the user's key, and what to do when it does not fit (SPEC T10)."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.errors import RepositoryError
from engine.publish.wish import Publication
from tests.unit.publish.made import Made, edit

_FOUND = shutil.which("sshd") or "/usr/sbin/sshd"
pytestmark = pytest.mark.skipif(not Path(_FOUND).exists(), reason="there is no sshd")


@contextmanager
def server(folder: Path) -> Iterator[int]:
    """An sshd that takes one key, on a port of loopback."""
    for name in ("host", "user", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nStrictModes no\n"
        f"AuthorizedKeysFile {folder}/user.pub\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        "PermitRootLogin prohibit-password\nUsePAM no\nLogLevel VERBOSE\n"
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([_FOUND, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log)
        try:
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, (folder / "log").read_text()
            yield port
        finally:
            process.terminate()
            process.wait()


@pytest.fixture
def made(tmp_path: Path, isolated_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """A checkout whose origin is reached through an alias of the user's ssh configuration."""
    folder = tmp_path / "ssh"
    folder.mkdir()
    found = Made(tmp_path)
    with server(folder) as port:
        key = (folder / "host.pub").read_text().split()[:2]
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {' '.join(key)}\n")
        (folder / "config").write_text(
            f"Host forge\n  HostName 127.0.0.1\n  Port {port}\n  User {getpass.getuser()}\n  IdentityFile {folder}/user\n"
            f"  IdentitiesOnly yes\n  UserKnownHostsFile {folder}/known_hosts\n"
        )
        (isolated_home / ".gitconfig").write_text(f'[core]\n\tsshCommand = "ssh -F {folder}/config"\n')
        found.bench.cwd = found.checkout
        yield found


@pytest.mark.parametrize("form", ["forge:{}", "ssh://forge{}"])
def test_a_push_with_the_users_key(made: Made, form: str) -> None:
    made.task(edit)
    outcome = made.bench.publishing.push("abc234", Publication(remote=form.format(made.origin)))
    assert "pushed" in outcome.message
    assert set(made.branches()) == {"main", "fumehood/abc234"}
    assert (
        "is there already" in made.bench.publishing.push("abc234", Publication(remote=form.format(made.origin))).message
    )


def test_a_key_that_is_refused_and_a_host_that_is_not_known(made: Made, tmp_path: Path) -> None:
    made.task(edit)
    config = tmp_path / "ssh" / "config"
    good = config.read_text()
    config.write_text(good.replace("/user\n", "/other\n"))
    with pytest.raises(RepositoryError, match="Permission denied") as refused:
        made.bench.publishing.push("abc234", Publication(remote=f"forge:{made.origin}"))
    assert "ssh-add" in refused.value.hint
    config.write_text(good)
    (tmp_path / "ssh" / "known_hosts").unlink()
    with pytest.raises(RepositoryError, match="Host key verification failed") as refused:
        made.bench.publishing.push("abc234", Publication(remote=f"forge:{made.origin}"))
    assert "accept its key" in refused.value.hint
    assert set(made.branches()) == {"main"}
