"""Bad input and missing things: one clear message, exit code 2 or 1, no traceback (SPEC E2, SECURITY-CASES B)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.docker.conftest import Lab, environment

pytestmark = pytest.mark.docker


def refused(done: subprocess.CompletedProcess[str], code: int, *said: str) -> None:
    """The command ended with `code`, said these things and showed no traceback."""
    told = done.stdout + done.stderr
    assert done.returncode == code, told
    assert "Traceback" not in told
    for text in said:
        assert text in told, told


def run(lab: Lab, project: Path, *options: str, **more: object) -> subprocess.CompletedProcess[str]:
    return lab.run("exec", "--env", str(project), "--wait", *options, "go", **more)


def test_no_engine(lab: Lab) -> None:
    project = lab.project("a", environment())
    nowhere = {"DOCKER_HOST": f"unix://{lab.home}/nowhere.sock"}
    refused(run(lab, project, env=nowhere), 1, "no container engine answers", "nowhere.sock", "start it")
    refused(lab.run("cache", "show", env=nowhere), 1, "no container engine answers")
    refused(lab.run("doctor", env=nowhere), 1, "no container engine answers")


def test_no_image(lab: Lab) -> None:
    project = lab.project("b", environment(more='[image]\nname = "fumehood/base:nonexistent"\n'))
    refused(run(lab, project), 1, "image fumehood/base:nonexistent is not there", "fumehood image bootstrap")
    (project / "fumehood.toml").write_text(environment(more='[image]\nname = "localhost:1/no/where:x"\n'))
    refused(run(lab, project), 1, "localhost:1/no/where:x")
    wrong = f"fumehood/base:bookworm@sha256:{0:064}"
    (project / "fumehood.toml").write_text(environment(more=f'[image]\nname = "{wrong}"\n'))
    refused(run(lab, project), 1, f"image {wrong} is not there", "check the digest")


def test_an_environment_nobody_agreed_to(lab: Lab) -> None:
    project = lab.project("stranger", environment(command="echo ran"))
    found = lab.run("exec", "--wait", "go", cwd=project)
    refused(found, 2, "fumehood.toml is not trusted yet", "fumehood env trust")
    named = run(lab, project)
    assert named.returncode == 0
    assert f"trusting {project}/fumehood.toml (first use)" in named.stderr
    again = lab.run("exec", "--wait", "go", cwd=project)
    assert (again.returncode, "trust" in again.stderr) == (0, False)
    (project / "fumehood.toml").write_text(environment(setup="true", command="echo ran"))
    changed = lab.run("exec", "--wait", "go", cwd=project)
    refused(changed, 2, "changed since you trusted it: setup.script")


@pytest.fixture(scope="module")
def bare_images(lab: Lab, tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """An image without bash, and one without git."""
    names = {"bash": f"fumehood-test/no-bash-{lab.home.name}", "git": f"fumehood-test/no-git-{lab.home.name}"}
    for tool, name in names.items():
        script = "rm -f $(type -aP " + tool + ") $(readlink -f $(type -P " + tool + "))"
        made = subprocess.run(
            ["docker", "run", "-d", "fumehood/base:bookworm", "bash", "-c", script],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        subprocess.run(["docker", "wait", made], check=True, capture_output=True)
        subprocess.run(["docker", "commit", made, name], check=True, capture_output=True)
        subprocess.run(["docker", "rm", made], check=True, capture_output=True)
    yield names
    lab.clean_up()
    for name in names.values():
        subprocess.run(["docker", "rmi", name], check=True, capture_output=True)


@pytest.mark.parametrize("tool", ["bash", "git"])
def test_an_image_without_a_tool(lab: Lab, bare_images: dict[str, str], tool: str) -> None:
    project = lab.project(f"no-{tool}", environment(more=f'[image]\nname = "{bare_images[tool]}"\n'))
    refused(run(lab, project), 1, f"has no {tool}", "fumehood image bootstrap")


def test_repositories_that_cannot_be_used(lab: Lab) -> None:
    folder = lab.home / "plain"
    folder.mkdir()
    (folder / "fumehood.toml").write_text(environment())
    refused(run(lab, folder), 1, "git init")
    lab.git(folder, "init", "-q")
    refused(run(lab, folder), 1, "no commit", "git commit")


def test_a_branch_that_does_not_exist(lab: Lab) -> None:
    project = lab.project("d", environment())
    lab.git(project, "branch", "feature")
    refused(run(lab, project, "--branch", "featur"), 1, "has no branch or tag 'featur'", "did you mean 'feature'")
    refused(run(lab, project, "--branch", "HEAD~1"), 1, "not the name of a branch")
    refused(run(lab, project, "--branch", "0" * 40), 1, "has no commit")


def test_wrong_usage(lab: Lab) -> None:
    project = lab.project("e", environment())
    refused(lab.run("exec", "--env", str(lab.home / "nothing"), "go"), 2, "nothing")
    refused(lab.run("exec", "--env", str(project), ""), 2, "the prompt is empty")
    refused(lab.run("exec", "--env", str(project), "--agent", "nobody", "go"), 2, "unknown agent 'nobody'", "replay")
    refused(lab.run("exec", "--env", str(project), "--attempts", "9", "go"), 2, "use 1 to 4")
    refused(lab.run("status", "nosuchtask"), 2, "there is no task")
    refused(lab.run("nosuchcommand"), 2, "invalid choice")


def test_a_bad_environment_file(lab: Lab) -> None:
    project = lab.project("f", 'name = "x"\n[setup]\nscrpt = "true"\ntimeout = "soon"\n')
    refused(run(lab, project), 2, "scrpt", "line 3", "timeout", "line 4")
    checked = lab.json("env", "check", str(project))
    assert (checked["ok"], len(checked["problems"])) == (False, 2)


def test_a_replay_without_its_plan(lab: Lab) -> None:
    project = lab.project("g", 'name = "x"\n[agent]\nuse = "replay"\nplan = "missing.json"\n')
    refused(run(lab, project), 2, "agent replay cannot start", "missing.json")
