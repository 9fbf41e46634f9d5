"""Processes in a session of their own, which outlive terminal and login (SPEC T4); what they say goes to a log.

Where logging out ends all processes of a login (logind's `KillUserProcesses`), a session of their own is not enough:
they have to be a unit of the user's systemd, and that has to stay, which is called lingering. Without it they are left
where they are: that systemd goes with the last login and would take them along.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import engine
from engine.state import private_dir

LINGER = Path("/var/lib/systemd/linger")
"""Where logind notes whose systemd stays."""


def fork(work: Callable[[], None], log: Path) -> None:
    """Run `work` in a fork of this process, with everything it has imported already (saves 0.1 s of a start).

    Only for a process with one thread: the command line, never the workbench.
    """
    if child := os.fork():
        own_scope(child)
        return
    code = 1
    try:
        os.setsid()
        os.chdir("/")
        nowhere = os.open(os.devnull, os.O_RDWR)
        for source, target in ((nowhere, 0), (nowhere, 1), (_opened(log), 2)):
            os.dup2(source, target)
        work()
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        # Not sys.exit: what the parent registered to run at its end is not ours to run.
        os._exit(code)


def spawn(module: str, *arguments: str, log: Path) -> None:
    """Run a module of ours as a new process."""
    import subprocess

    root = str(Path(engine.__file__).parent.parent)
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
    target = _opened(log)
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=target,
        start_new_session=True,
        cwd="/",
        env={**os.environ, "PYTHONPATH": path},
    )
    os.close(target)
    mover = own_scope(process.pid)

    def reap() -> None:
        if mover:
            with suppress(ChildProcessError):
                os.waitpid(mover, 0)
        process.wait()

    threading.Thread(target=reap, name="reaper", daemon=True).start()


def lingers() -> bool:
    """Whether this user's systemd stays when they log out."""
    import pwd

    try:
        return (LINGER / pwd.getpwuid(os.getuid()).pw_name).exists()
    except KeyError:
        return False


def own_scope(process: int) -> int:
    """Ask the user's systemd, when it lingers, to take a process into a unit of its own; does not wait for it.

    Returns:
        The process that asks, 0 when there is nobody to ask.
    """
    bus = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}") / "bus"
    if not bus.is_socket() or not lingers():
        return 0
    nowhere = [(os.POSIX_SPAWN_OPEN, descriptor, os.devnull, os.O_RDWR, 0) for descriptor in range(3)]
    variables = {**os.environ, "DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus}"}
    try:
        return os.posix_spawnp("busctl", _scope_call(process), variables, file_actions=nowhere)
    except OSError:
        return 0


def _scope_call(process: int) -> list[str]:
    """The call of `StartTransientUnit` that makes a scope of a process that is there already."""
    manager = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
    unit = ("StartTransientUnit", "ssa(sv)a(sa(sv))", f"fumehood-{process}-{int(time.time())}.scope", "fail")
    properties = ("3", "Description", "s", "fumehood", "CollectMode", "s", "inactive-or-failed")
    return ["busctl", "--user", "call", *manager, *unit, *properties, "PIDs", "au", "1", str(process), "0"]


def _opened(log: Path) -> int:
    return os.open(private_dir(log.parent) / log.name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
