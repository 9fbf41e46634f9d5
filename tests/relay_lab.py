"""A relay on this machine, without a container: what it takes to start one."""

from __future__ import annotations

import socket
from pathlib import Path

from engine.network.relay import (
    RELAY_HOST,
    SCRIPT_MOUNT,
    SOCKET_MOUNT,
    SOCKET_NAME,
    Interpreter,
    relay_command,
    script_path,
)


def local_relay(interpreter: Interpreter, path: Path, port: int) -> list[str]:
    """The command of a relay that listens on `port` of the loopback for the gateway whose socket is at `path`."""
    here = {SCRIPT_MOUNT: str(script_path(interpreter)), f"{SOCKET_MOUNT}/{SOCKET_NAME}": str(path)}
    return [*(here.get(word, word) for word in relay_command(interpreter)[:-1]), str(port)]


def free_port() -> int:
    """A port of the loopback nobody listens on now."""
    with socket.create_server((RELAY_HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
