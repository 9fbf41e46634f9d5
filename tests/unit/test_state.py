"""State on disk: atomic files, locks that die with their holder, a private key."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.state import Lock, local_key, locked, remove_socket_dirs, socket_dir, state_dir, write_atomic
from engine.tasks import starter


def test_a_lock_is_held_by_one_and_dies_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    script = "import sys,time; from pathlib import Path; from engine.state import Lock\n"
    script += "l=Lock(Path(sys.argv[1])); l.try_acquire(); print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        lock = Lock(path)
        assert not lock.try_acquire()
        assert lock.held_elsewhere()
        holder.kill()
        holder.wait()
        deadline = time.monotonic() + 5
        while not lock.try_acquire():
            assert time.monotonic() < deadline
        lock.release()
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()  # type: ignore[union-attr]


def test_waiting_for_a_lock_can_be_given_up(tmp_path: Path) -> None:
    path = tmp_path / "lock"

    class GivenUp(Exception):
        pass

    def give_up() -> None:
        raise GivenUp

    with locked(path), pytest.raises(GivenUp), locked(path, give_up):
        pass


def test_the_key_is_made_once_and_is_private() -> None:
    key = local_key()
    assert len(key) == 32
    assert local_key() == key
    assert (state_dir() / "key").stat().st_mode & 0o777 == 0o600


def test_a_damaged_key_says_what_to_do() -> None:
    write_atomic(state_dir() / "key", b"short")
    with pytest.raises(EngineError, match="remove it"):
        local_key()


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomic(path, "\ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_socket_folders_are_private(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = socket_dir("t")
    assert folder.parent.stat().st_mode & 0o777 == 0o700


def test_socket_folders_of_one_task_are_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (socket_dir("one-setup-1") / "gateway.sock").touch()
    kept = socket_dir("other-setup-1")
    remove_socket_dirs("one-")
    assert list(kept.parent.iterdir()) == [kept]


def test_what_lies_in_a_lock_file_is_nobodys_claim(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("1")
    lock = Lock(tmp_path / "lock")
    assert not lock.held_elsewhere()
    assert lock.try_acquire()
    assert (tmp_path / "lock").read_text() == "1"
    lock.release()


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A runtime folder with a name as short as those of real ones: that of a socket has 107 bytes at most."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.parametrize("left", ["socket", "link"])
def test_a_starter_takes_the_place_of_what_lies_there(
    runtime: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    """A socket that nobody serves any more, or a link to a file of the user's, which stays."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    (runtime / "mine").write_text("mine")
    if left == "socket":
        with socket.socket(socket.AF_UNIX) as nobody:
            nobody.bind(str(starter.address()))
    else:
        starter.address().symlink_to(runtime / "mine")
    readable, writable = os.pipe()
    begun = subprocess.Popen([sys.executable, "-m", "engine.tasks.starter", str(readable)], pass_fds=(readable,))
    os.close(readable)
    try:
        deadline = time.monotonic() + 30
        while not begun_listening():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert starter.address().is_socket()
        assert not starter.address().is_symlink()
    finally:
        os.close(writable)
        assert begun.wait(timeout=30) == 0
    assert (runtime / "mine").read_text() == "mine"


def begun_listening() -> bool:
    with socket.socket(socket.AF_UNIX) as caller:
        return caller.connect_ex(str(starter.address())) == 0
