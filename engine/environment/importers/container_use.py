"""`.container-use/environment.json`: the environment of container-use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.environment.importers import read
from engine.environment.importers.collected import Collected

if TYPE_CHECKING:
    from engine.environment.importers.formats import Source

_COMMANDS = ("setup_commands", "install_commands")


def take(source: Source, into: Collected) -> None:
    """Read the file into `into`."""
    data = read.json_table(source.paths[0])
    for key in _COMMANDS:
        for number, command in enumerate(into.items(key, data.get(key))):
            at = f"{key}[{number}]"
            into.command(at, into.text(at, command), "setup")
    for key, value in data.items():
        if key == "base_image" and into.text(key, value).strip():
            into.put(key, str(value).strip(), "image", "name")
        elif key == "env":
            for name, written in _pairs(key, value, into):
                into.variable(f"env.{name}", name, written)
        elif key == "secrets":
            for name, reference in _pairs(key, value, into):
                scheme, found, _ = reference.partition("://")
                into.secret(
                    f"secrets.{name}", name, f"was read by {scheme[:20]}://" if found else "stands there openly"
                )
        elif key == "services":
            for number, service in enumerate(into.items(key, value)):
                name = into.text(f"services[{number}].name", into.table(f"services[{number}]", service).get("name"))
                into.left(
                    f"services[{number}]", f"{name or 'a service'}: install it in setup, start it in start.script"
                )
        elif key == "workdir" and value not in ("/workdir", "", None):
            into.left(key, "the work directory is /workspace/REPOSITORY")
        elif key not in (*_COMMANDS, "base_image", "workdir"):
            into.left(key, "unknown key")


def _pairs(key: str, value: object, into: Collected) -> list[tuple[str, str]]:
    """The NAME=VALUE of a list; a table of them is taken too."""
    if isinstance(value, dict):
        return [(name, into.text(f"{key}.{name}", item)) for name, item in value.items()]
    pairs: list[tuple[str, str]] = []
    for number, item in enumerate(into.items(key, value)):
        name, equals, written = into.text(f"{key}[{number}]", item).partition("=")
        if equals:
            pairs.append((name, written))
        elif isinstance(item, str):
            into.left(f"{key}[{number}]", "must be NAME=VALUE")
    return pairs
