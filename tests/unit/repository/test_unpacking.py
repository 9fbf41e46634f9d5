"""Nothing in the product unpacks an archive into a folder of the host (SECURITY-CASES G07)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import engine
import tui

_UNPACKS = {"extract", "extractall", "unpack_archive"}
_SOURCES = [file for package in (engine, tui) for file in Path(str(package.__file__)).parent.rglob("*.py")]


def calls(source: str) -> set[str]:
    """The names of the methods and functions that a module calls."""
    found = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return {node.attr for node in found if isinstance(node, ast.Attribute)} | {
        node.id for node in found if isinstance(node, ast.Name)
    }


@pytest.mark.parametrize("file", _SOURCES, ids=lambda file: file.name)
def test_no_archive_is_unpacked(file: Path) -> None:
    assert not calls(file.read_text()) & _UNPACKS


def test_an_unpacking_call_would_be_found() -> None:
    assert calls("import tarfile\ntarfile.open('x').extractall('y')") & _UNPACKS
