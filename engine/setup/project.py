"""One folder of a repository as its manifests show it, and what is to be done there."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Mapping
from typing import Any

from msgspec import Struct

from engine.environment import document
from engine.environment.kinds import BadValue

TOOLS = "/opt/tools"
"""Where package managers go that the image lacks: each in a folder of its own, their commands in `bin`."""

Argv = tuple[str, ...]


class Asked(Struct, frozen=True):
    """A language version that a file of the project asks for, in the words of that file."""

    tool: str
    version: str
    file: str


class Step(Struct, frozen=True):
    """What one manager does in one folder.

    Attributes:
        folder: POSIX path of the folder, relative to the one the task works in; "." for that one itself.
        manager: npm, yarn, pnpm, pip, pipenv, poetry or uv.
        prepare: bash lines that make the manager available, each harmless when it is there already.
        install: the commands that install the packages, again whenever one of the files changed.
        files: the manifests and lock files they follow, relative to `folder`.
        test: the command that runs the project's tests; empty if unknown.
        path: folders its commands are found in: absolute, or relative to `folder`.
        exports: variables its commands need, as bash assignments.
        notices: what could not be decided or is not supported, and what to do.
    """

    folder: str
    manager: str
    prepare: tuple[str, ...]
    install: tuple[Argv, ...]
    files: tuple[str, ...]
    test: Argv = ()
    path: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands of `install` as one would type them in the folder."""
        return tuple(shlex.join(argv) for argv in self.install)


class Project(Struct, frozen=True):
    """A folder: `place` relative to the working folder, the files in and below it, what is known of their content."""

    place: str
    files: Collection[str]
    contents: Mapping[str, bytes]

    def has(self, name: str) -> bool:
        """Whether the folder has this file."""
        return name in self.files

    def there(self, *names: str) -> tuple[str, ...]:
        """Those of `names` that are files of the folder."""
        return tuple(name for name in names if name in self.files)

    @property
    def has_tests(self) -> bool:
        """Whether there is a folder of tests."""
        return any(path.startswith(("tests/", "test/")) for path in self.files)

    def text(self, name: str) -> str:
        """The content of a file, empty when there is none."""
        return self.contents.get(name, b"").decode("utf-8", "replace")

    def toml(self, name: str) -> Mapping[str, Any]:
        """The data of a TOML file; nothing when it is missing or broken: its own tools will say what is wrong."""
        try:
            return document.parse(self.contents.get(name, b""))[0]
        except BadValue:
            return {}

    def json(self, name: str) -> Mapping[str, Any]:
        """As `toml`, of a JSON object."""
        try:
            data = json.loads(self.contents.get(name, b""))
        except (ValueError, RecursionError):
            return {}
        return data if isinstance(data, dict) else {}


def table(data: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """The table within tables; empty when something else is there."""
    for name in names:
        value = data.get(name)
        data = value if isinstance(value, dict) else {}
    return data


def word(value: object) -> str:
    """A version or range of versions as a manifest gives it, empty when it is none that can be shown in a line."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    text = value.strip() if isinstance(value, str) else ""
    return text if re.fullmatch(r"[\w.*+<>=!~^|,/ -]{1,60}", text, re.ASCII) else ""


def missing(check: str, *packages: str) -> str:
    """A bash line that installs Debian packages unless `check` succeeds."""
    names = shlex.join(packages)
    return f"{check} || {{ apt-get update; apt-get install -y --no-install-recommends {names}; }}"
