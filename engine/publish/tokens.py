"""The user's token for a forge: from a variable, or from the forge's own command line (SPEC T10).

A token in a variable says nothing of the host it is for. It is sent to the forge's public host, to the host that the
variable beside it names (`GH_HOST`, `GITLAB_HOST`, `GITEA_HOST`), and to one that the user named as such a forge; a
remote that merely looks like a forge does not get it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from engine.errors import ForgeError
from engine.publish.place import TITLES, Kind, Place
from engine.repository.hostgit import search_path
from engine.secrets.secret import Secret

_VARIABLES: dict[Kind, tuple[str, ...]] = {
    "github": ("GH_TOKEN", "GITHUB_TOKEN"),
    "gitlab": ("GITLAB_TOKEN", "GITLAB_ACCESS_TOKEN"),
    "gitea": ("GITEA_TOKEN", "FORGEJO_TOKEN", "GITEA_SERVER_TOKEN"),
}
_ENTERPRISE = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
_HOSTS: dict[Kind, tuple[str, ...]] = {
    "github": ("GH_HOST",),
    "gitlab": ("GITLAB_HOST", "GL_HOST"),
    "gitea": ("GITEA_HOST", "FORGEJO_HOST", "GITEA_SERVER_URL"),
}
_PUBLIC: dict[Kind, tuple[str, ...]] = {
    "github": ("github.com",),
    "gitlab": ("gitlab.com",),
    "gitea": ("codeberg.org", "gitea.com"),
}
_LOGIN = {"github": "gh auth login", "gitlab": "glab auth login", "gitea": "tea login add"}
_SIZE_LIMIT = 1 << 20


class Token(Struct, frozen=True):
    """A token and where it was found."""

    value: Secret
    found_in: str


def token(place: Place) -> Token:
    """The token for a repository's forge.

    Raises:
        ForgeError: there is none; with what to do.
    """
    for found in _tokens(place):
        if re.fullmatch(rb"[\x21-\x7e]+", found.value.reveal()):
            return found
    name = _VARIABLES[place.kind][0]
    unused = next((name for name in _VARIABLES[place.kind] if os.environ.get(name)), "")
    if unused:
        host = _HOSTS[place.kind][0]
        raise ForgeError(
            f"{unused} is not sent to {place.host}: it is not known to be for that host",
            f"if it is: export {host}={place.host}",
        )
    login = _LOGIN[place.kind]
    raise ForgeError(
        f"there is no token for {place.host} ({TITLES[place.kind]})",
        f"log in with `{login}`, or export {name}; it needs the right to write pull requests",
    )


def known_hosts() -> Iterator[tuple[str, Kind, str]]:
    """Each host that there is a token for without asking it: host, kind, where the token is; for `doctor`."""
    for kind, public in _PUBLIC.items():
        for host in dict.fromkeys((*public[:1], *_named_hosts(kind))):
            found = next(_tokens(Place(kind, host, "", "", told=False)), None)
            if found is not None:
                yield host, kind, found.found_in


def _tokens(place: Place) -> Iterator[Token]:
    names = _VARIABLES[place.kind]
    if place.kind == "github" and place.host not in _PUBLIC["github"]:
        names = (*_ENTERPRISE, *names)
    if place.told or place.host in (*_PUBLIC[place.kind], *_named_hosts(place.kind)):
        for name in names:
            if value := os.environ.get(name, "").strip():
                yield Token(Secret(value.encode()), f"${name}")
    yield from {"github": _of_gh, "gitlab": _of_glab, "gitea": _of_tea}[place.kind](place.host)


def _named_hosts(kind: Kind) -> list[str]:
    values = (os.environ.get(name, "") for name in _HOSTS[kind])
    return [(urlsplit(value).hostname or "") if "://" in value else value for value in values if value]


def _of_gh(host: str) -> Iterator[Token]:
    yield from _printed("gh", "auth", "token", "--hostname", host)


def _of_glab(host: str) -> Iterator[Token]:
    yield from _printed("glab", "config", "get", "token", "--host", host)
    folder = os.environ.get("GLAB_CONFIG_DIR", "")
    path = Path(folder) / "config.yml" if folder else _config("glab-cli/config.yml")
    entry = _table(_table(_yaml(path)).get("hosts")).get(host)
    yield from _noted(_table(entry).get("token"), path)


def _of_tea(host: str) -> Iterator[Token]:
    for path in (_config("tea/config.yml"), Path.home() / ".tea" / "tea.yml"):
        logins = _table(_yaml(path)).get("logins")
        for login in map(_table, logins if isinstance(logins, list) else []):
            if host in (urlsplit(str(login.get("url", ""))).hostname, login.get("ssh_host")):
                yield from _noted(login.get("token"), path)


def _printed(program: str, *arguments: str) -> Iterator[Token]:
    """What a forge's command line prints; nothing where it is not installed or has no token."""
    found = shutil.which(program, path=search_path())
    if found is None:
        return
    try:
        done = subprocess.run(
            [found, *arguments], capture_output=True, stdin=subprocess.DEVNULL, timeout=20, cwd="/",
            env={**os.environ, "PATH": search_path()},
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return
    if done.returncode == 0 and (value := done.stdout.strip()):
        yield Token(Secret(value), f"`{program} {arguments[0]} {arguments[1]}`")


def _noted(value: Any, path: Path) -> Iterator[Token]:
    if isinstance(value, str) and value.strip():
        yield Token(Secret(value.strip().encode()), str(path))


def _config(name: str) -> Path:
    base = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".config") / name


def _yaml(path: Path) -> Any:
    """A file of settings, every scalar as text: glab marks its tokens with a tag that YAML reads as null."""
    try:
        with path.open("rb") as file:
            data = file.read(_SIZE_LIMIT)
    except OSError:
        return None
    import yaml

    try:
        return yaml.load(data, yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError):
        return None


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
