"""The gateway's side of the relay: a listener taken over from it, for as long as the relay lives.

The relay, beside the container, makes a listening socket there and sends it through the gateway's unix socket. So the
gateway accepts the container's connections itself, and nothing stands between the two that would copy each byte.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from pathlib import Path

from engine.errors import NetworkError

_SOCKET_PATH_BYTES = 107


def bind_door(path: Path) -> socket.socket:
    """A unix socket at `path`, for relays to connect to, in a folder of its own inside a private one.

    The folder is mounted into the relay container, which may run as another user: folder and socket are open to
    all, and the private folder around them (as `state.socket_dir` makes it) keeps other users of this machine out.

    Raises:
        NetworkError: the path is too long, or others may enter the folder around it.
    """
    if len(os.fsencode(path)) > _SOCKET_PATH_BYTES:
        raise NetworkError(f"the socket path {path} has more than {_SOCKET_PATH_BYTES} bytes", "set XDG_RUNTIME_DIR")
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        around = path.parent.parent.stat()
        if around.st_uid != os.getuid() or around.st_mode & 0o077:
            raise NetworkError(f"{path.parent.parent} is open to other users", f"chmod 700 {path.parent.parent}")
        path.parent.mkdir(exist_ok=True)
        path.parent.chmod(0o711)
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()
        door.bind(os.fspath(path))
        path.chmod(0o666)
        door.listen()
        door.setblocking(False)
    except NetworkError:
        door.close()
        raise
    except OSError as fault:
        door.close()
        raise NetworkError(f"cannot make the socket {path}: {fault.strerror}") from None
    return door


async def take_listener(relay: socket.socket, seconds: float) -> socket.socket | None:
    """The listener that a relay sends first of all; None when something else comes, or nothing within `seconds`.

    The program on the other side belongs to the image, so what it sends is checked: a listening TCP socket on the
    loopback of its namespace and nothing else. Accepted connections are files of our own, which it cannot touch.
    """
    try:
        async with asyncio.timeout(seconds):
            await readable(relay)
        _, descriptors, _, _ = socket.recv_fds(relay, 1, 1, socket.MSG_CMSG_CLOEXEC)
    except OSError:
        return None
    sent = None
    for descriptor in descriptors:
        try:
            sent = socket.socket(fileno=descriptor)
        except OSError:
            os.close(descriptor)
    if sent is None or _is_loopback_listener(sent):
        return sent
    sent.close()
    return None


def _is_loopback_listener(sent: socket.socket) -> bool:
    if (sent.family, sent.type) != (socket.AF_INET, socket.SOCK_STREAM):
        return False
    listens = sent.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    return listens and str(sent.getsockname()[0]).startswith("127.")


async def readable(connection: socket.socket) -> None:
    """Wait until something, or its end, has arrived on a socket; nothing is read."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not arrived.done():
            arrived.set_result(None)

    loop.add_reader(connection, tell)
    try:
        await arrived
    finally:
        loop.remove_reader(connection)
