from __future__ import annotations

from pathlib import Path

import pytest

from engine.containers.host_apt import AptSource, debian_sources, host_codename, read_sources, render, without_login

DEBIAN_SOURCES = """\
Types: deb
# a comment inside
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb deb-src
URIs: http://mirror.test/debian-security
Suites: bookworm-security
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://old.test/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb-src
URIs: http://source.test/debian
Suites: bookworm
Components: main
"""
OTHERS = """\
# deb http://commented.test/debian bookworm main
deb [arch=amd64 signed-by=/etc/apt/keyrings/vendor.gpg] https://vendor.test/linux/debian bookworm stable
deb https://apt.vendor.test bookworm main
deb http://user:word@login.test/debian/ bookworm main non-free-firmware # why
"""


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    folder = tmp_path / "apt"
    (folder / "sources.list.d").mkdir(parents=True)
    (folder / "sources.list.d" / "debian.sources").write_text(DEBIAN_SOURCES)
    (folder / "sources.list").write_text(OTHERS)
    return folder


def test_both_formats_are_read_and_disabled_or_source_entries_left_out(apt: Path) -> None:
    sources = read_sources(apt)
    assert [(s.uri, s.suite) for s in sources] == [
        ("https://vendor.test/linux/debian", "bookworm"),
        ("https://apt.vendor.test", "bookworm"),
        ("http://user:word@login.test/debian/", "bookworm"),
        ("http://mirror.test/debian", "bookworm"),
        ("http://mirror.test/debian", "bookworm-updates"),
        ("http://mirror.test/debian-security", "bookworm-security"),
    ]
    assert sources[0].signed_by == "/etc/apt/keyrings/vendor.gpg"
    assert sources[2].components == ("main", "non-free-firmware")
    assert sources[5].signed_by == ""


def test_a_machine_without_apt_has_no_sources(tmp_path: Path) -> None:
    assert read_sources(tmp_path / "nothing") == []


def test_only_debian_mirrors_count_and_logins_are_left_out(apt: Path, tmp_path: Path) -> None:
    found = debian_sources("bookworm", read_sources(apt), lists=tmp_path)
    assert [(s.uri, s.suite) for s in found] == [
        ("http://login.test/debian/", "bookworm"),
        ("http://mirror.test/debian", "bookworm"),
        ("http://mirror.test/debian", "bookworm-updates"),
        ("http://mirror.test/debian-security", "bookworm-security"),
    ]
    assert "word" not in render(found)


def test_the_downloaded_release_file_decides_when_there_is_one(tmp_path: Path) -> None:
    ours = AptSource("http://mirror.test/strange/path", "bookworm", ("main",))
    raspbian = AptSource("http://pi.test/debian", "bookworm", ("main",))
    (tmp_path / "mirror.test_strange_path_dists_bookworm_InRelease").write_text("Hash: SHA256\nOrigin: Debian\n")
    (tmp_path / "pi.test_debian_dists_bookworm_InRelease").write_text("Origin: Raspbian\n")
    assert debian_sources("bookworm", [ours, raspbian], lists=tmp_path) == [ours]


def test_the_sources_of_another_release_stand_for_the_wanted_one(tmp_path: Path) -> None:
    host = [
        AptSource("http://mirror.test/debian", "trixie", ("main",)),
        AptSource("http://mirror.test/debian-security", "trixie-security", ("main",)),
    ]
    found = debian_sources("bookworm", host, host_suite="trixie", lists=tmp_path)
    assert [s.suite for s in found] == ["bookworm", "bookworm-security"]


def test_another_distribution_has_no_debian_mirror(tmp_path: Path) -> None:
    ubuntu = [AptSource("http://mirror.test/ubuntu", suite, ("main",)) for suite in ("noble", "noble-security")]
    assert debian_sources("bookworm", ubuntu, lists=tmp_path) == []


def test_a_security_source_alone_is_no_mirror(tmp_path: Path) -> None:
    alone = [AptSource("http://mirror.test/debian-security", "bookworm-security", ("main",))]
    assert debian_sources("bookworm", alone, lists=tmp_path) == []


def test_what_is_rendered_can_be_read_back(apt: Path, tmp_path: Path) -> None:
    found = debian_sources("bookworm", read_sources(apt), lists=tmp_path)
    again = tmp_path / "again"
    (again / "sources.list.d").mkdir(parents=True)
    (again / "sources.list.d" / "debian.sources").write_text(render(found))
    assert [(s.uri, s.suite, s.components) for s in read_sources(again)] == [
        (s.uri, s.suite, s.components) for s in found
    ]


@pytest.mark.parametrize(
    ("text", "codename"),
    [
        ('ID=debian\nVERSION_CODENAME=trixie\nNAME="Debian GNU/Linux"\n', "trixie"),
        ("ID=ubuntu\nVERSION_CODENAME=noble\n", ""),
        ("ID=debian\n", ""),
    ],
)
def test_the_code_name_is_debians_only(text: str, codename: str, tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text(text)
    assert host_codename(tmp_path / "os-release") == codename


def test_an_address_keeps_its_port() -> None:
    assert without_login("https://me:pw@mirror.test:8443/debian") == "https://mirror.test:8443/debian"
