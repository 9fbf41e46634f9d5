"""Finding environment files: by path, by folder, by name, or the nearest one (SPEC E1)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from engine.environment import document
from engine.environment.kinds import BadValue
from engine.environment.model import FILE_NAME, FOLDER_NAME, environments_dir
from engine.environment.values import shown
from engine.errors import UsageError

_VARIABLE = "FUMEHOOD_ENV"


def find(reference: str | None, cwd: Path) -> Path:
    """The absolute path of the environment file that is meant.

    Args:
        reference: a file (with a slash or .toml in it), a folder with environments, or a name: the NAME of a
            `.fumehood/NAME.toml` in `cwd` or above, of a file in the config folder, or the `name =` of a known
            environment in any case of letters. None means $FUMEHOOD_ENV if set, else the nearest folder with an
            environment, from `cwd` up.
        cwd: the folder relative paths start from.

    Raises:
        UsageError: nothing fits, or several files do.
    """
    reference = reference or os.environ.get(_VARIABLE) or None
    if reference is None:
        return _nearest(cwd)
    try:
        return _by_path(reference, cwd) or _by_name(reference, cwd)
    except (OSError, ValueError):
        raise UsageError(f"{shown(reference)} is neither a path nor a name", _known_hint(cwd)) from None


def named_by_path(reference: str | None, cwd: Path) -> bool:
    """Whether the user named a file or folder, not a name and not just the nearest one; for what `find` finds."""
    reference = reference or os.environ.get(_VARIABLE) or None
    try:
        return reference is not None and _by_path(reference, cwd) is not None
    except (OSError, ValueError, UsageError):
        return False


def known(cwd: Path) -> list[Path]:
    """All environment files in reach: of the nearest folder that has some, then of the config folder."""
    here = next((files for folder in _upwards(cwd) if (files := _in_folder(folder))), [])
    return [*here, *_toml_files(environments_dir())]


def name_in(path: Path) -> str:
    """The `name =` of a file, empty if the file or its name is unusable."""
    try:
        name = document.parse(document.read_bytes(path))[0].get("name")
    except BadValue:
        return ""
    return name if isinstance(name, str) else ""


def _upwards(cwd: Path) -> Iterator[Path]:
    start = Path(os.path.normpath(cwd.absolute()))
    yield start
    yield from start.parents


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _toml_files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".toml" and path.is_file())
    except OSError:
        return []


def _in_folder(folder: Path) -> list[Path]:
    main = folder / FILE_NAME
    return [*([main] if _is_file(main) else []), *_toml_files(folder / FOLDER_NAME)]


def _of_folder(folder: Path) -> Path | None:
    """The environment a folder stands for: its main file, or its only one."""
    files = _in_folder(folder)
    if len(files) < 2 or files[0] == folder / FILE_NAME:
        return files[0] if files else None
    raise _ambiguous(f"{folder} has several environments", files)


def _nearest(cwd: Path) -> Path:
    for folder in _upwards(cwd):
        found = _of_folder(folder)
        if found is not None:
            return found
    raise UsageError(f"no {FILE_NAME} in {cwd} or above", "make one with `fumehood init`, or name one with --env")


def _by_path(reference: str, cwd: Path) -> Path | None:
    path = Path(os.path.normpath(cwd.absolute() / os.path.expanduser(reference)))  # noqa: PTH111
    if path.is_dir():
        found = _of_folder(path)
        if found is not None:
            return found
    elif path.exists() and (os.sep in reference or path.suffix == ".toml"):
        return path
    if os.sep in reference or reference in (".", ".."):
        raise UsageError(f"{path} is no environment file, nor a folder with one", _known_hint(cwd))
    return None


def _by_name(reference: str, cwd: Path) -> Path:
    for folder in (*(f / FOLDER_NAME for f in _upwards(cwd)), environments_dir()):
        path = folder / f"{reference}.toml"
        if _is_file(path):
            return path
    wanted = reference.casefold()
    named = [path for path in known(cwd) if name_in(path).casefold() == wanted]
    if len(named) == 1:
        return named[0]
    if named:
        raise _ambiguous(f"several environments are called {shown(reference)}", named)
    raise UsageError(f"no environment is called {shown(reference)}", _known_hint(cwd))


def _ambiguous(message: str, files: list[Path]) -> UsageError:
    return UsageError(message, "name one by its path: " + ", ".join(str(path) for path in files))


def _known_hint(cwd: Path) -> str:
    files = known(cwd)
    if not files:
        return "make one with `fumehood init`"
    return "known: " + ", ".join(f"{shown(name_in(path))} ({path})" for path in files[:20])
