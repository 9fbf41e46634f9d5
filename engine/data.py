"""Where the files that come with fumehood are: in a checkout, or inside the installed package."""

from __future__ import annotations

from pathlib import Path

from engine.errors import EngineError

_PACKAGE = Path(__file__).resolve().parent


def themes_dir() -> Path:
    """The folder with one TOML file for each theme.

    Raises:
        EngineError: the installation lacks it.
    """
    return _shipped("themes")


def sample_envs_dir() -> Path:
    """The folder with the sample environments, one project in each subfolder.

    In a checkout they lie inside fumehood's own git repository; in an installed package in no repository at all.

    Raises:
        EngineError: the installation lacks it.
    """
    return _shipped("sample-envs")


def _shipped(name: str) -> Path:
    for folder in (_PACKAGE.parent / name, _PACKAGE / "shipped" / name):
        if folder.is_dir():
            return folder
    raise EngineError(f"the files of {name} are missing from this installation", "install fumehood again")
