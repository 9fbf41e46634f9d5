"""What an importer takes over from a foreign file, and its report: one line for each key of that file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from engine.environment.kinds import BadValue, ListOf, MapOf, Scalar, TableOf, keys
from engine.environment.model import Environment

# What acts on the shell that runs it, so that the next command must get a shell of its own.
_LASTING = re.compile(r"(?:^|[\s;&|(){}])(?:cd|pushd|export|set|unset|source|\.|exec|exit|trap|shopt|alias)(?:\s|$)")
_ASSIGNED = re.compile(r"\s*[A-Za-z_]\w*=\S*\s*(?:;|$)")
_PARTS = ("setup", "maintenance", "start")


class Line(Struct, frozen=True):
    """One line of the report: a key of the foreign file, the key it became or "", and a remark or why it did not."""

    key: str
    target: str
    note: str = ""

    def __str__(self) -> str:
        what = f"{self.key} → {self.target}" if self.target else f"{self.key}: not taken over"
        return f"{what}: {self.note}" if self.note else what


class Collected:
    """Filled by an importer key by key; every value is checked as if it stood in a file of ours."""

    def __init__(self) -> None:
        self.report: list[Line] = []
        self._values: dict[str, dict[str, Any]] = {}
        self._name = ""
        self._commands: dict[str, list[str]] = {part: [] for part in _PARTS}
        self._before: dict[str, list[str]] = {part: [] for part in _PARTS}

    # The report

    def took(self, key: str, target: str, note: str = "") -> None:
        """A key of the foreign file was taken over."""
        self.report.append(Line(_short(key), target, note))

    def left(self, key: str, reason: str) -> None:
        """A key of the foreign file was not taken over, for a reason."""
        self.report.append(Line(_short(key), "", reason))

    # Reading what the foreign file says

    def text(self, key: str, value: object) -> str:
        """A text of the foreign file with plain line ends; empty when it has none, reported when it is none."""
        if value is None:
            return ""
        if not isinstance(value, str):
            self.left(key, "must be text")
            return ""
        if "\0" in value:
            self.left(key, "contains a NUL character")
            return ""
        return value.replace("\r\n", "\n")

    def table(self, key: str, value: object) -> Mapping[str, Any]:
        """A table of the foreign file; empty when it has none, reported when it is none."""
        if value is None or isinstance(value, dict):
            return value or {}
        self.left(key, "must be a table of keys and values")
        return {}

    def items(self, key: str, value: object) -> list[Any]:
        """A list of the foreign file; empty when it has none, reported when it is none."""
        if value is None or isinstance(value, list):
            return value or []
        self.left(key, "must be a list")
        return []

    # Taking over

    def name(self, key: str, value: object) -> None:
        """Take over what the environment is called."""
        if self.text(key, value).strip() and self._parsed(key, keys(Environment)["name"].kind, value):
            self._name = str(value)
            self.took(key, "name")

    def put(self, key: str, value: object, section: str, name: str, note: str = "") -> bool:
        """Take over `value` as `section.name`; whether it fits there."""
        kind = keys(Environment)[section].kind
        if isinstance(kind, TableOf):
            fits = self._parsed(key, keys(kind.section)[name].kind, value)
        else:
            assert isinstance(kind, MapOf)
            fits = self._parsed(key, kind.name, name)
            fits = fits and (isinstance(kind.value, TableOf) or self._parsed(key, kind.value, value))
        if fits:
            # An image has a name or a Dockerfile, never both.
            values = {} if section == "image" else self._values.get(section, {})
            self._values[section] = {**values, name: value}
            self.took(key, f"{section}.{name}", note)
        return fits

    def variable(self, key: str, name: str, value: object) -> None:
        """Take over an environment variable; numbers and booleans become text."""
        if value is None:
            self.left(key, "has no value")
        elif isinstance(value, (str, int, float)):
            written = str(value).lower() if isinstance(value, bool) else str(value)
            self.put(key, written, "variables", name)
        else:
            self.left(key, "must be text")

    def secret(self, key: str, name: str, note: str = "") -> None:
        """Declare a secret."""
        given = f"give it its value: fumehood secret set {name}"
        self.put(key, {}, "secrets", name, f"{note}; {given}" if note else given)

    def command(self, key: str, line: str, *parts: str, note: str = "") -> None:
        """Take over a command at the end of the scripts of `parts` (setup, maintenance, start)."""
        line = line.strip("\n").rstrip()
        if not line.strip():
            return
        for part in parts:
            self._commands[part].append(line)
        self.took(key, " and ".join(f"{part}.script" for part in parts), note)

    def before(self, part: str, line: str) -> None:
        """Have `line` run before the commands of a script, once."""
        if line not in self._before[part]:
            self._before[part].append(line)

    def dockerfile(self, key: str, path: str) -> None:
        """Take over the Dockerfile at `path`, relative to the project."""
        inside = os.path.normpath(path)
        if inside.startswith(("/", "..")):
            self.left(key, "lies outside the project")
        else:
            self.put(key, inside, "image", "build")

    # The result

    def merged(self, initial: Mapping[str, Any]) -> dict[str, Any]:
        """The data of an environment file: what was taken over, and what `initial` says where nothing was.

        Setup and maintenance belong together: one that was detected may rely on what the other installed.
        """
        data = {key: dict(value) if isinstance(value, dict) else value for key, value in initial.items()}
        if self._commands["setup"] or self._commands["maintenance"]:
            data.pop("setup", None)
            data.pop("maintenance", None)
        if "image" in self._values:
            data.pop("image", None)
        if self._name:
            data["name"] = self._name
        for section, values in self._values.items():
            data[section] = {**data.get(section, {}), **values}
        for part, commands in self._commands.items():
            if commands:
                data[part] = {**data.get(part, {}), "script": self._script(part)}
        for name in data.get("secrets", {}):
            data.get("variables", {}).pop(name, None)
        return {section: data[section] for section in keys(Environment) if section in data}

    def _script(self, part: str) -> str:
        commands = self._commands[part]
        steps = commands if len(commands) == 1 else [_step(line) for line in commands]
        return "\n".join(("set -e", *self._before[part], *steps, ""))

    def _parsed(self, key: str, kind: object, value: object) -> bool:
        """Whether a value fits; what is wrong with it goes to the report."""
        assert isinstance(kind, (Scalar, ListOf))
        try:
            if isinstance(kind, Scalar):
                kind.parse(value)
            else:
                for item in self.items(key, value):
                    kind.item.parse(item)
        except BadValue as error:
            self.left(key, f"{error.message}; {error.hint}" if error.hint else error.message)
            return False
        return True


def _step(line: str) -> str:
    """A command as lines of a script in which it changes nothing for the commands after it."""
    lasting = "\n" in line or line.endswith("\\") or _LASTING.search(line) or _ASSIGNED.match(line)
    return f"(\n{line}\n)" if lasting and not line.startswith("(\n") else line


def _short(key: str) -> str:
    """A key for the report: one line, not too long."""
    line = re.sub(r"\s+", " ", key)
    return line if len(line) <= 100 else f"{line[:99]}…"
