"""The first environment file of a project (SPEC E3)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.errors import EngineError, UsageError
from engine.setup.plan import plan
from engine.setup.tree import FolderTree
from engine.state import write_atomic


def initial(folder: Path) -> dict[str, Any]:
    """The content of an environment file that builds and tests the project in `folder`."""
    data: dict[str, Any] = {"name": _name(folder)}
    if plan(FolderTree(folder)).steps:
        # Not the commands themselves: the plan stays right when the project changes.
        data["setup"] = {"auto": True}
    data["network"] = {"agent": "off"}
    # Runs the prompt as a shell line: works everywhere, and shows that the environment does.
    data["agent"] = {"use": "command"}
    return data


def write(path: Path, data: Mapping[str, Any], *, force: bool = False) -> None:
    """Write an environment file.

    Raises:
        UsageError: the file exists and `force` is not given.
        EngineError: it cannot be written.
    """
    if not force and os.path.lexists(path):
        raise UsageError(f"{path} exists already", "edit it, or replace it with --force")
    try:
        write_atomic(path, render(data), mode=0o644)
    except OSError as error:
        raise EngineError(f"cannot write {path}: {error.strerror}", "check the permissions of its folder") from error


def render(data: Mapping[str, Any]) -> str:
    """The TOML text of an environment file; reading it gives `data` again, to the last character."""
    import tomli_w

    # In a multi-line string tomli-w turns \r\n into \n: text with \r is written with escapes (SECURITY-CASES B03).
    return tomli_w.dumps(data, multiline_strings=not any("\r" in text for text in _texts(data)))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


def _name(folder: Path) -> str:
    """The name of the folder, made fit to be the name of an environment."""
    name = folder.absolute().name if folder.name in ("", "..") else folder.name
    return re.sub(r"[^\w. -]+", "-", name).strip("-. ")[:60].strip() or "project"
