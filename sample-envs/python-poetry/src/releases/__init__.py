"""Which of many releases to take."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.version import InvalidVersion, Version


def newest(releases: Iterable[str], *, previews: bool = False) -> str | None:
    """The newest release; previews (1.0rc1, 2.0.dev3) count only when asked for, what is no version never does."""
    known = [release for release in releases if _version(release) is not None]
    if not previews:
        known = [release for release in known if not Version(release).is_prerelease]
    return max(known, default=None)


def _version(release: str) -> Version | None:
    try:
        return Version(release)
    except InvalidVersion:
        return None
