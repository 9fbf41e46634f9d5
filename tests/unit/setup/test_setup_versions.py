"""Versions: what is wanted, what the image has, what is done about it."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.setup.project import Asked
from engine.setup.versions import PROBE, UNIVERSAL, found_in, is_version, satisfies, switch


@pytest.mark.parametrize(
    ("version", "asked", "expected"),
    [
        ("18.20.4", ">=18", True),
        ("18.20.4", ">= 20", False),
        ("18.20.4", "^18.12.0 || >=20", True),
        ("18.2.0", "^18.12.0 || >=20", False),
        ("22.1.0", "18.x", False),
        ("18.9.9", "18.x", True),
        ("18.9.9", "18 - 20", None),
        ("18.20.4", "lts/*", None),
        ("18.20.4", "20.1.0", False),
        ("3.11.2", ">=3.9", True),
        ("3.11.2", ">=3.9,<3.11", False),
        ("3.11.2", ">=3.12", False),
        ("3.11.2", "^3.9", True),
        ("3.11.2", "~=3.11", True),
        ("3.11.2", "~3.10", False),
        ("3.11.2", "==3.11.*", True),
        ("3.11.2", "3.11", True),
        ("3.11.2", "3", True),
        ("3.11.2", "!=3.9.0", True),
        ("3.11.2", ">3.10", True),
        ("3.11.2", ">3.11", None),
        ("", ">=3", False),
        ("1.2", "*", True),
    ],
)
def test_ranges(version: str, asked: str, expected: bool | None) -> None:
    assert satisfies(version, asked) is expected


@given(st.text(max_size=30), st.text(st.sampled_from("0123456789.<>=~^|*x ,!v-"), max_size=30))
def test_any_range_can_be_judged_or_not(version: str, asked: str) -> None:
    assert satisfies(version, asked) in (True, False, None)


def test_a_version_is_compared_to_the_digits_it_has() -> None:
    assert is_version("3.11", "3.11.2")
    assert is_version("v18", "18.20.4")
    assert not is_version("3.1", "3.11.2")
    assert not is_version("3.11.2", "3.11")
    assert not is_version("3", "")


FOUND = {"python": "3.11.2", "node": "18.20.4"}


def test_satisfied_versions_need_nothing() -> None:
    found = switch({"python": "3.11"}, (), FOUND, False)
    assert (found.script, found.refused) == ("", ())
    assert found.notices == ("python 3.11: the image has 3.11.2",)


def test_other_versions_are_installed_or_refused() -> None:
    found = switch({"node": "22", "go": "1.24", "python": "3.11"}, (), FOUND, False)
    assert "node@22" in found.script
    assert "refuse node 22 18.20.4" in found.script
    assert "uv python" not in found.script
    (refusal,) = found.refused
    assert "go 1.24 is wanted, the image has none" in refusal
    assert "setup.script" in refusal
    assert "uv python install --no-progress 3.13" in switch({"python": "3.13"}, (), FOUND, False).script


def test_an_image_that_switches_itself_does() -> None:
    found = switch({"go": "1.24", "python": "3.11"}, (), {}, True)
    assert UNIVERSAL in found.script
    assert found.refused == ()


def test_what_the_project_asks_for_is_told_when_it_is_not_met() -> None:
    asked = (Asked("node", ">=20", "package.json"), Asked("python", ">=3.9", "pyproject.toml"), Asked("ruby", "3", "r"))
    assert switch({}, asked, FOUND, False).notices == (
        "package.json asks for node >=20, the image has 18.20.4: set node in [versions]",
        "r asks for ruby 3, the image has none: set ruby in [versions]",
    )
    assert switch({"node": "22", "ruby": "3.3"}, asked, FOUND, True).notices == ()
    assert "[versions] says 16" in switch({"node": "16"}, asked[:1], FOUND, True).notices[0]


@pytest.mark.parametrize("wanted", [{"node": "22"}, {"python": "3.13"}, {"python": "3.13", "node": "22.1.0-rc.1"}])
def test_the_scripts_are_bash(wanted: dict[str, str]) -> None:
    for universal in (True, False):
        script = switch(wanted, (), {}, universal).script
        assert script.startswith("set -euo pipefail\n")
        assert script.endswith("set +euo pipefail\n")
        subprocess.run(["bash", "-n"], input=script.encode(), check=True)


def test_the_probe_reads_what_tools_print() -> None:
    tools = "node() { echo v20.1.0; }; python3() { return 1; }; python() { echo Python 3.9.1; }; java() { echo 'openjdk version \"21.0.1\"' >&2; }; go() { echo boom >&2; return 1; }\n"
    argv = ["bash", "-c", tools + PROBE, "probe", "node", "python", "java", "go", "ruby-is-none"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert found_in("welcome\tto this image\n" + done.stdout) == (
        {"node": "20.1.0", "python": "3.9.1", "java": "21.0.1"},
        False,
    )
    assert found_in("universal\n") == ({}, True)
