"""The formats that can be imported, where their files lie, and the import itself (SPEC E3)."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from engine.environment import load
from engine.environment.importers.collected import Collected, Line
from engine.environment.init import render
from engine.environment.kinds import BadValue
from engine.environment.model import FOLDER_NAME
from engine.errors import EngineError, UsageError

_MOST = 50


class Format(Struct, frozen=True):
    """A kind of file: its `name` for --from, the glob patterns of its files in a project, the module that reads them.

    With `together`, all files that fit are one source; else each is one of its own.
    """

    name: str
    module: str
    patterns: tuple[str, ...]
    together: bool = False


# In order of preference (that of SPEC E3); of one format, in the order of its patterns.
FORMATS = (
    Format("codex", "codex", (".codex/environments/environment.toml",)),
    Format("codex-scripts", "scripts", (".codex/setup.sh", ".codex/maintenance.sh"), together=True),
    Format("codex-cloud", "scripts", (".codex/cloud/*.sh",), together=True),
    Format(
        "devcontainer",
        "devcontainer",
        (
            ".devcontainer/devcontainer.json",
            ".devcontainer.json",
            "devcontainer.json",
            ".devcontainer/*/devcontainer.json",
        ),
    ),
    Format("cursor", "cursor", (".cursor/environment.json",)),
    Format(
        "copilot",
        "copilot",
        (".github/workflows/copilot-setup-steps.yml", ".github/workflows/copilot-setup-steps.yaml"),
    ),
    Format("container-use", "container_use", (".container-use/environment.json",)),
)


class Source(Struct, frozen=True):
    """What one import reads: the files of one format in the project `folder`."""

    format: Format
    folder: Path
    paths: tuple[Path, ...]

    def __str__(self) -> str:
        return ", ".join(str(path.relative_to(self.folder)) for path in self.paths)


class Imported(Struct, frozen=True):
    """The data of an environment file, and what became of each key of the source."""

    data: dict[str, Any]
    report: tuple[Line, ...]


def sources(folder: Path) -> list[Source]:
    """Everything in a project that can be imported, in order of preference."""
    found = []
    for format_ in FORMATS:
        paths = [path for pattern in format_.patterns for path in _files(folder, pattern)]
        if format_.together and paths:
            found.append(Source(format_, folder, tuple(paths)))
        elif paths:
            found += [Source(format_, folder, (path,)) for path in paths]
    return found


def choose(path: Path, name: str = "") -> tuple[Source, list[Source]]:
    """The source that is meant, and the others that were found.

    Args:
        path: a project, or one file of a known format.
        name: the name of a format; the preferred one that is there, when empty.

    Raises:
        UsageError: nothing fits.
    """
    if name and all(format_.name != name for format_ in FORMATS):
        raise UsageError(f"unknown format {name!r}", f"known formats: {', '.join(f.name for f in FORMATS)}")
    if path.is_dir():
        found = sources(path)
    elif path.is_file():
        # The farthest folder that has it: `.devcontainer/devcontainer.json` is no `devcontainer.json` of its folder.
        folders = reversed(path.parents[:4])
        found = [source for folder in folders for source in sources(folder) if path in source.paths][:1]
    else:
        raise UsageError(f"{path} does not exist", "name the folder of the project, or one of its files")
    fitting = [source for source in found if name in ("", source.format.name)]
    if not fitting:
        looked = ", ".join(pattern for f in FORMATS if name in ("", f.name) for pattern in f.patterns)
        raise UsageError(f"{path}: nothing to import", f"looked for: {looked}")
    return fitting[0], [source for source in found if source is not fitting[0]]


def imported(source: Source, initial: Mapping[str, Any], path: Path) -> Imported:
    """What `source` says, over what `initial` says, as the data of the environment file `path` will be.

    Raises:
        EngineError: the source cannot be read.
    """
    collected = Collected()
    module = importlib.import_module(f"engine.environment.importers.{source.format.module}")
    try:
        module.take(source, collected)
    except BadValue as error:
        raise EngineError(f"{source.paths[0]}: {error.message}", error.hint) from None
    data = _placed(collected.merged(initial), source.folder, path)
    environment, problems = load.parse(render(data).encode(), path)
    if environment is None:
        fault = next(problem for problem in problems if problem.severity == "error")
        raise EngineError(f"{source} cannot be imported: {fault}", fault.hint)
    return Imported(data, tuple(dict.fromkeys(collected.report)))


def _placed(data: dict[str, Any], folder: Path, path: Path) -> dict[str, Any]:
    """The data with its paths as the file at `path` has to write them."""
    if path.parent == folder:
        return data
    if path.parent != folder / FOLDER_NAME:
        data["repository"] = {**data.get("repository", {}), "url": str(folder)}
    if build := data.get("image", {}).get("build"):
        data["image"] = {"build": os.path.relpath(folder / build, path.parent)}
    return data


def _files(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(path for path in folder.glob(pattern) if path.is_file())[:_MOST]
    except OSError:
        return []
