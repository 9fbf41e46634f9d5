"""Starts the lab in namespaces that end with it: nothing of it can be left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from tests.faults.proxy_lab.inside import Outcome

Mode = Literal["spliced", "inspected"]
MODES: tuple[Mode, ...] = ("spliced", "inspected")
"""Without inspection, and with it."""

_ROOT = Path(__file__).parents[3]
_SECONDS = 90.0
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


class LabFailed(Exception):
    """The lab did not come to its end; the message is what it said."""


def missing() -> str:
    """Why the lab cannot run here; empty when it can."""
    try:
        done = subprocess.run(_own_namespaces("ip", "link", "set", "lo", "up"), capture_output=True, env=_environment())
    except FileNotFoundError:
        return "unshare (util-linux) is not installed"
    return (
        ""
        if done.returncode == 0
        else f"the lab needs ip (iproute2), and the right to make namespaces: {done.stderr.decode().strip()}"
    )


def outcomes(folder: Path) -> dict[str, dict[str, Outcome]]:
    """The outcome of each case by mode and name; both modes run at once, each in a lab of its own.

    Raises:
        LabFailed: one of them did not end well.
    """
    with ThreadPoolExecutor() as pool:
        return dict(zip(MODES, pool.map(lambda mode: _run(folder / mode, mode), MODES), strict=True))


def _run(folder: Path, mode: Mode) -> dict[str, Outcome]:
    folder.mkdir(mode=0o700)
    command = _own_namespaces(sys.executable, "-m", "tests.faults.proxy_lab.inside", str(folder), mode)
    try:
        done = subprocess.run(
            command, cwd=_ROOT, env=_environment(), capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise LabFailed(f"the lab ({mode}) did not end within {_SECONDS:.0f} s") from None
    if done.returncode:
        raise LabFailed(f"the lab ({mode}) failed:\n{done.stderr}")
    return {name: Outcome(**{**kept, "leaks": tuple(kept["leaks"])}) for name, kept in json.loads(done.stdout).items()}


def _own_namespaces(*command: str) -> list[str]:
    """The command as the first process of its own namespaces: all others in them end with it, and it with unshare."""
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *user, "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", *command]


def _environment() -> Mapping[str, str]:
    return {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:{_SBIN}", "PYTHONPATH": str(_ROOT)}
