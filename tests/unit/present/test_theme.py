"""Theme files: all that come with fumehood are complete, bad ones say what is wrong and harm no other."""

from __future__ import annotations

import pytest

from engine.state import config_dir, private_dir
from tui.present import theme


def test_shipped_themes_are_complete() -> None:
    themes, problems = theme.load_all()
    assert problems == []
    assert set(themes) == {"dark", "light", "high-contrast", "colour-blind", "ansi16", "ember"}
    assert next(iter(themes)) == theme.DEFAULT
    for found in themes.values():
        assert set(found.styles) == set(theme.ROLES)
        assert found.textual().to_color_system().generate()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "Invalid value"),
        ("colors = {}", "unknown key 'colors'"),
        ("[colours]\nbackgroud = '#000000'", "unknown key 'backgroud'"),
        ("extends = 'dark'\n[colours]\nbackground = 'blurple'", "is not a colour"),
        ("extends = 'dark'\n[styles]\nok = 'sparkling #123'", "[styles] ok"),
        ("[styles]\nok = 1", "is not a string"),
        ("name = 'x'", "lacks"),
        ("name = 'Solarized Light'\nextends = 'dark'", "is not made of letters"),
    ],
)
def test_a_bad_theme_says_what_is_wrong(text: str, said: str) -> None:
    path = private_dir(config_dir() / "themes") / "mine.toml"
    path.write_text(text)
    themes, problems = theme.load_all()
    assert len(themes) == 6
    assert said in str(problems[0])
    assert str(path) in str(problems[0])


def test_a_theme_of_the_user_extends_another() -> None:
    path = private_dir(config_dir() / "themes") / "mine.toml"
    path.write_text("name = 'mine'\nextends = 'dark'\n[styles]\nok = 'bold #00ff00'\n")
    themes, problems = theme.load_all()
    assert problems == []
    assert themes["mine"].styles["ok"].bold
    assert themes["mine"].colours == themes["dark"].colours


@pytest.mark.parametrize(
    ("file", "name"), [("Solarized Light", "Solarized-Light"), ("größe", "gr-e"), ("1984", "1984")]
)
def test_a_theme_is_named_after_its_file(file: str, name: str) -> None:
    (private_dir(config_dir() / "themes") / f"{file}.toml").write_text("extends = 'dark'\n")
    themes, problems = theme.load_all()
    assert problems == []
    assert themes[name].title == file
