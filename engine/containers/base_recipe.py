"""What goes into the base image: packages, configuration, this machine's mirror and authorities (SPEC E8)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from engine.containers import host_apt
from engine.containers.host_ca import extra_certificates
from engine.errors import UsageError

BASE_SUITE = "bookworm"
BASE_IMAGE = f"fumehood/base:{BASE_SUITE}"
BASE_LABEL = "fumehood.base"
"""The label that holds the recipe's hash."""

PACKAGES = (
    "bash",
    "ca-certificates",
    "curl",
    "git",
    "less",
    "nodejs",
    "npm",
    "procps",
    "python-is-python3",
    "python3",
    "python3-pip",
    "python3-venv",
    "ripgrep",
)

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
# Node, requests and the pip of a venv carry authorities of their own unless told otherwise.
_ENVIRONMENT = {
    "PATH": PATH,
    "LANG": "C.UTF-8",
    "SSL_CERT_FILE": _BUNDLE,
    "REQUESTS_CA_BUNDLE": _BUNDLE,
    "PIP_CERT": _BUNDLE,
    "NODE_EXTRA_CA_CERTS": _BUNDLE,
}

# A container without capabilities cannot change to apt's own user; its lists and archives would only fatten snapshots.
_APT_CONFIG = """\
APT::Sandbox::User "root";
APT::Keep-Downloaded-Packages "false";
Acquire::Languages "none";
"""
# `pip install` in a setup script is what the image is for: EXTERNALLY-MANAGED protects a system nobody has here.
_DPKG_CONFIG = """\
force-unsafe-io
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/lintian/*
path-exclude=/usr/lib/python3*/EXTERNALLY-MANAGED
"""
_NO_SERVICES = "#!/bin/sh\nexit 101\n"

_CONFIGURE = """\
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
[ ! -s /etc/apt/sources.list.d/debian.sources ] || rm -f /etc/apt/sources.list
! command -v update-ca-certificates >/dev/null || update-ca-certificates
apt-get update
apt-get -o APT::Keep-Downloaded-Packages=true -y dist-upgrade
apt-get -o APT::Keep-Downloaded-Packages=true -y --no-install-recommends install @PACKAGES@
apt-get autoclean
update-ca-certificates
git config --system init.defaultBranch main
mkdir -p /usr/share/doc /usr/share/man /usr/share/info /usr/share/locale /usr/share/lintian
find /usr/share/doc -type f ! -name copyright -delete
find /usr/share/doc /usr/share/man /usr/share/info /usr/share/locale /usr/share/lintian -type l -delete
find /usr/share/man /usr/share/info /usr/share/locale /usr/share/lintian -type f -delete
find /usr/share/doc /usr/share/locale /usr/share/lintian -mindepth 1 -type d -empty -delete
find /usr/share/nodejs -type f "(" -name "*.map" -o -name "*.d.ts" ")" -delete
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/cache/ldconfig/aux-cache \
    /var/lib/dpkg/*-old /var/log/*.log /var/log/apt/* /root/.npm /root/.cache /tmp/* /debootstrap
"""


class Recipe(Struct, frozen=True):
    """All that decides what is in a base image."""

    suite: str
    packages: tuple[str, ...]
    sources: Sequence[host_apt.AptSource] = ()
    certificates: Mapping[str, str] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        """The image's name when none is asked for: with packages beyond `PACKAGES`, one of its own."""
        extra = "".join(f"-{package.replace('+', '.')}" for package in self.packages if package not in PACKAGES)
        return f"fumehood/base:{self.suite}{extra}"[:140]

    @property
    def mirror(self) -> str:
        """The Debian mirror of this machine; empty: debootstrap's own default."""
        return self.sources[0].uri if self.sources else ""

    def files(self) -> dict[str, str]:
        """What is put into the image before the packages are installed: path below the root to content."""
        files = {
            "etc/apt/apt.conf.d/90fumehood": _APT_CONFIG,
            "etc/dpkg/dpkg.cfg.d/90fumehood": _DPKG_CONFIG,
            "usr/sbin/policy-rc.d": _NO_SERVICES,
        }
        if self.sources:
            files["etc/apt/sources.list.d/debian.sources"] = host_apt.render(self.sources)
        for name, pem in self.certificates.items():
            files[f"usr/local/share/ca-certificates/{name}"] = pem
        return files

    def script(self) -> str:
        """The shell script that turns a minimal Debian with `files` in it into the base image."""
        return _CONFIGURE.replace("@PACKAGES@", " ".join(self.packages))

    def changes(self) -> list[str]:
        """The image's configuration, as Dockerfile instructions."""
        return [
            *(f"ENV {name}={value}" for name, value in _ENVIRONMENT.items()),
            f"LABEL {BASE_LABEL}={self.hash()}",
            "WORKDIR /root",
            'CMD ["bash"]',
        ]

    def hash(self) -> str:
        """16 hex digits that change when anything of the recipe does."""
        parts = [self.suite, self.script(), self.files(), _ENVIRONMENT]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def recipe(suite: str | None = None, extra_packages: Sequence[str] = ()) -> Recipe:
    """The recipe of a base image on this machine, with its apt mirror and its certificate authorities.

    Raises:
        UsageError: the suite or a package has no possible name.
    """
    suite = suite or BASE_SUITE
    for what, name in [("suite", suite), *(("package", package) for package in extra_packages)]:
        if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", name):
            raise UsageError(f"{name!r} is no {what} name", "Debian's names are of lower-case letters, digits, . + -")
    sources = host_apt.debian_sources(suite, host_apt.read_sources(), host_suite=host_apt.host_codename())
    return Recipe(suite, tuple(sorted({*PACKAGES, *extra_packages})), sources, extra_certificates())


def recipe_hash(*, suite: str | None = None, extra_packages: Sequence[str] = ()) -> str:
    """The hash that a base image made now on this machine would carry in its label."""
    return recipe(suite, extra_packages).hash()
