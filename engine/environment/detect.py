"""What a project needs to be built and tested, read from its manifests (SPEC E3)."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.environment import document
from engine.environment.kinds import BadValue

_VENV = "/opt/venv"
# In the order they are preferred: what only testing needs before what developers want besides.
_TEST_NAMES = ("test", "tests", "testing", "dev")
_PYTHON_NEEDED = """\
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
  apt-get update
  apt-get install -y --no-install-recommends python3 python3-venv
fi"""
_NODE_NEEDED = """\
if ! command -v npm >/dev/null; then
  apt-get update
  apt-get install -y --no-install-recommends nodejs npm
fi"""


@dataclass(frozen=True, slots=True)
class Detected:
    """A project as its manifests show it.

    `kinds` names what was found ("python", "node"), empty for a plain project; `prepare` are shell lines that make
    the tools available, `install` those that install the dependencies (again, whenever a file matching `watch`
    changed); `test` is the argv that runs the tests, empty if unknown.
    """

    kinds: tuple[str, ...] = ()
    prepare: tuple[str, ...] = ()
    install: tuple[str, ...] = ()
    watch: tuple[str, ...] = ()
    test: tuple[str, ...] = ()

    @property
    def setup_script(self) -> str:
        """The bash script that prepares a snapshot; empty when there is nothing to do."""
        return _script((*self.prepare, *self.install))

    @property
    def maintenance_script(self) -> str:
        """The bash script that brings the dependencies up to date."""
        return _script(self.install)


def _script(lines: tuple[str, ...]) -> str:
    return "\n".join(("set -euo pipefail", *lines, "")) if lines else ""


def detect(folder: Path) -> Detected:
    """Look at the manifests in `folder` itself; what cannot be read counts as not there."""
    found = [part for part in (_python(folder), _node(folder)) if part is not None]
    return Detected(
        kinds=tuple(kind for part in found for kind in part.kinds),
        prepare=tuple(line for part in found for line in part.prepare),
        install=tuple(line for part in found for line in part.install),
        watch=tuple(pattern for part in found for pattern in part.watch),
        test=next((part.test for part in found if part.test), ()),
    )


def _python(folder: Path) -> Detected | None:
    project = _toml(folder / "pyproject.toml")
    requirements = _requirements(folder)
    manifests = [name for name in ("pyproject.toml", "setup.py", "setup.cfg") if _exists(folder / name)]
    installable = "project" in project or "build-system" in project or _exists(folder / "setup.py")
    if not requirements and not manifests:
        return None
    extra, tools = _test_needs(folder, project, requirements)
    targets = ["-r requirements.txt"] if "requirements.txt" in requirements else []
    if installable:
        targets.append(f"-e {shlex.quote(f'.[{extra}]' if extra else '.')}")
    python = f"{_VENV}/bin/python"
    return Detected(
        kinds=("python",),
        prepare=(
            _PYTHON_NEEDED,
            f"python3 -m venv {_VENV}",
            f"echo 'export PATH={_VENV}/bin:$PATH' >> ~/.bashrc",
        ),
        install=tuple(f"{python} -m pip install {arguments}" for arguments in (*targets, *tools)),
        watch=(*manifests, *requirements),
        test=("python", "-m", "pytest") if _has_tests(folder) else (),
    )


def _test_needs(folder: Path, project: Mapping[str, Any], requirements: list[str]) -> tuple[str, list[str]]:
    """The extra of the package itself that tests need, and the pip arguments of what else they need."""
    extras = _table(_table(project, "project"), "optional-dependencies")
    groups = _table(project, "dependency-groups")
    extra = _first_test_name(extras)
    tools = []
    group = _first_test_name(groups)
    if group and (packages := _group(groups, group)):
        tools.append(shlex.join(packages))
    rated = [(_rank(name), name) for name in requirements if _rank(name) < len(_TEST_NAMES)]
    if rated:
        tools.append(f"-r {shlex.quote(min(rated)[1])}")
    if not extra and not tools and _has_tests(folder):
        tools.append("pytest")
    return extra, tools


def _rank(name: str) -> int:
    """How well a name says that it is about tests; `len(_TEST_NAMES)` when it does not at all."""
    words = re.split(r"[^a-z]+", name.lower())
    return next((rank for rank, word in enumerate(_TEST_NAMES) if word in words), len(_TEST_NAMES))


def _first_test_name(table: Mapping[str, Any]) -> str:
    return next((name for name in _TEST_NAMES if name in table), "")


def _group(groups: Mapping[str, Any], name: str) -> list[str]:
    """The requirements of a dependency group and of those it includes (PEP 735)."""
    packages: list[str] = []
    pending, seen = [name], set()
    while pending:
        group = pending.pop()
        entries = [] if group in seen else groups.get(group)
        seen.add(group)
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, str) and not entry.startswith("-"):
                packages.append(entry)
            elif isinstance(entry, dict) and isinstance(included := entry.get("include-group"), str):
                pending.append(included)
    return packages


def _requirements(folder: Path) -> list[str]:
    files = (*folder.glob("*requirements*.txt"), *folder.glob("requirements/*.txt"))
    return sorted(str(path.relative_to(folder)) for path in files if _exists(path))


def _has_tests(folder: Path) -> bool:
    return any(_exists(folder / name, Path.is_dir) for name in ("tests", "test"))


def _node(folder: Path) -> Detected | None:
    if not _exists(folder / "package.json"):
        return None
    locked = [name for name in ("package-lock.json", "npm-shrinkwrap.json") if _exists(folder / name)]
    scripts = _table(_json(folder / "package.json"), "scripts")
    return Detected(
        kinds=("node",),
        prepare=(_NODE_NEEDED,),
        install=("npm ci" if locked else "npm install --no-package-lock",),
        watch=("package.json", *locked),
        test=("npm", "test") if "test" in scripts else (),
    )


def _exists(path: Path, kind: Callable[[Path], bool] = Path.is_file) -> bool:
    try:
        return kind(path)
    except OSError:
        return False


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _toml(path: Path) -> Mapping[str, Any]:
    try:
        return document.parse(document.read_bytes(path))[0]
    except BadValue:
        return {}


def _json(path: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(document.read_bytes(path))
    except (BadValue, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
