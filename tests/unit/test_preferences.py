"""`config.toml`: a value that cannot be used is named, and does not take the others with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui import preferences
from tui.preferences import Preferences


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "fumehood").mkdir()
    return tmp_path / "fumehood" / "config.toml"


def test_without_the_file_the_defaults_hold(file: Path) -> None:
    assert preferences.load() == (Preferences(), [])


def test_values_are_taken(file: Path) -> None:
    file.write_text('theme = "light"\nmouse = false\nlow_bandwidth = true\nlog_hz = 4\n')
    assert preferences.load() == (Preferences(theme="light", mouse=False, low_bandwidth=True, log_hz=4), [])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('mouse = "no"', "mouse = 'no' is not true or false"),
        ("theme = 1", "theme = 1 is not a string"),
        ("muose = false", "did you mean mouse?"),
        ("log_hz = true", "log_hz = True is not a whole number"),
        ("log_hz = 60", "log_hz = 60 is not between 0 and 30"),
        ("mouse =", "is not TOML"),
        ("colour = 1", "known: theme, mouse"),
        ("keys = 3", "is not a table"),
        ('notify = "loud"', "is not one of auto, osc9, bell, off"),
        ('[keys]\naply = "f5"', "did you mean apply?"),
    ],
)
def test_what_cannot_be_used_is_named_and_its_default_holds(file: Path, text: str, told: str) -> None:
    file.write_text(text)
    found, problems = preferences.load()
    assert found == Preferences()
    assert len(problems) == 1
    assert told in problems[0]
    assert str(file) in problems[0]


def test_keys_are_taken_but_for_those_that_cannot_be_used(file: Path) -> None:
    file.write_text('theme = "light"\n[keys]\napply = "f5"\nzoom = "zork"\n')
    found, problems = preferences.load()
    assert found == Preferences(theme="light", keys={"apply": ("f5",)})
    assert len(problems) == 1


def test_one_bad_value_leaves_the_others(file: Path) -> None:
    file.write_text('mouse = 3\ntheme = "light"\n')
    found, problems = preferences.load()
    assert found == Preferences(theme="light")
    assert len(problems) == 1
