"""The starter: a process that has imported everything and forks supervisors when asked to (DESIGN "Speed").

It belongs to the keeper, has one thread, and listens on a socket that only this user can reach. Whoever asks sends the
task's folder and its own environment variables: the supervisor is to see what it would have seen as a child of theirs.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

import engine
from engine.detached import fork
from engine.state import socket_dir, state_dir
from engine.tasks.spec import supervisors_log

_SECONDS = 2.0
_LARGEST = 4 << 20
# What a supervisor imports on its way to the agent's first command.
_NEEDED = (
    "asyncio",
    "concurrent.futures.thread",
    "engine.agents.codex.run",
    "engine.agents.command",
    "engine.agents.drive",
    "engine.agents.loop.agent",
    "engine.agents.replay",
    "engine.cache.snapshots",
    "engine.containers.endpoint",
    "engine.environment.load",
    "engine.environment.trust",
    "engine.repository.diff",
    "engine.repository.mirror",
    "engine.repository.out",
    "engine.repository.source",
    "engine.repository.tree",
    "engine.repository.watched",
    "engine.setup.effective",
    "engine.setup.plan",
    "engine.tasks.attempt",
    "engine.tasks.prepare",
    "engine.tasks.recovery",
    "engine.tasks.secrets",
    "engine.tasks.standby",
    "engine.tasks.supervisor",
    "httpx",
)


def address() -> Path:
    """Where the starter listens."""
    state = hashlib.sha256(os.fsencode(state_dir())).hexdigest()[:12]
    return socket_dir(f"starter-{state}") / "socket"


def _version() -> str:
    return f"{engine.__version__} {Path(engine.__file__).parent} {sys.version}"


def ask(folder: Path) -> bool:
    """Let the starter, if one runs, fork the supervisor of the task in `folder`; whether it did."""
    request = json.dumps({"version": _version(), "folder": str(folder), "environment": dict(os.environ)})
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_SECONDS)
        try:
            connection.connect(str(address()))
            connection.sendall(request.encode("utf-8", "surrogateescape") + b"\n")
            return connection.recv(16) == b"started"
        except OSError:
            return False


def serve(lifeline: int) -> None:
    """Fork a supervisor for each request, until the other end of the pipe `lifeline` is closed."""
    import select
    from importlib import import_module

    for name in _NEEDED:
        import_module(name)
    # What is here now is shared with every fork; collecting it would only copy it.
    gc.freeze()
    place = address()
    with suppress(FileNotFoundError):
        place.unlink()
    # Children are reaped by the kernel.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        place.chmod(0o600)
        listener.listen(16)
        while True:
            ready, _, _ = select.select([listener.fileno(), lifeline], [], [])
            if lifeline in ready:
                place.unlink(missing_ok=True)
                return
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(_SECONDS)
                with suppress(OSError, ValueError, KeyError):
                    _start(json.loads(_line(connection)), connection, (listener.fileno(), lifeline))


def _line(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n") and len(data) < _LARGEST:
        more = connection.recv(1 << 16)
        if not more:
            break
        data += more
    return data


def _start(request: dict[str, object], connection: socket.socket, mine: tuple[int, ...]) -> None:
    if request["version"] != _version():
        return
    folder = Path(str(request["folder"]))
    environment = request["environment"]
    assert isinstance(environment, dict)

    def supervise() -> None:
        from engine.tasks.supervisor import supervise

        for descriptor in (*mine, connection.fileno()):
            os.close(descriptor)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.environ.clear()
        os.environ.update(environment)
        supervise(folder)

    fork(supervise, supervisors_log())
    connection.sendall(b"started")


if __name__ == "__main__":
    serve(int(sys.argv[1]))
