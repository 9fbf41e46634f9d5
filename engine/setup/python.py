"""Projects in Python: pip, pipenv, poetry and uv (SPEC E4).

pip installs into one virtual environment, /opt/venv, for all folders that use it. The others make `.venv` in the
folder of their project, where they and the tools around them look for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from engine.setup.project import TOOLS, Argv, Asked, Project, Step, missing, table, word

LOCKS = ("uv.lock", "poetry.lock", "Pipfile.lock")
_MANIFESTS = ("pyproject.toml", "setup.py", "setup.cfg")
_VENV = "/opt/venv"
_PYTHON_NEEDED = missing("python3 -c 'import ensurepip, venv' 2>/dev/null", "python3", "python3-venv")
# Byte code is no result, and many repositories do not ignore it.
_NO_BYTE_CODE = "echo 'export PYTHONDONTWRITEBYTECODE=1' >> ~/.bashrc"
# In the order they are preferred: what only testing needs before what developers want besides.
_TEST_NAMES = ("test", "tests", "testing", "dev")
_REQUIREMENTS = re.compile(r"[^/]*requirements[^/]*\.txt|requirements/[^/]+\.txt")
# poetry has a protocol of its own for the public index, which mirrors of it do not speak, and ignores pip's settings:
# the plugin lets it ask the index that pip asks, in pip's way.
_POETRY_MIRROR = "poetry-plugin-pypi-mirror"
_POETRY_INDEX = (
    'POETRY_PYPI_MIRROR_URL=${POETRY_PYPI_MIRROR_URL:-$(python3 -c "from pip._internal.commands import create_command; '
    "print(create_command('install').parser.get_default_values().index_url)\" || :)}"
)


def names(files: Sequence[str]) -> list[str]:
    """Those of the files of a folder whose content `step` and `asked` want to know."""
    return [name for name in (*_MANIFESTS, *LOCKS, "Pipfile", ".python-version") if name in files]


def is_project(project: Project) -> bool:
    """Whether the folder has something to install."""
    return project.has("Pipfile") or bool(_requirements(project)) or bool(project.there(*_MANIFESTS))


def stands_alone(project: Project) -> bool:
    """Whether a folder inside another project is one of its own: it has its own list of exact packages."""
    return bool(project.there(*LOCKS, "requirements.txt"))


def is_workspace(project: Project) -> bool:
    """Whether the lock file of this folder is for folders below it too."""
    return project.has("uv.lock") and _has_members(project.toml("pyproject.toml"))


def step(project: Project) -> Step | None:
    """What is to be done in a folder, by the manager whose lock file, else whose manifest it has."""
    if not is_project(project):
        return None
    data = project.toml("pyproject.toml")
    tool = table(data, "tool")
    locked = project.there(*LOCKS)
    if project.has("uv.lock"):
        made = _uv(project, data)
    elif project.has("poetry.lock") or ("poetry" in tool and not locked):
        made = _poetry(project, data)
    elif project.has("Pipfile"):
        made = _pipenv(project)
    elif "uv" in tool:
        made = _uv(project, data)
    else:
        return _pip(project, data)
    if len(locked) > 1:
        return replace(made, notices=(f"{' and '.join(locked)} are there; {made.manager} is used: remove the others",))
    return made


def asked(project: Project) -> list[Asked]:
    """The versions of Python a folder asks for."""
    data = project.toml("pyproject.toml")
    pinned = next((line.strip() for line in project.text(".python-version").splitlines() if line.strip()), "")
    required = table(project.toml("Pipfile"), "requires")
    found = {
        ".python-version": pinned.removeprefix("cpython-").removeprefix("cpython@"),
        "pyproject.toml": table(data, "project").get("requires-python")
        or table(data, "tool", "poetry", "dependencies").get("python"),
        "Pipfile": required.get("python_full_version") or required.get("python_version"),
    }
    return [Asked("python", version, file) for file, value in found.items() if (version := word(value))]


def _uv(project: Project, data: Mapping[str, Any]) -> Step:
    groups = table(data, "dependency-groups")
    extra, group = _first_test_name(table(data, "project", "optional-dependencies")), _first_test_name(groups)
    options = [*(["--frozen"] if project.has("uv.lock") else []), *(["--extra", extra] if extra else [])]
    # The group "dev" is installed without being asked for.
    options += ["--group", group] if group and "dev" not in groups else []
    options += ["--all-packages"] if _has_members(data) else []
    return Step(
        project.place,
        "uv",
        prepare=(_PYTHON_NEEDED, _NO_BYTE_CODE, _own_venv("uv", "uv")),
        install=(("uv", "sync", *options),),
        files=project.there("pyproject.toml", "uv.lock"),
        test=_test(project),
        path=(f"{TOOLS}/bin", ".venv/bin"),
    )


def _has_members(data: Mapping[str, Any]) -> bool:
    return "workspace" in table(data, "tool", "uv")


def _poetry(project: Project, data: Mapping[str, Any]) -> Step:
    extras = table(data, "project", "optional-dependencies") or table(data, "tool", "poetry", "extras")
    extra = _first_test_name(extras)
    old = re.match(r"# This file is automatically @generated by Poetry 1\.", project.text("poetry.lock"))
    return Step(
        project.place,
        "poetry",
        prepare=(_PYTHON_NEEDED, _NO_BYTE_CODE, _own_venv("poetry", "'poetry<2'" if old else "poetry", _POETRY_MIRROR)),
        install=(("poetry", "install", "--no-interaction", *(["--extras", extra] if extra else [])),),
        files=project.there("pyproject.toml", "poetry.lock"),
        test=_test(project),
        path=(f"{TOOLS}/bin", ".venv/bin"),
        exports=("POETRY_VIRTUALENVS_IN_PROJECT=true", _POETRY_INDEX),
    )


def _pipenv(project: Project) -> Step:
    how = "--deploy" if project.has("Pipfile.lock") else "--skip-lock"
    return Step(
        project.place,
        "pipenv",
        prepare=(_PYTHON_NEEDED, _NO_BYTE_CODE, _own_venv("pipenv", "pipenv")),
        install=(("pipenv", "install", "--dev", how),),
        files=project.there("Pipfile", "Pipfile.lock"),
        test=_test(project),
        path=(f"{TOOLS}/bin", ".venv/bin"),
        exports=("PIPENV_VENV_IN_PROJECT=1", "PIPENV_NOSPIN=1", "PIPENV_QUIET=1"),
    )


def _pip(project: Project, data: Mapping[str, Any]) -> Step:
    requirements = _requirements(project)
    extra, tools = _test_needs(project, data, requirements)
    targets: list[Argv] = [("-r", "requirements.txt")] if "requirements.txt" in requirements else []
    if "project" in data or "build-system" in data or project.has("setup.py"):
        targets.append(("-e", f".[{extra}]" if extra else "."))
    pip = (f"{_VENV}/bin/python", "-m", "pip", "install")
    return Step(
        project.place,
        "pip",
        prepare=(_PYTHON_NEEDED, _NO_BYTE_CODE, f"[ -x {_VENV}/bin/python ] || python3 -m venv {_VENV}"),
        install=tuple((*pip, *arguments) for arguments in (*targets, *tools)),
        files=(*project.there(*_MANIFESTS), *requirements),
        test=_test(project),
        path=(f"{_VENV}/bin",),
    )


def _own_venv(name: str, *packages: str) -> str:
    """A bash line that installs a manager in a virtual environment of its own, unless it is there."""
    place = f"{TOOLS}/{name}"
    return (
        f"type -P {name} >/dev/null || {{ python3 -m venv {place}; "
        f"{place}/bin/python -m pip install --quiet {' '.join(packages)}; "
        f"mkdir -p {TOOLS}/bin; ln -sf {place}/bin/{name} {TOOLS}/bin/; }}"
    )


def _test(project: Project) -> Argv:
    return ("python", "-m", "pytest") if project.has_tests else ()


def _test_needs(project: Project, data: Mapping[str, Any], requirements: Sequence[str]) -> tuple[str, list[Argv]]:
    """The extra of the package itself that tests need, and the pip arguments of what else they need."""
    extra = _first_test_name(table(data, "project", "optional-dependencies"))
    groups = table(data, "dependency-groups")
    group = _first_test_name(groups)
    tools: list[Argv] = []
    if group and (packages := _group(groups, group)):
        tools.append(tuple(packages))
    rated = [(_rank(name), name) for name in requirements if _rank(name) < len(_TEST_NAMES)]
    if rated:
        tools.append(("-r", min(rated)[1]))
    if not extra and not tools and project.has_tests:
        tools.append(("pytest",))
    return extra, tools


def _rank(name: str) -> int:
    """How well a name says that it is about tests; `len(_TEST_NAMES)` when it does not at all."""
    words = re.split(r"[^a-z]+", name.lower())
    return next((rank for rank, word in enumerate(_TEST_NAMES) if word in words), len(_TEST_NAMES))


def _first_test_name(names: Mapping[str, Any]) -> str:
    return next((name for name in _TEST_NAMES if name in names), "")


def _group(groups: Mapping[str, Any], name: str) -> list[str]:
    """The requirements of a dependency group and of those it includes (PEP 735)."""
    packages: list[str] = []
    pending, seen = [name], set()
    while pending:
        group = pending.pop()
        entries = [] if group in seen else groups.get(group)
        seen.add(group)
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, str) and entry.isprintable() and not entry.startswith("-"):
                packages.append(entry)
            elif isinstance(entry, dict) and isinstance(included := entry.get("include-group"), str):
                pending.append(included)
    return packages


def _requirements(project: Project) -> list[str]:
    return sorted(name for name in project.files if _REQUIREMENTS.fullmatch(name))
