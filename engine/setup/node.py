"""Projects in JavaScript: npm, Yarn (1 and later) and pnpm (SPEC E4)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from msgspec import Struct

from engine.setup.project import TOOLS, Argv, Asked, Project, Step, missing, table, word

_NPM_LOCKS = ("package-lock.json", "npm-shrinkwrap.json")
LOCKS = ("pnpm-lock.yaml", "yarn.lock", *_NPM_LOCKS)
_LOCKS_OF = {"npm": _NPM_LOCKS, "yarn": ("yarn.lock",), "pnpm": ("pnpm-lock.yaml",)}
_OTHERS = ("bun.lock", "bun.lockb")
_CONFIGURATION = {"npm": "", "yarn": ".yarnrc.yml", "pnpm": "pnpm-workspace.yaml"}
_NPM_NEEDED = missing("type -P npm >/dev/null", "nodejs", "npm")
_MANAGER = re.compile(r"(npm|yarn|pnpm)@([0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]{1,40})?)(?:\+[0-9a-z.]+)?")


def names(files: Sequence[str]) -> list[str]:
    """Those of the files of a folder whose content `step` and `asked` want to know."""
    wanted = ("package.json", "pnpm-lock.yaml", "yarn.lock", ".yarnrc.yml", ".nvmrc", ".node-version")
    return [name for name in wanted if name in files]


def is_project(project: Project) -> bool:
    """Whether the folder has something to install."""
    return project.has("package.json")


def stands_alone(project: Project) -> bool:
    """Whether a folder inside another project is one of its own: it has a lock file."""
    return bool(project.there(*LOCKS))


def is_workspace(project: Project) -> bool:
    """Whether the lock file of this folder is for folders below it too."""
    workspaces = project.has("pnpm-workspace.yaml") or "workspaces" in project.json("package.json")
    return workspaces and bool(project.there(*LOCKS))


def step(project: Project) -> Step | None:
    """What is to be done in a folder, by the manager its package.json names, else by the one whose lock file it has."""
    if not is_project(project):
        return None
    data = project.json("package.json")
    named = data.get("packageManager")
    found = _MANAGER.fullmatch(named) if isinstance(named, str) else None
    name, version = (found[1], found[2]) if found else (_by_files(project), "")
    choice = {"npm": _npm, "yarn": _yarn, "pnpm": _pnpm}[name](project, version)
    place = f"{TOOLS}/{choice.package.rpartition('/')[2].replace('@', '-')}"
    own = bool(choice.package)
    return Step(
        project.place,
        name,
        prepare=(_NPM_NEEDED, *([_manager(project.place, name, choice, place)] if own else [])),
        install=(choice.install,),
        files=("package.json", *project.there(*_LOCKS_OF[name], _CONFIGURATION[name])),
        test=(name, "test") if "test" in table(data, "scripts") else (),
        path=(f"{place}/bin",) if own else (),
        notices=tuple(_notices(project, name, named if found is None else None)),
    )


def asked(project: Project) -> list[Asked]:
    """The versions of Node a folder asks for."""
    data = project.json("package.json")
    found = {
        **{name: project.text(name).strip().removeprefix("v") for name in (".nvmrc", ".node-version")},
        "package.json": table(data, "volta").get("node") or table(data, "engines").get("node"),
    }
    return [Asked("node", version, file) for file, value in found.items() if (version := word(value))]


def _by_files(project: Project) -> str:
    """The manager whose lock file, else whose configuration the folder has."""
    signs = (*project.there(*LOCKS), *project.there(*_CONFIGURATION.values()))
    return next(
        (name for sign in signs for name in _LOCKS_OF if sign in (*_LOCKS_OF[name], _CONFIGURATION[name])), "npm"
    )


def _notices(project: Project, name: str, unreadable: object) -> list[str]:
    told = []
    if unreadable is not None:
        told.append(f"packageManager of package.json is not npm, yarn or pnpm with an exact version; {name} is used")
    others = [file for file in project.there(*LOCKS) if file not in _LOCKS_OF[name]]
    if others:
        told.append(f"{' and '.join(others)}: not used, because {name} is; remove what is out of date")
    if bun := project.there(*_OTHERS):
        told.append(f"{bun[0]}: bun is not supported, {name} is used; install with bun in setup.script instead")
    return told


class _Choice(Struct, frozen=True):
    """The command that installs, the npm package to take the manager from if need be, the version looked for."""

    install: Argv
    package: str
    version: str


def _manager(folder: str, name: str, choice: _Choice, place: str) -> str:
    """A bash line that installs a manager with npm, unless the one that answers in the folder is of this version.

    Where corepack is, its stand-in answers, with the version that packageManager names.
    """
    check = f'[[ "$(cd -- {shlex.quote(folder)} && {name} --version 2>/dev/null || :)" == {choice.version} ]]'
    return f"{check} || npm install --global --prefix {place} {choice.package}"


def _npm(project: Project, version: str) -> _Choice:
    locked = bool(project.there(*_NPM_LOCKS))
    install = ("npm", "ci") if locked else ("npm", "install", "--no-package-lock")
    return _Choice(install, f"npm@{version}" if version else "", version)


def _yarn(project: Project, version: str) -> _Choice:
    locked = project.has("yarn.lock")
    lock = re.search(r"^__metadata:\n  version: ([0-9]+)$", project.text("yarn.lock"), re.MULTILINE)
    settings = project.text(".yarnrc.yml")
    modern = not version.startswith("1.") if version else bool(lock) or project.has(".yarnrc.yml")
    if not modern:
        how = "--frozen-lockfile" if locked else "--no-lockfile"
        return _Choice(("yarn", "install", how, "--non-interactive"), f"yarn@{version or '1'}", version or "1.*")
    install = ("yarn", "install", "--immutable" if locked else "--no-immutable")
    own = re.search(r"^yarnPath: *[\"']?([\w./@+-]+)[\"']?\s*$", settings, re.MULTILINE | re.ASCII)
    if own and project.has(own[1].removeprefix("./")):
        # Any yarn hands over to the release that lies in the repository.
        return _Choice(install, "yarn@1", "[0-9]*")
    # The format of the lock file says which release wrote it.
    major = "4" if not lock or len(lock[1]) > 1 or lock[1] >= "7" else "3" if lock[1] == "6" else "2"
    return _Choice(install, f"@yarnpkg/cli-dist@{version or major}", version or f"{major}.*")


def _pnpm(project: Project, version: str) -> _Choice:
    lock = re.search(r"^lockfileVersion: '?([0-9]+)", project.text("pnpm-lock.yaml"), re.MULTILINE)
    major = {"5": "7", "6": "8"}.get(lock[1] if lock else "", "10")
    how = "--frozen-lockfile" if project.has("pnpm-lock.yaml") else "--no-lockfile"
    return _Choice(("pnpm", "install", how), f"pnpm@{version or major}", version or f"{major}.*")
