"""What comes out is what the container holds: `fumehood diff T | git apply` gives the same tree (SPEC T9)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.docker.conftest import Lab, environment

pytestmark = pytest.mark.docker

WORK = r"""
head -c 3000 /dev/urandom > data.bin
chmod +x tool.sh
git mv old.txt 'new name.txt'
printf 'odd\n' > "$(printf 'line\nbreak.txt')"
printf 'bytes\n' > "$(printf 'caf\351.txt')"
ln -s README link
rm gone.txt
mkdir -p deep/er && echo x > deep/er/file
printf 'no newline' > README
git add -A . ; git -c core.quotepath=false ls-files -s > /tmp/list
git write-tree
"""


def test_the_diff_applied_to_a_clone_gives_the_containers_tree(lab: Lab) -> None:
    files = {"tool.sh": "#!/bin/sh\n", "old.txt": "one\ntwo\nthree\nfour\nfive\n", "gone.txt": "bye\n"}
    project = lab.project("tree", environment("touch untracked-by-setup", command=WORK), files)
    state = lab.task(project)
    tree = lab.output(state["id"], "agent").split()[-1]
    clone = lab.home / "clone"
    lab.git(lab.home, "clone", "-q", str(project), str(clone))
    argv = f"{lab_python()} -m tui.cli diff {state['id']} | git -C {clone} apply --index"
    subprocess.run(["bash", "-o", "pipefail", "-c", argv], env=lab.variables, check=True)
    assert lab.git(clone, "write-tree").strip() == tree
    assert state["attempts"][0]["diff"]["files_changed"] == 9
    assert "untracked-by-setup" not in lab.run("diff", state["id"], "--stat").stdout


def lab_python() -> str:
    import sys

    return sys.executable


def test_apply_changes_the_checkout_and_the_status(lab: Lab) -> None:
    project = lab.project("applied", environment(command="echo more >> README"))
    state = lab.task(project)
    assert lab.run("apply", state["id"], "--preflight").returncode == 0
    assert (project / "README").read_text() == "a project\n"
    assert lab.run("apply", state["id"]).returncode == 0
    assert (project / "README").read_text() == "a project\nmore\n"
    assert lab.json("status", state["id"])["status"] == "applied"
    assert lab.run("apply", state["id"]).returncode == 1


def test_commits_of_the_agent_are_told(lab: Lab) -> None:
    command = "echo a > a; git add a; git commit -qm 'first: a'; echo b > b"
    state = lab.task(lab.project("commits", environment(command=command)))
    assert [c["subject"] for c in state["attempts"][0]["commits"]] == ["first: a"]
    assert state["attempts"][0]["diff"]["files_changed"] == 2


def test_an_agent_that_changes_nothing_has_an_empty_diff(lab: Lab) -> None:
    state = lab.task(lab.project("nothing", environment()))
    assert state["status"] == "ready"
    done = lab.run("diff", state["id"])
    assert (done.returncode, done.stdout) == (0, "")


def test_the_branch_asked_for_is_worked_on(lab: Lab) -> None:
    project = lab.project("branches", environment(command="cat README; git log --format=%s; git branch; git remote"))
    lab.task(project)
    lab.git(project, "checkout", "-q", "-b", "feature/x")
    (project / "README").write_text("on the branch\n")
    lab.git(project, "commit", "-qam", "on a branch")
    lab.git(project, "checkout", "-q", "main")
    state = lab.task(project, "go", "--branch", "feature/x")
    assert (state["cache"]["result"], state["branch"]) == ("hit", "feature/x")
    assert lab.output(state["id"], "agent") == "on the branch\non a branch\nstart\n* work\n"
    sha = lab.git(project, "rev-parse", "feature/x").strip()
    assert state["base_sha"] == sha
    by_sha = lab.task(project, "go", "--branch", sha[:10])
    assert by_sha["base_sha"] == sha


def test_a_bare_remote_is_a_source(lab: Lab) -> None:
    project = lab.project("origin", environment(command="cat README"))
    bare = lab.home / "bare.git"
    lab.git(lab.home, "clone", "-q", "--bare", str(project), str(bare))
    outside = lab.home / "outside"
    outside.mkdir()
    text = environment(command="cat README; ls -a; pwd", more=f'[repository]\nurl = "{bare}"\n')
    (outside / "fumehood.toml").write_text(text)
    state = lab.task(outside)
    assert state["status"] == "ready"
    assert lab.output(state["id"], "agent").startswith("a project\n")
    assert lab.output(state["id"], "agent").endswith("/workspace/bare\n")


def test_a_refused_result_keeps_the_container(lab: Lab) -> None:
    evil = r"""
blob=$(echo pwned | git hash-object -w --stdin)
tree=$(printf "100644 .git\0$(printf %s "$blob" | sed 's/../\\x&/g')" | git hash-object -w -t tree --stdin --literally)
git update-ref HEAD $(git commit-tree "$tree" -p HEAD -m evil)
"""
    state = lab.task(lab.project("evil", environment(command=evil)))
    assert state["status"] == "error"
    assert "result refused" in state["error"]["message"]
    assert len(lab.containers(state["id"])) == 1
    subprocess.run(["docker", "rm", "-f", *lab.containers(state["id"])], check=True, capture_output=True)


def test_hostile_git_configuration_of_the_agent_runs_nothing_on_the_host(lab: Lab) -> None:
    mark = Path(lab.home / "pwned")
    command = f"""
git config core.fsmonitor 'touch {mark}; false'
git config diff.external 'touch {mark}'
git config filter.evil.clean 'touch {mark}; cat'
echo '* filter=evil diff=evil' > .gitattributes
mkdir -p .git/hooks && printf '#!/bin/sh\\ntouch {mark}\\n' > .git/hooks/post-index-change && chmod +x .git/hooks/*
echo changed > README
"""
    project = lab.project("hostile", environment(command=command))
    state = lab.task(project)
    assert state["status"] == "ready"
    assert "+changed" in lab.run("diff", state["id"]).stdout
    assert lab.run("apply", state["id"]).returncode == 0
    assert not mark.exists()


def test_an_odd_repository_is_worked_on_exactly(lab: Lab) -> None:
    """Names that differ in case only, a link in a circle, quotes, bytes that are no text; a branch with such a name."""
    names = "Readme README 'a \"b\"' $'new\\nline' $'latin-\\xe9' -x"
    work = f"for name in {names}; do printf '%s\\n' changed >> ./\"$name\"; done; ln -sfn loop2 loop; git branch --show-current"
    project = lab.project("odd", environment(command=work, name="odd"))
    make = f'rm README; for name in {names}; do echo one > ./"$name"; done; ln -s loop loop'
    subprocess.run(["bash", "-ec", make], cwd=project, check=True)
    lab.git(project, "checkout", "-q", "-b", "Ünïcode")
    lab.git(project, "add", "-A")
    lab.git(project, "commit", "-qm", "odd")
    lab.git(project, "branch", "-D", "main")
    state = lab.task(project)
    assert state["status"] == "ready", state["error"]
    assert state["attempts"][0]["diff"]["files_changed"] == 7
    applied = lab.run("apply", state["id"], cwd=project)
    assert applied.returncode == 0, applied.stderr
    found = {os.fsencode(path.name): str(path.readlink()) if path.is_symlink() else path.read_text()
             for path in project.iterdir() if path.name not in (".git", "fumehood.toml")}  # fmt: skip
    assert found.pop(b"loop") == "loop2"
    assert found == dict.fromkeys(
        (b"Readme", b"README", b'a "b"', b"new\nline", b"latin-\xe9", b"-x"), "one\nchanged\n"
    )
