"""No way around the cleaning boundary: text becomes cells or Content in two places only (SPEC W11)."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

TUI = Path(__file__).resolve().parents[3] / "tui"
SOURCES = sorted(path for path in TUI.rglob("*.py") if "commands" not in path.parts and path.name != "cli.py")
# What makes cells of text -> the modules that may.
MAKERS = {
    "Segment": {"present/row.py"},
    "Strip": {"present/row.py"},
    "Content": {"present/text.py"},
    "from_markup": set(),
    "from_ansi": {"present/sgr.py"},
    "render_str": set(),
    "Label": set(),
    "RichLog": set(),
    "Markdown": set(),
    "DataTable": set(),
}


def calls(path: Path) -> list[tuple[str, ast.Call]]:
    """Every call in a file with the last part of the name that is called."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            found.append((name, node))
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(TUI)))
def test_text_becomes_cells_in_one_place(path: Path) -> None:
    where = path.relative_to(TUI).as_posix()
    for name, call in calls(path):
        assert where in MAKERS.get(name, {where}), f"{where}:{call.lineno} calls {name}"
        if name == "Static":
            made = call.args[0]
            assert isinstance(made, ast.Call), f"{where}:{call.lineno}"
            assert getattr(made.func, "id", "") == "content", f"{where}:{call.lineno}"
        if name == "notify":
            markup = next((word.value for word in call.keywords if word.arg == "markup"), None)
            assert isinstance(markup, ast.Constant), f"{where}:{call.lineno}"
            assert markup.value is False


def test_checking_the_terminal_loads_no_library() -> None:
    code = "import sys; import tui.__main__, tui.terminal; sys.exit(any(m in sys.modules for m in ('textual', 'rich', 'engine')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=TUI.parent, check=False).returncode == 0


def test_the_workbench_loads_neither_docker_nor_git() -> None:
    heavy = "('docker', 'git', 'watchfiles', 'requests', 'pygments.lexers.python')"
    code = f"import sys; import tui.app; sys.exit(any(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], cwd=TUI.parent, check=False).returncode == 0
