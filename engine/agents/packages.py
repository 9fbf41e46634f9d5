"""The command lines of agents that npm has: which package, which release was tried, where it is once installed.

Each lies in `$XDG_DATA_HOME/fumehood/agents/NAME/VERSION`; the file `current` beside the versions names the one in use.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from engine.state import data_dir

CURRENT = "current"
MODULES = "node_modules"


class Package(Struct, frozen=True):
    """An agent's package.

    Attributes:
        npm: its name.
        version: the release that is installed unless another is asked for.
        tested: from the first version that was tried to the first beyond.
        program: where its program is below `node_modules`; a pattern, as npm takes the build for this platform.
    """

    npm: str
    version: str
    tested: tuple[tuple[int, ...], tuple[int, ...]]
    program: str


PACKAGES = {
    "codex": Package("@openai/codex", "0.169.0", ((0, 166), (0, 170)), "@openai/codex-linux-*/vendor/*/bin/codex"),
    "claude": Package(
        "@anthropic-ai/claude-code", "2.1.197", ((2, 1), (2, 2)), "@anthropic-ai/claude-code-linux-*/claude"
    ),
    "opencode": Package("opencode-ai", "1.18.33", ((1, 18), (1, 19)), "opencode-linux-*/bin/opencode"),
    "gemini": Package("@google/gemini-cli", "0.61.0", ((0, 61), (0, 62)), "@google/gemini-cli/bundle/gemini.js"),
}


class Installed(Struct, frozen=True):
    """A package that is installed here: its version and its program."""

    version: str
    program: Path


def folder(name: str) -> Path:
    """Where the versions of an agent are."""
    return data_dir() / "agents" / name


def installed(name: str) -> Installed | None:
    """The version in use of an agent's package; None when there is none."""
    try:
        version = (folder(name) / CURRENT).read_text().strip()
    except FileNotFoundError:
        return None
    found = programs(PACKAGES[name], folder(name) / version / MODULES) if version else []
    return Installed(version, found[0]) if found else None


def programs(package: Package, modules: Path) -> list[Path]:
    """The programs of a package below a folder `node_modules`, the build for most machines first."""
    return sorted(modules.glob(package.program))
