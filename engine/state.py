"""Where fumehood keeps things: XDG folders, atomic files, locks across processes, the local key."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import EngineError, NoRoom


def _xdg(variable: str, default: str) -> Path:
    base = Path(os.environ.get(variable, ""))
    return (base if base.is_absolute() else Path.home() / default) / "fumehood"


def config_dir() -> Path:
    """`$XDG_CONFIG_HOME/fumehood`: what the user writes (environments, keys, themes)."""
    return _xdg("XDG_CONFIG_HOME", ".config")


def state_dir() -> Path:
    """`$XDG_STATE_HOME/fumehood`: tasks, locks, trust, the local key."""
    return _xdg("XDG_STATE_HOME", ".local/state")


def cache_dir() -> Path:
    """`$XDG_CACHE_HOME/fumehood`: mirrors; everything in it can be made again."""
    return _xdg("XDG_CACHE_HOME", ".cache")


def data_dir() -> Path:
    """`$XDG_DATA_HOME/fumehood`: what is installed or made for the user and lasts."""
    return _xdg("XDG_DATA_HOME", ".local/share")


def tasks_dir() -> Path:
    """The folder that holds one folder for each task."""
    return state_dir() / "tasks"


def private_dir(path: Path) -> Path:
    """Make `path`, and what is missing above it, for this user alone (0700) and return it."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except FileNotFoundError:
        private_dir(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path


def socket_dir(name: str) -> Path:
    """A private folder for unix sockets, short enough for their 107-byte limit.

    `$XDG_RUNTIME_DIR` when there is one, else a folder of this user's in /tmp that nobody else can have made.
    """
    base = sockets()
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    if base.is_symlink() or base.stat().st_uid != os.getuid():
        raise EngineError(f"{base} belongs to someone else", "remove it, or set XDG_RUNTIME_DIR")
    return private_dir(base / name)


def remove_socket_dirs(beginning: str) -> None:
    """Remove the socket folders with names that begin so, and their sockets, which nobody serves any more."""
    import shutil

    for folder in sockets().glob(f"{beginning}*"):
        shutil.rmtree(folder)


def sockets() -> Path:
    """The folder of all folders for sockets, whether it is there or not."""
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    return runtime / "fumehood" if runtime.is_absolute() else Path(f"/tmp/fumehood-{os.getuid()}")


def is_full(error: BaseException) -> bool:
    """Whether the system refused because a disk, or the user's share of it, is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def write_atomic(path: Path, data: str | bytes, mode: int = 0o600) -> None:
    """Replace `path` by `data` in one step: a reader sees the old content or the new, never a part.

    Raises:
        NoRoom: the disk is full; the old content stands.
    """
    private_dir(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if is_full(error):
            raise NoRoom(path) from error
        raise


class Lock:
    """An exclusive lock held through an open file; the kernel drops it when its holder dies.

    Never removed from disk: removing a lock file lets two processes hold "the same" lock.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1

    def try_acquire(self, *, shared: bool = False) -> bool:
        """Take the lock if nobody has it (or, when `shared`, nobody has it alone); True when it is ours."""
        private_dir(self.path.parent)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def held_elsewhere(self) -> bool:
        """Whether some other holder has it now."""
        if self._descriptor >= 0 or not self.path.exists():
            return False
        if self.try_acquire():
            self.release()
            return False
        return True


@contextmanager
def locked(path: Path, while_waiting: Callable[[], None] = lambda: None, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock at `path`, alone or `shared` with others that only share it.

    `while_waiting` is called ten times a second until it is ours, and may raise.
    """
    lock = Lock(path)
    while not lock.try_acquire(shared=shared):
        while_waiting()
        time.sleep(0.1)
    try:
        yield
    finally:
        lock.release()


def local_key() -> bytes:
    """The 32 random bytes that key this installation's HMACs (SPEC C2), made on first use."""
    path = state_dir() / "key"
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        with locked(state_dir() / "locks" / "key.lock"):
            if not path.exists():
                write_atomic(path, os.urandom(32))
        key = path.read_bytes()
    if len(key) != 32:
        raise EngineError(f"{path} is damaged", "remove it; cached snapshots will be built again")
    return key
