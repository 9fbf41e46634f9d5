"""Installing an agent's command line with npm, from the registry that the user's npm is configured for."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from engine.agents.packages import CURRENT, MODULES, PACKAGES, Installed, Package, folder, installed, programs
from engine.errors import EngineError, UsageError
from engine.state import locked, private_dir, write_atomic

_NPM_SECONDS = 900
_VERSION_SECONDS = 60
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.+-]*")


def install(name: str, version: str, progress: Callable[[str], None]) -> Installed:
    """Install a version of an agent, the one that was tried if it is empty; it is in use once it is all there.

    The version used before stays, for containers that still show it; older ones are removed.

    Raises:
        UsageError: there is no such agent, or no npm; EngineError: npm or the program failed.
    """
    package = PACKAGES.get(name)
    if package is None:
        raise UsageError(f"{name!r} is no agent that can be installed", f"these can: {', '.join(PACKAGES)}")
    version = version or package.version
    if not _VERSION.fullmatch(version):
        raise UsageError(f"{version!r} is no version", f"give one as the registry has it, such as {package.version}")
    if shutil.which("npm") is None:
        raise UsageError("npm is not installed", "Debian: apt-get install npm; only installing agents needs it")

    with locked(folder(name) / "lock"):
        before = installed(name)
        if before and before.version == version:
            progress(f"{name} {version} is installed already")
            return before
        progress(f"installing {package.npm} {version} with npm")
        home = private_dir(folder(name))
        with tempfile.TemporaryDirectory(dir=home, prefix=".new.") as made:
            _npm(package, version, Path(made))
            works = _working(package, version, Path(made) / MODULES)
            progress(f"{name} runs: {works}")
            target = home / version
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir(mode=0o755)
            (Path(made) / MODULES).rename(target / MODULES)
        write_atomic(home / CURRENT, f"{version}\n", mode=0o644)
        for other in home.iterdir():
            if other.is_dir() and other.name not in (version, before.version if before else ""):
                shutil.rmtree(other)
        now = installed(name)
    assert now is not None
    return now


def _npm(package: Package, version: str, target: Path) -> None:
    """Its own scripts do not run: they only link what is called directly here."""
    (target / "package.json").write_text(json.dumps({"private": True}))
    argv = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--omit=dev"]
    argv += ["--prefix", str(target), f"{package.npm}@{version}"]
    try:
        done = subprocess.run(argv, cwd=target, stdin=subprocess.DEVNULL, capture_output=True, timeout=_NPM_SECONDS)
    except subprocess.TimeoutExpired:
        raise EngineError(f"npm did not end within {_NPM_SECONDS} s", "is the registry in reach? npm ping") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = next((line for line in said if line.startswith("npm ") and " code " not in line), "no reason given")
        raise EngineError(f"npm could not install {package.npm}@{version}: {reason}", "see `npm view` of it")


def _working(package: Package, version: str, modules: Path) -> str:
    """What the first program that runs here says its version is."""
    found = programs(package, modules)
    if not found:
        raise EngineError(f"{package.npm} {version} has no program for this machine", "only Linux is served")
    for path in found:
        argv = ["node", str(path)] if path.suffix == ".js" else [str(path)]
        try:
            done = subprocess.run(
                [*argv, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_VERSION_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired):
            said, code = "", None
        else:
            said, code = done.stdout.decode("utf-8", "replace").strip(), done.returncode
        if code == 0 and version in said:
            return said.splitlines()[0]
        # A build for other machines.
        path.unlink()
    raise EngineError(f"the program of {package.npm} {version} does not run here", "another version may: --version")
