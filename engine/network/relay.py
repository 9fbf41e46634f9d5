"""The relay: a script in a container of its own that makes a task's loopback lead to the gateway.

The relay container shares the task's network namespace and holds the only mount of the gateway's socket (SPEC N2).
Its script hands the gateway a listener and stays for as long as that is to be served; no byte passes through it. The
scripts use nothing but what nearly every Debian-like image has: Python 3.5 or, on the 64-bit kinds of x86, Arm,
RISC-V and LoongArch, perl-base.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

RELAY_HOST = "127.0.0.1"
RELAY_PORT = 3128

SCRIPT_MOUNT = "/run/fumehood/relay"
"""Where `script_path()` is mounted (read-only) in the relay container."""
SOCKET_MOUNT = "/run/fumehood/gateway"
"""Where the folder of the gateway's socket is mounted in the relay container."""
SOCKET_NAME = "gateway.sock"
"""The name of the gateway's socket in its folder."""

Interpreter = Literal["python3", "perl"]
INTERPRETERS: tuple[Interpreter, ...] = ("python3", "perl")
"""What can run the relay, best first."""

_SCRIPTS: dict[Interpreter, str] = {"python3": "relay.py", "perl": "relay.pl"}
_ARGUMENTS: dict[Interpreter, tuple[str, ...]] = {"python3": ("-I", "-S"), "perl": ()}


def script_path(interpreter: Interpreter) -> Path:
    """The relay script for `interpreter`, on this machine."""
    return Path(__file__).parent / "relay_scripts" / _SCRIPTS[interpreter]


def relay_command(interpreter: Interpreter) -> list[str]:
    """The command of a relay container that has script and socket folder mounted where this module says.

    It prints nothing. Exit code 0: the gateway has ended; 1: it could not listen, or not reach the gateway.
    """
    socket = f"{SOCKET_MOUNT}/{SOCKET_NAME}"
    return [interpreter, *_ARGUMENTS[interpreter], SCRIPT_MOUNT, socket, RELAY_HOST, str(RELAY_PORT)]
