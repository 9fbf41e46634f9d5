"""Which Debian mirror this machine uses, read from its apt configuration (SPEC E8)."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct
from msgspec.structs import replace

DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

_POCKETS = ("", "-updates", "-security")
_ALIASES = ("stable", "oldstable")


class AptSource(Struct, frozen=True):
    """One place apt takes packages from; `signed_by` is the keyring file that vouches for it, or empty."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""


def read_sources(apt: Path = Path("/etc/apt")) -> list[AptSource]:
    """Every enabled source of binary packages; entries that make no sense are passed over, apt itself reports them."""
    folder = apt / "sources.list.d"
    files = [apt / "sources.list", *sorted(folder.glob("*.list")), *sorted(folder.glob("*.sources"))]
    found: list[AptSource] = []
    for file in files:
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        found += _deb822(text) if file.suffix == ".sources" else _one_line(text)
    return found


def _one_line(text: str) -> Iterator[AptSource]:
    pattern = re.compile(r"^[ \t]*deb[ \t]+(?:\[([^\]]*)\][ \t]+)?(\S+)[ \t]+(\S+)([^#\n]*)", re.MULTILINE)
    for options, uri, suite, components in pattern.findall(text):
        signed = re.search(r"signed-by=(\S+)", options)
        yield AptSource(uri, suite, tuple(components.split()), signed.group(1) if signed else "")


def _deb822(text: str) -> Iterator[AptSource]:
    visible = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", visible):
        fields = {
            name.lower(): " ".join(value.split())
            for name, value in re.findall(r"^([A-Za-z-]+):((?:.*)(?:\n[ \t].*)*)", stanza, re.MULTILINE)
        }
        if fields.get("enabled", "yes").lower() in ("no", "false") or "deb" not in fields.get("types", "").split():
            continue
        signed = fields.get("signed-by", "")
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield AptSource(
                    uri, suite, tuple(fields.get("components", "").split()), signed if signed.startswith("/") else ""
                )


def debian_sources(
    suite: str,
    sources: Iterable[AptSource],
    *,
    host_suite: str = "",
    lists: Path = Path("/var/lib/apt/lists"),
) -> list[AptSource]:
    """The sources of `suite` on the Debian mirror that this machine uses, the main one first.

    A source counts as Debian's when its downloaded Release file says so, or else when Debian's archive keyring
    vouches for it or its path ends in `debian` or `debian-security`. Those of another Debian release
    (`host_suite`) stand for the same ones of `suite`: a mirror carries all releases.

    Returns:
        An empty list when this machine uses no Debian mirror (another distribution). Names and passwords in
        addresses are left out: the result is written into an image.
    """
    names = {suite, *_ALIASES} | ({host_suite} if host_suite else set())
    found: dict[tuple[str, str], AptSource] = {}
    for source in sources:
        pocket = next((p for p in _POCKETS if source.suite.removesuffix(p) in names and source.suite.endswith(p)), None)
        if pocket is None or "main" not in source.components or not _is_debian(source, lists):
            continue
        wanted = replace(source, uri=without_login(source.uri), suite=suite + pocket)
        found.setdefault((wanted.uri.rstrip("/"), wanted.suite), wanted)
    ordered = sorted(found.values(), key=lambda s: _POCKETS.index(s.suite.removeprefix(suite)))
    return ordered if ordered and ordered[0].suite == suite else []


def _is_debian(source: AptSource, lists: Path) -> bool:
    address = urlsplit(source.uri)
    if address.scheme not in ("http", "https"):
        return False
    name = without_login(source.uri).partition("://")[2].rstrip("/").replace("/", "_")
    for release in (f"{name}_dists_{source.suite}_InRelease", f"{name}_dists_{source.suite}_Release"):
        try:
            head = (lists / release).read_text(encoding="utf-8", errors="replace")[:2000]
        except OSError:
            continue
        return re.search(r"^Origin: Debian$", head, re.MULTILINE) is not None
    last = address.path.rstrip("/").rpartition("/")[2]
    return Path(source.signed_by).name.startswith("debian-archive-") or last in ("debian", "debian-security")


def without_login(uri: str) -> str:
    """The address without the user name and password it may carry."""
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def render(sources: Sequence[AptSource]) -> str:
    """The sources as one deb822 `.sources` file for an image; the image holds Debian's own keyring."""
    return "\n".join(
        f"Types: deb\nURIs: {source.uri}\nSuites: {source.suite}\n"
        f"Components: {' '.join(source.components)}\nSigned-By: {DEBIAN_KEYRING}\n"
        for source in sources
    )


def host_codename(os_release: Path = Path("/etc/os-release")) -> str:
    """The code name of the Debian release that this machine runs; empty on anything else."""
    try:
        text = os_release.read_text(encoding="utf-8")
    except OSError:
        return ""
    fields = dict(re.findall(r'^([A-Z_]+)="?([^"\n]*)"?$', text, re.MULTILINE))
    return fields.get("VERSION_CODENAME", "") if fields.get("ID") == "debian" else ""


def proxy_environment() -> dict[str, str]:
    """The proxy that apt is configured to use here, as the variables that other programs read."""
    try:
        answer = subprocess.run(
            ["apt-config", "shell", "http_proxy", "Acquire::http::Proxy", "https_proxy", "Acquire::https::Proxy"],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        return {}
    found = re.findall(r"^(https?_proxy)='([^']*)'$", answer.stdout, re.MULTILINE)
    return {name: value for name, value in found if value and value != "DIRECT"}
