"""`.codex/environments/environment.toml`: the setup of the Codex app's local environments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.environment.importers import read
from engine.environment.importers.collected import Collected

if TYPE_CHECKING:
    from engine.environment.importers.formats import Source

# Where the script finds its checkout; here both are the work directory.
_VARIABLES = ("CODEX_SOURCE_TREE_PATH", "CODEX_WORKTREE_PATH")


def take(source: Source, into: Collected) -> None:
    """Read the file into `into`."""
    data = read.toml_table(source.paths[0])
    for key, value in data.items():
        if key == "name":
            into.name(key, value)
        elif key == "setup":
            _setup(into.table(key, value), into)
        elif key == "cleanup":
            if into.text("cleanup.script", into.table(key, value).get("script")).strip():
                into.left("cleanup.script", "containers are removed as a whole")
        elif key == "actions":
            _actions(into.items(key, value), into)
        elif key != "version":
            into.left(key, "unknown key")
        elif value != 1:
            into.left(key, "another version than 1; read as if it were 1")


def _setup(setup: dict[str, object] | object, into: Collected) -> None:
    table = into.table("setup", setup)
    ours = into.text("setup.linux.script", into.table("setup.linux", table.get("linux")).get("script"))
    script = into.text("setup.script", table.get("script"))
    if ours.strip() and script.strip():
        into.left("setup.script", "setup.linux.script takes its place")
    key, script = ("setup.linux.script", ours) if ours.strip() else ("setup.script", script)
    for name in _VARIABLES:
        if name in script:
            into.before("setup", f"export {name}=$PWD")
    into.command(key, script, "setup")
    for system in table:
        if system in ("darwin", "win32"):
            into.left(f"setup.{system}", "for another system; containers run Linux")
        elif system not in ("script", "linux"):
            into.left(f"setup.{system}", "unknown key")


def _actions(actions: list[object], into: Collected) -> None:
    for number, action in enumerate(actions):
        table = into.table(f"actions[{number}]", action)
        name = into.text(f"actions[{number}].name", table.get("name")).strip()
        into.left(f"actions[{number}]", f"{name or 'a button'}: give its command to the agent `command` as a prompt")
