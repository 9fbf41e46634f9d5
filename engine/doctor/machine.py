"""The machine and the user's own folders: room, rights, limits, what a logout does, the way to the internet."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from engine.doctor.check import Check
from engine.errors import EngineError, NetworkError
from engine.state import private_dir, state_dir

_DISK_LOW = 5 << 30
# The gateway of a task has up to a few hundred connections, each with two ends.
_FILES_LOW = 1024
# What one environment with a large project watches; kernels since 5.11 allow ten times as many.
_WATCHES_LOW, _INSTANCES_LOW = 65_536, 128
_INOTIFY = Path("/proc/sys/fs/inotify")
_FIX = "fumehood doctor --fix"


def state() -> Iterator[Check]:
    """The state folder: its rights, and the room on its disk."""
    try:
        folder = private_dir(state_dir())
        free = shutil.disk_usage(folder).free
    except OSError as error:
        yield Check("state folder", False, f"{state_dir()}: {error.strerror}", "give your user write access to it")
        return
    from engine.doctor.mend import open_to_others

    wide = open_to_others()
    if wide:
        more = f" and {len(wide) - 1} more" if len(wide) > 1 else ""
        yield Check("state folder", False, f"{wide[0]}{more} can be read by other users", _FIX)
    else:
        yield Check("state folder", True, str(folder))
    low = free < _DISK_LOW
    hint = "make room: `fumehood rm` for old tasks, `fumehood cache gc` for snapshots" if low else ""
    yield Check("disk", None if low else True, f"{free / 1e9:.0f} GB free", hint)


def left_behind() -> Iterator[Check]:
    """Tasks whose supervisor died, and sockets that nobody serves."""
    from engine.doctor.mend import dead_tasks, stale_sockets

    tasks, sockets = dead_tasks(), stale_sockets()
    if not tasks and not sockets:
        yield Check("left behind", True, "nothing")
        return
    parts = [f"tasks without a supervisor: {', '.join(tasks)}"] if tasks else []
    parts += [f"folders of sockets nobody serves: {len(sockets)}"] if sockets else []
    yield Check("left behind", None, "; ".join(parts), _FIX)


def secrets() -> Iterator[Check]:
    """The key of the user's secrets, without looking for more than whether it can be used."""
    from engine.secrets import identity

    where = identity.path()
    kept = [path for path in where.parent.glob("secrets/*/*.age") if path.name[0] != "."]
    if not where.exists() and not os.environ.get(identity.VARIABLE) and not kept:
        yield Check("secrets", True, "no key yet: the first `fumehood secret set` makes one")
        return
    found = identity.read()
    yield Check("secrets", True, f"key {found.path}, values in files of age: {len(kept)}")
    for folder in {path.parent for path in kept} | ({where.parent / "secrets"} if kept else set()):
        try:
            identity.check_private(folder, folder.stat())
        except EngineError as error:
            yield Check("secrets", False, error.message, error.hint)


def limits() -> Iterator[Check]:
    """What the kernel allows this user: open files, watched folders."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = soft != resource.RLIM_INFINITY and soft < _FILES_LOW
    hint = f"`ulimit -n {hard if hard > soft else _FILES_LOW}`, for good in /etc/security/limits.conf" if few else ""
    yield Check("open files", None if few else True, f"at most {soft}" if soft >= 0 else "no limit", hint)
    for name, low in (("max_user_watches", _WATCHES_LOW), ("max_user_instances", _INSTANCES_LOW)):
        try:
            allowed = int((_INOTIFY / name).read_text())
        except (OSError, ValueError):
            continue
        few = allowed < low
        hint = f"`sysctl fs.inotify.{name}={low}` as root; else saved files may go unnoticed" if few else ""
        yield Check("file watching", None if few else True, f"{name.replace('_', ' ')}: {allowed}", hint)


def logout() -> Iterator[Check]:
    """What becomes of tasks when their user logs out."""
    from engine.detached import lingers

    if lingers():
        yield Check("logout", True, "tasks go on: your user lingers")
    elif _logind("KillUserProcesses") == "b true":
        yield Check(
            "logout",
            None,
            "tasks end when you log out, as logind ends all your processes then (KillUserProcesses)",
            "`loginctl enable-linger` lets them go on",
        )
    else:
        yield Check("logout", True, "tasks go on")


def _logind(name: str) -> str:
    """A setting of logind as it says it; empty where there is none."""
    manager = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
    try:
        asked = subprocess.run(
            ["busctl", "get-property", *manager, name], capture_output=True, text=True, timeout=2, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.strip()


def proxies() -> Iterator[Check]:
    """The proxies of this machine, which the gateway goes through."""
    from engine.network.proxies import host_proxies

    try:
        found = host_proxies(os.environ)
    except NetworkError as error:
        yield Check("proxy", False, error.message, error.hint)
        return
    used = {f"{proxy.host}:{proxy.port}" for proxy in (found.tunnels, found.plain) if proxy}
    yield Check("proxy", True, f"through {', '.join(sorted(used))}" if used else "none: straight to the internet")


def authorities() -> Iterator[Check]:
    """Certificate authorities beyond the distribution's, and variables that name files which are not there."""
    from engine.containers.host_ca import extra_certificates

    missing = [
        f"{variable}={path}"
        for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
        if (path := os.environ.get(variable)) and not Path(path).exists()
    ]
    if missing:
        yield Check("authorities", False, f"not there: {', '.join(missing)}", "correct or unset the variable")
    extra = len(extra_certificates())
    told = (
        f"{extra} of this machine beyond the distribution's; `fumehood image bootstrap` puts them into the base image"
    )
    yield Check("authorities", True, told if extra else "those of the distribution")
