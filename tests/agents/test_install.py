"""`fumehood agent`, with the real package from the registry that npm is configured for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docker.conftest import Lab

pytestmark = pytest.mark.slow


def test_the_installed_codex_is_listed_and_runs(agents: Path, tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.variables["XDG_DATA_HOME"] = str(agents)
    lab.variables["OPENAI_API_KEY"] = "sk-x"
    listed = {entry["name"]: entry for entry in lab.json("agent", "list")["agents"]}
    codex = listed["codex"]
    assert (codex["usable"], codex["tested"], codex["origin"], codex["missing"]) == (True, True, "installed", [])
    assert Path(codex["path"]).is_relative_to(agents)
    assert listed["replay"]["origin"] == "built in"
    again = lab.run("agent", "install", "codex")
    assert (again.returncode, "installed already" in again.stderr) == (0, True)


def test_the_wrapper_that_npm_puts_on_path_leads_to_the_program(agents: Path, tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    wrapper = next((agents / "fumehood/agents/codex").glob("*/node_modules/@openai/codex/bin/codex.js"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/codex").symlink_to(wrapper)
    lab.variables["PATH"] = f"{tmp_path}/bin:{lab.variables['PATH']}"
    (codex,) = [entry for entry in lab.json("agent", "list")["agents"] if entry["name"] == "codex"]
    assert (codex["origin"], Path(codex["path"]).name, codex["version"][:2]) == ("PATH", "codex", "0.")
