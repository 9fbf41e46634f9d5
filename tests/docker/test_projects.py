"""Real projects: the samples that ship, and two that nobody here wrote, set up by `env init` alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.docker.conftest import ROOT, Lab
from tests.docker.watching import watching

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]

SAMPLES = sorted(path.parent.name for path in (ROOT / "sample-envs").glob("*/fumehood.toml"))

# They take up to a minute to install. Two of their managers are also in what `test_setup_managers` installs at once.
LONG = ("node-pnpm", "node-yarn", "node-yarn-berry", "python-pipenv", "python-poetry")


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


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in SAMPLES]
)
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


LOCKS = {
    "node-npm": "package-lock.json",
    "node-pnpm": "pnpm-lock.yaml",
    "node-yarn": "yarn.lock",
    # It takes no lock file but as it writes it.
    "node-yarn-berry": "package.json",
    "python-pip": "requirements.txt",
    "python-pipenv": "Pipfile.lock",
    "python-poetry": "poetry.lock",
    "python-uv": "pyproject.toml",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LOCKS)
def test_saving_a_lock_file_of_a_watched_sample_refreshes_it(lab: Lab, samples: Path, name: str) -> None:
    """What every manager has to do for SPEC C5, with its own files and commands, and no network for the agent."""
    folder = samples / name
    assert lab.task(folder, "go", "--agent", "replay", timeout=300)["status"] == "ready"
    with watching(lab, folder) as watch:
        watch.ready()
        lock = folder / LOCKS[name]
        lock.write_text(f"{lock.read_text()}\n")
        events = watch.until(lambda event: event["status"] in ("done", "failed"))
        path = f"{LOCKS[name]} changed"
        assert [(e["action"], e["status"], e["reason"]) for e in events] == [
            ("refresh", "started", path),
            ("refresh", "done", path),
        ], events
        print(f"{name}: told {events[0]['ts'] - lock.stat().st_mtime:.2f} s after the save")
        lab.git(folder, "commit", "-qam", f"save {name}")
        watch.ready()
        state = lab.task(folder, "go", "--agent", "replay")
    assert (state["status"], state["cache"]["result"]) == ("ready", "standby")
    maintenance = next(p for p in state["phases"] if p["name"] == "maintenance")
    assert maintenance["status"] == "skipped"
    assert "nothing changed since it last ran" in maintenance["reason"]


@pytest.mark.slow
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
