"""Real projects: the samples that ship, and two that nobody here wrote, set up by `env init` alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.docker.conftest import ROOT, Lab

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]

SAMPLES = sorted(path.parent.name for path in (ROOT / "sample-envs").glob("*/fumehood.toml"))


@pytest.fixture(scope="module")
def samples(lab: Lab) -> Path:
    """The samples as they lie in a checkout: folders of one repository."""
    folder = lab.home / "checkout"
    shutil.copytree(
        ROOT / "sample-envs",
        folder / "sample-envs",
        ignore=shutil.ignore_patterns("__pycache__", "node_modules", ".pytest_cache"),
    )
    lab.git(lab.home, "init", "-q", "-b", "main", str(folder))
    lab.git(folder, "add", "-A")
    lab.git(folder, "commit", "-qm", "samples")
    return folder / "sample-envs"


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_set_up_fixed_and_tested(lab: Lab, samples: Path, name: str) -> None:
    first = lab.task(samples / name, "fix the failing test", "--agent", "replay", timeout=300)
    assert first["status"] == "ready", first["error"]
    assert first["cache"]["result"] == "miss"
    second = lab.task(samples / name, "fix the failing test", "--agent", "replay")
    assert second["cache"]["result"] == "hit"
    attempt = second["attempts"][0]
    assert attempt["answer"]
    assert attempt["diff"]["files_changed"] >= 1
    codes = [e["exit_code"] for e in lab.events(second["id"]) if e["type"] == "command.finished"]
    assert codes[-1] == 0, "the tests are green at the end"
    assert 1 in codes, "and were red before"
    assert f"sample-envs/{name}/" in lab.run("diff", second["id"]).stdout


@pytest.mark.parametrize("name", ["itsdangerous", "click"])
def test_a_project_nobody_here_wrote(lab: Lab, name: str) -> None:
    downloads = lab.home / f"{name}-sdist"
    argv = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", name]
    subprocess.run([*argv, "-d", str(downloads), name], check=True, capture_output=True, timeout=200)
    (archive,) = downloads.iterdir()
    with tarfile.open(archive) as tar:
        tar.extractall(downloads, filter="data")
    archive.unlink()
    (project,) = downloads.iterdir()
    lab.git(project, "init", "-q", "-b", "main")
    lab.git(project, "add", "-A")
    lab.git(project, "commit", "-qm", "the source distribution")
    assert lab.run("env", "init", str(project)).returncode == 0
    assert lab.json("env", "check", str(project))["ok"]
    state = lab.task(
        project, "pytest -q -p no:cacheprovider && echo '# seen' >> README.md", "--agent", "command", timeout=380
    )
    assert state["status"] == "ready", state["attempts"][0]["answer"] or state["error"]
    assert " passed" in state["attempts"][0]["answer"]
    assert state["network"]["proven"]
    assert "+# seen" in lab.run("diff", state["id"]).stdout
    assert state["attempts"][0]["diff"]["files_changed"] == 1
