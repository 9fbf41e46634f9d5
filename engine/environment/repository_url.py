"""Where a repository may come from: https, ssh, git@host:path or a local path, nothing else (SECURITY-CASES B06)."""

from __future__ import annotations

import os
import re
from pathlib import Path

from engine.environment.kinds import BadValue, Scalar
from engine.environment.values import line_of, shown

_HOST = r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]{2,45}\])"
_USER = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)")
_HTTPS = re.compile(rf"{_HOST}(?::[0-9]{{1,5}})?/[^\s?#]+")
_SSH = re.compile(rf"(?:{_USER}@)?{_HOST}(?::[0-9]{{1,5}})?/[^\s?#]+")
_SCP = re.compile(rf"{_USER}@{_HOST}:(?!-)[^\s]+")
_HINT = 'write "https://host/path", "ssh://git@host/path", "git@host:path" or a local path'


def parse(value: object) -> str:
    """The url or local path as written, when git can be given it without harm.

    Raises:
        BadValue: another transport, credentials, something git could take for an option, or not a line of text.
    """
    text = line_of(value, _HINT, limit=2000)
    if text.startswith("-"):
        raise BadValue(f"{shown(text)} looks like an option", _HINT)
    if re.match(r"[^/]*::", text):
        raise BadValue(f"{shown(text)} names a git remote helper, which could run any program", _HINT)
    # The messages from here on do not repeat the text: it may hold a credential.
    url = _URL.fullmatch(text)
    if url is not None:
        return _remote(text, url[1].lower(), url[2])
    if _SCP.fullmatch(text):
        return text
    if re.match(r"[^/]*:", text):
        raise BadValue("is neither a url nor a path", f"{_HINT}; a path with a colon begins with ./")
    if text.startswith("~") and not re.match(r"~(?:/|$)", text):
        raise BadValue(f"{shown(text)}: only your own ~ is known", "write the absolute path")
    return text


def _remote(text: str, scheme: str, rest: str) -> str:
    if scheme == "file":
        raise BadValue("file:// urls are not taken", 'write the plain path, such as "/srv/git/project.git"')
    if scheme == "http":
        raise BadValue("http:// is neither private nor tamper-proof", "use https:// or ssh://")
    if scheme not in ("https", "ssh"):
        raise BadValue(f"{scheme}:// is not a transport that is taken", _HINT)
    authority = rest.partition("/")[0]
    user, at, _ = authority.rpartition("@")
    if at and (scheme == "https" or ":" in user):
        raise BadValue("holds credentials", "remove them from the url; git's own credential helpers are used")
    if not (_HTTPS if scheme == "https" else _SSH).fullmatch(rest):
        raise BadValue(f"is not a valid {scheme} url", _HINT)
    return text


def is_remote(url: str) -> bool:
    """Whether a url that `parse` took is not a local path."""
    return _URL.fullmatch(url) is not None or _SCP.fullmatch(url) is not None


def resolved(url: str, directory: Path) -> str:
    """A remote url as it is; a local path made absolute, from the folder of the environment file."""
    if is_remote(url):
        return url
    # Path.expanduser raises where there is no home; this leaves the ~ as it is.
    return os.path.normpath(directory / os.path.expanduser(url))  # noqa: PTH111


URL = Scalar(parse, {"type": "string", "minLength": 1})
