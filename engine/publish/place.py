"""Which repository on which forge a git URL names (SPEC T10).

A host is known by its name, by `$FUMEHOOD_FORGE` (`HOST=KIND` or `HOST=KIND@URL`, several with commas between), or by
what its API says about itself. It is asked without a token: only a host that is known gets one (see `tokens`).
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from typing import Literal, TypeAlias, get_args
from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct

from engine.errors import ForgeError, UsageError
from engine.repository.hostgit import search_path

Kind: TypeAlias = Literal["github", "gitlab", "gitea"]
KINDS: tuple[Kind, ...] = get_args(Kind)
VARIABLE = "FUMEHOOD_FORGE"
TITLES: dict[Kind, str] = {"github": "GitHub", "gitlab": "GitLab", "gitea": "Gitea or Forgejo"}

_PUBLIC: dict[str, Kind] = {
    "github.com": "github",
    "gitlab.com": "gitlab",
    "codeberg.org": "gitea",
    "gitea.com": "gitea",
}
# Hosts that only serve git over ssh on port 443, for those behind a firewall.
_SSH_ONLY = {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com"}
_SCP = re.compile(r"(?:[^/@:]+@)?(\[[^\]]+\]|[^/@:]+):(?!//)(.+)")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Address(Struct, frozen=True):
    """A git URL taken apart: the host that serves it, the root of its web pages, and the repository's path there."""

    host: str
    web: str
    path: str


class Place(Struct, frozen=True):
    """A repository on a forge.

    Attributes:
        api: the root of its API, without a slash at the end.
        told: the user said that this host is such a forge; it was not found out.
    """

    kind: Kind
    host: str
    api: str
    path: str
    told: bool

    @property
    def quoted(self) -> str:
        """The path as part of a URL."""
        return "/".join(quote(part, safe="") for part in self.path.split("/"))


def address(url: str, resolve: Callable[[str], str]) -> Address:
    """The address of a git URL.

    Args:
        resolve: the real name of a host that ssh is told, as `ssh_host`.

    Raises:
        UsageError: it is a path on this machine, or names no repository.
    """
    scp = _SCP.fullmatch(url) if "://" not in url else None
    if scp:
        scheme, host, port, path = "ssh", scp[1].strip("[]"), None, scp[2]
    else:
        parts = urlsplit(url)
        scheme, host, port, path = parts.scheme, parts.hostname or "", parts.port, parts.path
    path = unquote(path).strip("/").removesuffix(".git")
    if scheme not in ("ssh", "https", "http") or not host:
        raise UsageError(f"{url} is not on a forge: there is nowhere to open a request", "push it: fumehood push TASK")
    if not re.fullmatch(r"[^/]+(?:/[^/]+)+", path) or ".." in path.split("/"):
        raise UsageError(f"{url} does not name a repository of a forge", "it should end in OWNER/REPOSITORY")
    if scheme == "ssh":
        name = resolve(host)
        name = _SSH_ONLY.get(name, name)
        return Address(name, f"https://{_bracketed(name)}", path)
    if scheme == "http" and host not in _LOOPBACK:
        raise UsageError(f"{url} is not private: a token would be readable on the way", "use https or ssh")
    return Address(host, f"{scheme}://{_bracketed(host)}" + (f":{port}" if port else ""), path)


def ssh_host(name: str) -> str:
    """The host that ssh connects to for this name, by the user's ssh configuration."""
    if name.startswith("-"):
        return name
    try:
        done = subprocess.run(
            ["ssh", "-G", "--", name], capture_output=True, stdin=subprocess.DEVNULL, timeout=10, text=True,
            errors="replace", env={**os.environ, "PATH": search_path()},
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return name
    found = re.search(r"^hostname (\S+)$", done.stdout, re.MULTILINE)
    return found[1] if done.returncode == 0 and found else name


def place(where: Address, kind: str, ask: Callable[[str], bool | None]) -> Place:
    """The repository on its forge.

    Args:
        kind: what the user says the forge is; empty to find out.
        ask: whether the API at a URL is there, and of the kind that its path is of; None when the host does not answer.

    Raises:
        UsageError: the kind is unknown; ForgeError: it cannot be told what the host is.
    """
    named = _configured().get(where.host)
    web = named[1] if named and named[1] else where.web
    if kind or named:
        found = _kind(kind or (named or ("", ""))[0])
        # A forge below a folder of its host has that folder in the URLs of its repositories, but not over ssh.
        path = where.path.removeprefix(urlsplit(web).path.strip("/") + "/")
        return Place(found, where.host, api(found, where.host, web), path, told=True)
    by_name = _PUBLIC.get(where.host) or ("github" if where.host.endswith(".ghe.com") else None)
    if by_name:
        return Place(by_name, where.host, api(by_name, where.host, web), where.path, told=False)
    for candidate in ("gitea", "gitlab", "github"):
        root = api(candidate, where.host, web)
        if ask(f"{root}{_PROBES[candidate]}"):
            return Place(candidate, where.host, root, where.path, told=False)
    raise ForgeError(
        f"{where.host} does not say that it is GitHub, GitLab, Gitea or Forgejo",
        f"say what it is: --forge gitlab, or for good: export {VARIABLE}={where.host}=gitlab",
    )


_PROBES: dict[Kind, str] = {"gitea": "/version", "gitlab": "/version", "github": "/meta"}


def api(kind: Kind, host: str, web: str) -> str:
    """The root of a forge's API."""
    if kind == "github" and host == "github.com":
        return "https://api.github.com"
    if kind == "github" and host.endswith(".ghe.com"):
        return f"https://api.{host}"
    return web.rstrip("/") + {"github": "/api/v3", "gitlab": "/api/v4", "gitea": "/api/v1"}[kind]


def _configured() -> dict[str, tuple[str, str]]:
    """What the variable says: kind and root of the web pages, by host."""
    found = {}
    for entry in re.split(r"[,\s]+", os.environ.get(VARIABLE, "").strip()):
        host, equals, rest = entry.partition("=")
        if not entry:
            continue
        kind, _, web = rest.partition("@")
        parts = urlsplit(web)
        usable = not web or parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        if not (host and equals and usable) or kind not in KINDS:
            hint = "as in git.example.com=gitlab, or git.example.com=gitea@https://git.example.com/forge"
            raise UsageError(f"${VARIABLE}: {entry!r} is not HOST=KIND or HOST=KIND@URL", hint)
        found[host] = (kind, web)
    return found


def _kind(word: str) -> Kind:
    aliases: dict[str, Kind] = {"forgejo": "gitea", **{kind: kind for kind in KINDS}}
    if word not in aliases:
        raise UsageError(f"{word!r} is no kind of forge", f"it is one of {', '.join(aliases)}")
    return aliases[word]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
