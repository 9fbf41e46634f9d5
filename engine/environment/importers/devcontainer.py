"""`devcontainer.json`: development containers, as editors and code spaces use them."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from engine.environment.importers import read
from engine.environment.importers.collected import Collected

if TYPE_CHECKING:
    from engine.environment.importers.formats import Source

# In the order in which they run, with the scripts that do the same here.
_COMMANDS = {
    "onCreateCommand": (("setup",), ""),
    "updateContentCommand": (("setup", "maintenance"), "runs again on every resume"),
    "postCreateCommand": (("setup",), ""),
    "postStartCommand": (("start",), "runs on every resume"),
}
_FEATURES = {
    "node": "apt-get install -y nodejs npm, or nvm for another version",
    "python": "apt-get install -y python3 python3-venv, or uv for another version",
    "git": "the image has to have git anyway",
    "common-utils": "apt-get install -y what is missing",
    "apt-packages": "apt-get install -y the same packages",
    "docker-in-docker": "containers cannot start containers",
    "docker-outside-of-docker": "containers do not get the engine's socket",
}
_HOST = "would open this machine to the container"
_EDITOR = "for editors"
_PORTS = "containers have no network that could be forwarded; what listens is reached inside"
_REASONS = {
    "initializeCommand": "runs on this machine; nothing of an environment does",
    "postAttachCommand": "nobody attaches to a task's container",
    "privileged": _HOST,
    "capAdd": _HOST,
    "securityOpt": _HOST,
    "mounts": _HOST,
    "runArgs": _HOST,
    "workspaceMount": _HOST,
    "dockerComposeFile": "a task has one container; name its image, start services in start.script",
    "service": "belongs to dockerComposeFile",
    "runServices": "belongs to dockerComposeFile",
    "remoteUser": "scripts run as the user of the image",
    "containerUser": "scripts run as the user of the image",
    "workspaceFolder": "the work directory is /workspace/REPOSITORY",
    "forwardPorts": _PORTS,
    "appPort": _PORTS,
    "portsAttributes": _PORTS,
    "otherPortsAttributes": _PORTS,
    "customizations": _EDITOR,
    "extensions": _EDITOR,
    "settings": _EDITOR,
    "waitFor": "each phase waits for the one before",
    "overrideFeatureInstallOrder": "belongs to features",
}
# What has no meaning for a task and nobody misses.
_SILENT = frozenset(
    ("$schema", "init", "overrideCommand", "shutdownAction", "updateRemoteUserUID", "userEnvProbe", "devPort")
)
_VARIABLE = re.compile(r"\$\{(localEnv|env|containerEnv):([^}:]*)(?::([^}]*))?\}")
_FOLDERS = ("containerWorkspaceFolder", "localWorkspaceFolder", "containerWorkspaceFolderBasename",
            "localWorkspaceFolderBasename", "devcontainerId")  # fmt: skip
_PATH = re.compile(r"\$\{(?:containerEnv|localEnv|env):PATH\}")


def take(source: Source, into: Collected) -> None:
    """Read the file into `into`."""
    data = read.json_table(source.paths[0])
    base = os.path.dirname(os.path.relpath(source.paths[0], source.folder))  # noqa: PTH120
    for key, (parts, note) in _COMMANDS.items():
        for at, line in _commands(key, data.get(key), into):
            into.command(at, _in_bash(at, line, parts, into), *parts, note=note)
    for key, value in data.items():
        if key == "name":
            into.name(key, value)
        elif key == "image":
            into.put(key, value, "image", "name")
        elif key in ("build", "dockerFile", "context"):
            _build(key, value, base, into)
        elif key in ("containerEnv", "remoteEnv"):
            for name, written in into.table(key, value).items():
                _variable(f"{key}.{name}", name, written, into)
        elif key == "secrets":
            for name in into.table(key, value):
                into.secret(f"secrets.{name}", name)
        elif key == "features":
            for name, options in into.table(key, value).items():
                _feature(name, options, into)
        elif key == "hostRequirements":
            _resources(into.table(key, value), into)
        elif key in _REASONS:
            if value not in (None, False, [], {}, ""):
                into.left(key, _REASONS[key])
        elif key not in _COMMANDS and key not in _SILENT:
            into.left(key, "unknown key")


def _commands(key: str, value: object, into: Collected) -> Iterator[tuple[str, str]]:
    """The shell lines of a command: a text, an argv, or a table of several that are run one after the other here."""
    several = value.items() if isinstance(value, dict) else ()
    for at, command in ((f"{key}.{name}", item) for name, item in several) if several else ((key, value),):
        if isinstance(command, list):
            words = [into.text(at, word) for word in command]
            yield at, shlex.join(words) if words else ""
        elif command != {}:
            yield at, into.text(at, command)


def _in_bash(key: str, line: str, parts: tuple[str, ...], into: Collected) -> str:
    """A command in which bash finds what devcontainers write as `${…}`."""
    for name in _FOLDERS:
        if "${" + name + "}" in line:
            written = '$(basename "$PWD")' if name.endswith("Basename") else "$PWD"
            for part in parts:
                into.before(part, f"{name}={written if name != 'devcontainerId' else 'fumehood'}")

    def expanded(match: re.Match[str]) -> str:
        kind, name, default = match.groups()
        if not name.isidentifier():
            return match[0]
        if kind != "containerEnv":
            into.left(f"{key}: {match[0]}", f"a value of this machine; declare it: {name} in [variables] or [secrets]")
        return f"${{{name}:-{default}}}" if default else f"${{{name}:-}}"

    return _VARIABLE.sub(expanded, line)


def _variable(key: str, name: str, value: object, into: Collected) -> None:
    if value is None:
        into.left(key, "takes a variable away; there is none")
    elif isinstance(value, str) and name == "PATH":
        added = ":".join(part for part in _PATH.sub("", value).split(":") if part and "${" not in part)
        hint = f": echo 'export PATH={added}:$PATH' >> ~/.bashrc" if added and "'" not in added else ""
        into.left(key, f"append to ~/.bashrc in setup{hint}")
    elif isinstance(value, str) and (found := _VARIABLE.search(value)):
        if found[1] == "containerEnv":
            into.left(key, f"made of ${found[2]} inside the container; export it in ~/.bashrc from setup")
        else:
            into.left(key, f"a value of this machine; a secret of setup if it is one: {name} = {{}} in [secrets]")
    elif isinstance(value, str) and "${" in value and any("${" + folder in value for folder in _FOLDERS):
        into.left(key, "made of the work directory, which is /workspace/REPOSITORY")
    else:
        into.variable(key, name, value)


def _build(key: str, value: object, base: str, into: Collected) -> None:
    if key == "context":
        into.left(key, "the image is built in the folder of its Dockerfile")
        return
    build: Mapping[str, Any] = {"dockerfile": value} if key == "dockerFile" else into.table(key, value)
    for name, item in build.items():
        at = key if key == "dockerFile" else f"build.{name}"
        if name in ("dockerfile", "dockerFile"):
            written = into.text(at, item).strip()
            if written:
                into.dockerfile(at, os.path.join(base, written))  # noqa: PTH118
        elif name == "context":
            if item not in (".", None):
                into.left(at, "the image is built in the folder of its Dockerfile")
        elif name in ("args", "target", "cacheFrom", "options"):
            into.left(at, "a build has no options here; write them into the Dockerfile")
        else:
            into.left(at, "unknown key")


def _feature(name: str, options: object, into: Collected) -> None:
    short = name.split("@")[0].rstrip("/").rpartition("/")[2].split(":")[0]
    version = options.get("version") if isinstance(options, dict) else options
    wanted = f" {version[:20]}" if isinstance(version, str) and re.fullmatch(r"[\w.-]+", version) else ""
    hint = _FEATURES.get(short, f"let setup install {short[:40]}{wanted}, by apt-get or its own installer")
    into.left(f"features.{name}", f"features are not installed; {hint}")


def _resources(wanted: Mapping[str, Any], into: Collected) -> None:
    names = {"cpus": "cpus", "memory": "memory", "storage": "disk"}
    for key, value in wanted.items():
        if key in names:
            # `8gb` there is `8g` here; both are units of 1024.
            into.put(f"hostRequirements.{key}", value, "resources", names[key])
        else:
            into.left(f"hostRequirements.{key}", "there is no such limit here")
