"""The codex program: where it is, and what of it a container has to be shown."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
from pathlib import Path

from msgspec import Struct

from engine.agents import packages
from engine.containers.container import Mount
from engine.errors import UsageError

INSIDE = "/run/fumehood/codex"
"""Where containers see it."""

_INSTALL = "install it: fumehood agent install codex"
_ELF = b"\x7fELF"
_INTERPRETER = 3


class Program(Struct, frozen=True):
    """A codex that runs on this host and, as its exec server, in containers: one static binary does both.

    Attributes:
        path: the binary.
        origin: how it was found, in words.
        version: what the package says of itself; empty when it is no package.
        package: the folder of the package, with the tools that come along (`rg`); None for a single file.
    """

    path: Path
    origin: str
    version: str = ""
    package: Path | None = None

    @property
    def mount(self) -> Mount:
        """What its containers see of it."""
        return Mount(self.package, INSIDE) if self.package else Mount(self.path, self.inside)

    @property
    def inside(self) -> str:
        """The binary's path in the container."""
        return f"{INSIDE}/{self.path.relative_to(self.package)}" if self.package else f"{INSIDE}/bin/codex"


def find(option: str = "") -> Program:
    """The codex to use: the one of the option `program`, else the one installed here, else the one on PATH.

    Raises:
        UsageError: there is none, or it cannot run in containers.
    """
    if option:
        path = Path(option).expanduser()
        if not path.is_absolute() or not path.is_file():
            raise UsageError(f"program {option!r} of [agent.options] is not there", "name the file by its whole path")
        return _program(path, "option program")
    if installed := packages.installed("codex"):
        return _program(installed.program, "installed")
    if found := shutil.which("codex"):
        return _program(Path(found), "PATH")
    raise UsageError("codex is not installed", _INSTALL)


def _program(path: Path, origin: str) -> Program:
    path = path.resolve()
    if path.suffix == ".js":
        # npm's wrapper: the binary is in the package for this platform, below it or beside it.
        places = [folder / packages.MODULES for folder in path.parents]
        found = [native for place in places for native in packages.programs(packages.PACKAGES["codex"], place)]
        path = next(iter(found), path)
    if not is_static(path):
        raise UsageError(f"{path} is no static program, so it cannot run in a container", _INSTALL)
    package = path.parents[1]
    try:
        version = str(json.loads((package / "codex-package.json").read_text())["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return Program(path, origin)
    return Program(path, origin, version, package)


def is_static(path: Path) -> bool:
    """Whether it is a Linux program of 64 bits that needs no loader, and so no library of the system it runs on."""
    try:
        with path.open("rb") as file:
            head = file.read(64)
            if len(head) < 64 or not head.startswith(_ELF) or head[4:6] != b"\x02\x01" or not os.access(path, os.X_OK):
                return False
            (offset,) = struct.unpack_from("<Q", head, 32)
            size, count = struct.unpack_from("<HH", head, 54)
            file.seek(offset)
            table = file.read(size * count)
    except OSError:
        return False
    kinds = [struct.unpack_from("<I", table, size * i)[0] for i in range(len(table) // size)] if size >= 4 else []
    return bool(kinds) and _INTERPRETER not in kinds


def tested(version: str) -> bool:
    """Whether it is of a line of releases that this adapter was tried with."""
    low, high = packages.PACKAGES["codex"].tested
    return low <= numbers(version) < high


def numbers(version: str) -> tuple[int, ...]:
    """The parts of a version that compare."""
    return tuple(int(part) for part in re.findall(r"\d{1,9}", version)[:3])
