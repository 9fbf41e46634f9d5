from __future__ import annotations

import base64
from pathlib import Path

import pytest
from msgspec.structs import replace

from engine.containers.base_recipe import PACKAGES, Recipe, recipe
from engine.containers.host_apt import AptSource
from engine.containers.host_ca import extra_certificates
from engine.errors import UsageError

PLAIN = Recipe(
    "bookworm", PACKAGES, (AptSource("http://mirror.test/debian", "bookworm", ("main",)),), {"host-1.crt": "x"}
)


def pem(content: bytes) -> str:
    body = base64.b64encode(content).decode()
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    "other",
    [
        replace(PLAIN, suite="trixie"),
        replace(PLAIN, packages=(*PACKAGES, "jq")),
        replace(PLAIN, sources=()),
        replace(PLAIN, certificates={}),
    ],
)
def test_the_hash_covers_every_part(other: Recipe) -> None:
    assert other.hash() != PLAIN.hash()


def test_the_hash_is_the_same_each_time() -> None:
    assert replace(PLAIN).hash() == PLAIN.hash()


def test_extra_packages_make_an_image_of_another_name() -> None:
    assert recipe().tag == "fumehood/base:bookworm"
    assert recipe(None, ["jq", "g++", "git"]).tag == "fumehood/base:bookworm-g..-jq"


@pytest.mark.parametrize("name", ["", "-x", "a b", "a;b", "A", "../x", "x\n"])
def test_names_that_debian_cannot_have_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no package name"):
        recipe(None, [name])


def test_a_suite_is_a_name_too() -> None:
    with pytest.raises(UsageError, match="no suite name"):
        recipe("--help")


def test_authorities_beyond_the_distribution_are_found_once(tmp_path: Path) -> None:
    usual, own = pem(b"usual authority"), pem(b"own authority")
    (tmp_path / "ca").mkdir()
    (tmp_path / "ca" / "usual.crt").write_text(usual)
    (tmp_path / "bundle").write_text(usual + own)
    (tmp_path / "named").write_text(
        "text before\n" + own + "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"
    )
    found = extra_certificates([tmp_path / "bundle", tmp_path / "named", tmp_path / "absent"], tmp_path / "ca")
    assert list(found.values()) == [own]
    assert all(name.startswith("host-") and name.endswith(".crt") for name in found)
