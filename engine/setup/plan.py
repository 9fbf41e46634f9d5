"""The plan of automatic setup: which managers do what in which folder of a repository (SPEC E4)."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from engine.setup import node, python
from engine.setup.project import Asked, Project, Step, word
from engine.setup.tree import Tree

MAX_STEPS = 20
"""Projects of one repository that are set up; more are named in a notice."""
_MAX_DEPTH = 3
_MAX_FOLDERS = 500
# Of the files below a project's folder, those further down are of no interest to it.
_LEVELS = 4
_MANIFESTS = ("pyproject.toml", "setup.py", "Pipfile", "requirements.txt", "package.json")
# What lies in them is no part of the project, or an example of something else.
_NOT_ENTERED = frozenset(
    ("build", "deps", "dist", "doc", "docs", "example", "examples", "fixtures", "__fixtures__", "sample", "samples",
     "sample-envs", "template", "templates", "test", "testdata", "tests", "third_party", "vendor")
)  # fmt: skip
_UNKNOWN = {"go.mod": "Go", "Cargo.toml": "Rust", "Gemfile": "Ruby", "composer.json": "PHP", "pom.xml": "Maven"}
_TOOL_NAMES = {"python": "python", "nodejs": "node", "node": "node", "golang": "go", "go": "go", "rust": "rust"}
_TOOL_NAMES |= {name: name for name in ("ruby", "java", "php", "swift", "bun")}

# No questions, no colours, no bars that redraw themselves, no advertisement, nothing written into manifests, and no
# second copy of what is installed.
_EXPORTS = (
    "CI=1 NO_COLOR=1 DEBIAN_FRONTEND=noninteractive",
    "PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PIP_PROGRESS_BAR=off",
    "PIP_ROOT_USER_ACTION=ignore UV_NO_PROGRESS=1",
    "npm_config_audit=false npm_config_fund=false npm_config_progress=false npm_config_update_notifier=false",
    "COREPACK_ENABLE_AUTO_PIN=0 COREPACK_ENABLE_DOWNLOAD_PROMPT=0",
    "YARN_ENABLE_TELEMETRY=0 YARN_ENABLE_PROGRESS_BARS=false",
)
_RUN = """run() { (cd -- "$1"; shift; printf '+ %s\\n' "$*"; exec "$@"); }"""
_PATH = (
    """path() { PATH=$1:$PATH; printf '[[ :$PATH: == *:%q:* ]] || export PATH=%q:$PATH\\n' "$1" "$1" >> ~/.bashrc; }"""
)


class Family(Protocol):
    """What the module of a family of managers has; see `engine.setup.python`."""

    def names(self, files: Sequence[str]) -> list[str]: ...
    def is_project(self, project: Project) -> bool: ...
    def stands_alone(self, project: Project) -> bool: ...
    def is_workspace(self, project: Project) -> bool: ...
    def step(self, project: Project) -> Step | None: ...
    def asked(self, project: Project) -> list[Asked]: ...


_FAMILIES: tuple[Family, ...] = (python, node)


class Plan(Struct, frozen=True):
    """What automatic setup does.

    Attributes:
        steps: in their order.
        asked: language versions that files of the project ask for.
        notices: what the plan leaves out or decides, each a sentence.
    """

    steps: tuple[Step, ...] = ()
    asked: tuple[Asked, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def watch(self) -> tuple[str, ...]:
        """Patterns of the files the plan follows, which make its installation out of date when they change (SPEC C5).

        Empty when one of them lies above the folder the task works in, where nothing is watched.
        """
        files = [posixpath.normpath(posixpath.join(step.folder, name)) for step in self.steps for name in step.files]
        return () if any(name.startswith("../") for name in files) else tuple(map(_escaped, dict.fromkeys(files)))

    @property
    def prepare(self) -> tuple[str, ...]:
        """Bash lines that make managers available."""
        places = dict.fromkeys(_place(step, folder) for step in self.steps for folder in step.path)
        # The folder named last is searched first, and the first project is the one that counts.
        paths = [f"path {place}" for place in reversed(places)]
        return (*paths, *dict.fromkeys(chain.from_iterable(step.prepare for step in self.steps)))

    @property
    def install(self) -> tuple[str, ...]:
        """Bash lines that install the packages."""
        return (
            *(f"export {line}" for line in dict.fromkeys(chain.from_iterable(step.exports for step in self.steps))),
            *(
                self._own(step) + shlex.join(("run", step.folder, *argv))
                for step in self.steps
                for argv in step.install
            ),
        )

    def _own(self, step: Step) -> str:
        """What lets a step find its own release of a manager, where several of them are used."""
        releases = {other.path for other in self.steps if other.manager == step.manager}
        return f"PATH={_place(step, step.path[0])}:$PATH " if len(releases) > 1 and step.path else ""

    @property
    def setup_script(self) -> str:
        """The bash script that prepares a snapshot; empty when there is nothing to do."""
        return self._script((_RUN, _PATH), (*self.prepare, *self.install))

    @property
    def maintenance_script(self) -> str:
        """The bash script that brings the packages up to date in a snapshot."""
        return self._script((_RUN,), self.install)

    def lines(self) -> list[str]:
        """What is going to be run, for people: a command a line, after the folder it runs in."""
        told = list(dict.fromkeys(chain.from_iterable(step.prepare for step in self.steps)))
        for step in self.steps:
            where = "" if step.folder == "." else f"{step.folder}: "
            told += [f"{where}{command}" for command in step.commands]
        return told

    def _script(self, functions: tuple[str, ...], lines: tuple[str, ...]) -> str:
        if not self.steps:
            return ""
        return "\n".join(("set -euo pipefail", *(f"export {line}" for line in _EXPORTS), *functions, *lines, ""))


def plan(tree: Tree, subdirectory: str = "") -> Plan:
    """What automatic setup does in the folder `subdirectory` of a repository; never fails, whatever is in there."""
    projects = _Projects(tree, subdirectory)
    found = [(folder, family) for family in _FAMILIES for folder in _folders(projects, family)]
    # By the way from the working folder, not by the name: what is nearest is what a task is about.
    found.sort(key=lambda entry: (_depth(projects[entry[0]].place), entry[0]))
    steps = [step for folder, family in found[:MAX_STEPS] if (step := family.step(projects[folder]))]
    notices = [f"{_where(step)}{text}" for step in steps for text in step.notices]
    notices += [
        f"{name}: automatic setup does not fetch what {language} needs; do it in setup.script"
        for name, language in _UNKNOWN.items()
        if projects[subdirectory].has(name)
    ]
    if len(found) > MAX_STEPS:
        notices.append(f"only the first {MAX_STEPS} of {len(found)} projects are set up; do the others in setup.script")
    places = dict.fromkeys((subdirectory, *(folder for folder, _ in found[:MAX_STEPS])))
    asked = list(chain.from_iterable(_asked(projects[folder]) for folder in places))
    if "" not in places:
        # A manifest at the top is another project's; a file like .nvmrc there is for the whole repository.
        asked += [one for one in _asked(projects[""]) if posixpath.basename(one.file).startswith(".")]
    return Plan(tuple(steps), tuple(dict.fromkeys(asked)), tuple(dict.fromkeys(notices)))


class _Projects(dict[str, Project]):
    """Every folder of a tree that could be a project, by its path; those above the working folder are among them."""

    def __init__(self, tree: Tree, subdirectory: str) -> None:
        self.top = subdirectory
        paths = sorted(tree.paths())
        always = (subdirectory, *_above(subdirectory))
        found = {folder for folder in set(map(_project_of, paths)) if _entered(folder, subdirectory)}
        folders = (*always, *sorted(found - set(always), key=lambda folder: (_depth(folder), folder)))
        below: dict[str, list[str]] = {folder: [] for folder in folders[:_MAX_FOLDERS]}
        for path in paths:
            folder = path
            for _ in range(_LEVELS):
                folder = folder.rpartition("/")[0]
                if folder in below:
                    below[folder].append(path[len(folder) :].lstrip("/"))
                if not folder:
                    break
        names = {folder: _names(files) for folder, files in below.items()}
        content = tree.read([posixpath.join(folder, name) for folder, some in names.items() for name in some])
        for folder, files in below.items():
            known = {name: data for name in names[folder] if (data := content.get(posixpath.join(folder, name)))}
            place = posixpath.relpath(folder or ".", subdirectory or ".")
            self[folder] = Project(place, frozenset(files), known)


def _names(files: Sequence[str]) -> list[str]:
    return [*chain.from_iterable(family.names(files) for family in _FAMILIES), ".tool-versions"]


def _project_of(path: str) -> str:
    """The folder that a manifest speaks for; of any other file one that is not entered."""
    folder, _, name = path.rpartition("/")
    if name in _MANIFESTS:
        return folder
    above, _, last = folder.rpartition("/")
    return above if last == "requirements" else ".git"


def _folders(projects: _Projects, family: Family) -> Iterable[str]:
    """The folders of a family's projects: those that no other one of them stands for."""
    found: list[str] = []
    for folder, project in projects.items():
        if not family.is_project(project) or not (folder == projects.top or _inside(folder, projects.top)):
            continue
        covered = any(folder == other or _inside(folder, other) for other in found)
        if covered and not family.stands_alone(project):
            continue
        if folder == projects.top and not family.stands_alone(project):
            # It may be part of a workspace, whose lock file lies further up.
            found.append(next((up for up in _above(folder) if family.is_workspace(projects[up])), folder))
        else:
            found.append(folder)
    return found


def _asked(project: Project) -> list[Asked]:
    asked = list(chain.from_iterable(family.asked(project) for family in _FAMILIES))
    for line in project.text(".tool-versions").splitlines()[:50]:
        name, _, version = line.partition("#")[0].strip().partition(" ")
        if name in _TOOL_NAMES and (first := word(version.strip().partition(" ")[0])):
            asked.append(Asked(_TOOL_NAMES[name], first, ".tool-versions"))
    return [replace(a, file=posixpath.normpath(posixpath.join(project.place, a.file))) for a in asked]


def _where(step: Step) -> str:
    return "" if step.folder == "." else f"{step.folder}: "


def _place(step: Step, folder: str) -> str:
    """A folder for the search path, as a bash word."""
    if folder.startswith("/"):
        return shlex.quote(folder)
    return '"$PWD"/' + shlex.quote(posixpath.normpath(posixpath.join(step.folder, folder)))


def _escaped(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _depth(folder: str) -> int:
    return len(folder.split("/")) if folder and folder != "." else 0


def _above(folder: str) -> list[str]:
    """The folders above, nearest first, the top last."""
    parts = folder.split("/") if folder else []
    return ["/".join(parts[:depth]) for depth in range(len(parts) - 1, -1, -1)]


def _inside(folder: str, other: str) -> bool:
    return folder != other and (not other or folder.startswith(f"{other}/"))


def _entered(folder: str, subdirectory: str) -> bool:
    """Whether a project in the folder is looked for: below the working folder, not too deep, nobody's example."""
    if not _inside(folder, subdirectory):
        return False
    parts = folder[len(subdirectory) :].strip("/").split("/")
    hidden = any(part.startswith(".") for part in parts)
    return len(parts) <= _MAX_DEPTH and not hidden and _NOT_ENTERED.isdisjoint(parts)
