"""Real agents, installed once for all runs in a folder outside the repository, and the laboratories they run in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.conftest import Lab, https_lab, lab

__all__ = ["agents", "claude_program", "codex_lab", "https_lab", "lab"]

# Taken now: every test has a home of its own.
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
SHARED = Path(os.environ.get("FUMEHOOD_TEST_AGENTS") or _CACHE / "fumehood/test-agents")


@pytest.fixture(scope="session")
def agents() -> Path:
    """The data folder with the agents' programs, which `make agents` installs."""
    if not (SHARED / "fumehood/agents/codex/current").exists():
        pytest.skip("codex is not installed for tests: make agents does that (0.4 GB)")
    return SHARED


@pytest.fixture(scope="session")
def claude_program() -> Path:
    """The folder of the installed claude, as it lies in a data folder."""
    found = SHARED / "fumehood/agents/claude"
    if not (found / "current").exists():
        pytest.skip("claude is not installed for tests: make agents does that (0.2 GB)")
    return found


@pytest.fixture(scope="module")
def codex_lab(agents: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A laboratory whose user has codex."""
    lab = Lab(tmp_path_factory.mktemp("codex"))
    lab.variables["XDG_DATA_HOME"] = str(agents)
    for name in ("OPENAI_API_KEY", "CODEX_HOME"):
        lab.variables.pop(name, None)
    yield lab
    lab.clean_up()
