"""What is taken of a bundle from a container, and what is refused (SECURITY-CASES G04)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from engine.errors import RepositoryError
from engine.repository import diff
from engine.repository.into import thin_bundle
from engine.repository.mirror import Mirror
from engine.repository.out import Results, sweep
from engine.repository.source import Source
from engine.state import locked, state_dir
from tests.unit.repository.repositories import commit, git, make


class Case:
    """A source with its results, and a clone in which an agent works."""

    def __init__(self, folder: Path) -> None:
        app = make(folder / "app", files={"a.txt": "a\n", "b/c": "c\n"})
        mirror = Mirror(Source.from_url(str(app), folder))
        mirror.update()
        self.mirror = mirror
        self.results = Results(mirror)
        self.base = mirror.resolve(None).sha
        self.agent = folder / "agent"
        git("clone", "-q", str(app), str(self.agent), cwd=folder)
        self.bundle = folder / "bundle"

    def object(self, kind: str, content: bytes) -> str:
        return git("hash-object", "-w", "-t", kind, "--stdin", "--literally", cwd=self.agent, stdin=content)

    def tree(self, *entries: tuple[str, bytes, str]) -> str:
        """A tree object of any entries: mode, name, id."""
        parts = (mode.encode() + b" " + name + b"\0" + bytes.fromhex(sha) for mode, name, sha in entries)
        return self.object("tree", b"".join(parts))

    def send(self, sha: str, *, agent: str = "", exclude: bool = True) -> None:
        git("update-ref", "refs/heads/result", sha, cwd=self.agent)
        refs = ["refs/heads/result"]
        if agent:
            git("update-ref", "refs/heads/agent", agent, cwd=self.agent)
            refs.append("refs/heads/agent")
        excluded = [f"^{self.base}"] if exclude else []
        git("bundle", "create", "-q", str(self.bundle), *refs, *excluded, cwd=self.agent)

    def refuse(self, match: str) -> None:
        with pytest.raises(RepositoryError, match=f"result refused: .*{match}"):
            self.results.receive(self.bundle, task="t1", attempt=1, base=self.base)
        assert git("for-each-ref", cwd=self.results.git_dir) == ""
        assert not list(self.results.git_dir.glob("objects/incoming-*"))
        assert not list(self.results.git_dir.glob("objects/pack/*"))


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_accepted(case: Case) -> None:
    (case.agent / "a.txt").write_text("changed\n")
    first = commit(case.agent, "first")
    second = commit(case.agent, "second\n\nbody")
    case.send(second, agent=second)
    result = case.results.receive(case.bundle, task="t1", attempt=2, base=case.base)
    assert result.sha == second
    assert result.tree == git("rev-parse", "HEAD^{tree}", cwd=case.agent)
    assert result.commits == ((first, "first"), (second, "second"))
    refs = git("for-each-ref", "--format=%(refname) %(objectname)", cwd=case.results.git_dir).splitlines()
    kept = [f"refs/tasks/t1/2 {second}", f"refs/tasks/t1/base {case.base}", f"refs/tasks/t1/turns/2-1 {second}"]
    assert refs == kept
    assert "refs/tasks" not in git("for-each-ref", cwd=case.mirror.git_dir)
    assert case.results.receive(case.bundle, task="t1", attempt=2, base=case.base) == result
    follow_up = thin_bundle(case.results.git_dir, case.base, second, case.bundle.parent)
    assert follow_up is not None
    assert b"-" + case.base.encode() in follow_up.read_bytes()
    assert thin_bundle(case.results.git_dir, second, case.base, case.bundle.parent) is None


def test_a_history_of_its_own_is_put_on_the_base(case: Case) -> None:
    git("checkout", "-q", "--orphan", "new", cwd=case.agent)
    case.send(commit(case.agent, "root"), exclude=False)
    result = case.results.receive(case.bundle, task="t1", attempt=1, base=case.base)
    assert git("rev-parse", f"{result.sha}^", cwd=case.results.git_dir) == case.base
    assert result.tree == git("rev-parse", "HEAD^{tree}", cwd=case.agent)
    assert result.commits == ()


@pytest.mark.parametrize(
    ("name", "match"),
    [
        (b".git", "'.git'"),
        (b".GIT", "'.git'"),
        (b"git~1", "'.git'"),
        (".g\u200cit".encode(), "'.git'"),
        (b"..", "'..'"),
        (b".", "'.'"),
        (b"a/b", "full path"),
    ],
)
def test_evil_names(case: Case, name: bytes, match: str) -> None:
    blob = case.object("blob", b"pwn\n")
    tree = case.tree(("100644", name, blob))
    case.send(git("commit-tree", tree, "-p", case.base, "-m", "evil", cwd=case.agent))
    case.refuse(match)


def test_evil_in_the_middle_of_the_history(case: Case) -> None:
    tree = case.tree(("100644", b".git", case.object("blob", b"pwn\n")))
    evil = git("commit-tree", tree, "-p", case.base, "-m", "evil", cwd=case.agent)
    case.send(git("commit-tree", f"{case.base}^{{tree}}", "-p", evil, "-m", "innocent", cwd=case.agent))
    case.refuse("'.git'")


@pytest.mark.parametrize("url", ["--upload-pack=touch x", "-x"])
def test_evil_submodules(case: Case, url: str) -> None:
    blob = case.object("blob", f'[submodule "x"]\n\tpath = x\n\turl = {url}\n'.encode())
    case.send(
        git("commit-tree", case.tree(("100644", b".gitmodules", blob)), "-p", case.base, "-m", "e", cwd=case.agent)
    )
    case.refuse("url|gitmodules")


def test_broken_objects(case: Case) -> None:
    blob = case.object("blob", b"x\n")
    twice = case.tree(("100644", b"a", blob), ("100644", b"a", blob))
    case.send(git("commit-tree", twice, "-p", case.base, "-m", "twice", cwd=case.agent))
    case.refuse("duplicate")


def test_truncated_and_foreign_bundles(case: Case) -> None:
    case.send(commit(case.agent, "fine"))
    whole = case.bundle.read_bytes()
    case.bundle.write_bytes(whole[:-10])
    case.refuse("")
    case.bundle.write_bytes(b"")
    case.refuse("not a git bundle")
    case.bundle.write_bytes(whole.replace(b"refs/heads/result", b"refs/heads/../../x"))
    case.refuse("malformed")
    case.bundle.write_bytes(whole.replace(b"refs/heads/result", b"refs/heads/main"))
    case.refuse("one result")


def test_objects_that_are_missing(case: Case) -> None:
    sha = git("commit-tree", f"{case.base}^{{tree}}", "-p", case.base, "-m", "x", cwd=case.agent)
    case.send(commit(case.agent, "other"))
    header, _, rest = case.bundle.read_bytes().partition(b"\n\n")
    lines = [*header.split(b"\n")[:-1], sha.encode() + b" refs/heads/result"]
    case.bundle.write_bytes(b"\n".join(lines) + b"\n\n" + rest)
    case.refuse("")


def test_a_commit_that_does_not_descend_from_the_base(case: Case) -> None:
    foreign = git("commit-tree", f"{case.base}^{{tree}}", "-m", "foreign", cwd=case.agent)
    case.send(commit(case.agent, "mine"), agent=foreign)
    case.refuse("do not lead from the base")


def test_a_base_the_mirror_does_not_have(case: Case) -> None:
    case.send(commit(case.agent, "mine"))
    with pytest.raises(RepositoryError, match="not in the mirror"):
        case.results.receive(case.bundle, task="t1", attempt=1, base="1" * 40)
    with pytest.raises(RepositoryError, match="id of a task"):
        case.results.receive(case.bundle, task="../x", attempt=1, base=case.base)


@pytest.mark.parametrize("history", ["agent", "other"])
def test_a_git_killed_while_a_result_is_taken_is_an_error_never_another_result(
    case: Case, history: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if history == "other":
        git("checkout", "-q", "--orphan", "new", cwd=case.agent)
    (case.agent / "a.txt").write_text("changed\n")
    sha = commit(case.agent, "mine")
    case.send(sha, agent=sha if history == "agent" else "", exclude=history == "agent")
    right = case.results.receive(case.bundle, task="t0", attempt=1, base=case.base)

    fault, real = tmp_path / "fault", shutil.which("git")
    (programs := tmp_path / "programs").mkdir()
    (programs / "git").write_text(
        "#!/bin/bash\n"
        f"read -r left < {fault}; echo $((left - 1)) > {fault}\n"
        f'[ $left != 1 ] || kill -KILL $$\nexec {real} "$@"\n'
    )
    (programs / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    refused = 0
    for at in range(1, 50):
        fault.write_text(f"{at}\n")
        try:
            result = case.results.receive(case.bundle, task=f"t{at}", attempt=1, base=case.base)
        except RepositoryError:
            refused += 1
            continue
        assert (result.tree, result.commits) == (right.tree, right.commits), at
        if int(fault.read_text()) > 0:
            break
    assert refused > 5


def test_a_small_result_does_not_take_gigabytes_of_this_machine(case: Case, tmp_path: Path) -> None:
    (case.agent / "notes.txt").write_bytes(b"\n" * 120_000_000)
    sha = commit(case.agent, "many lines")
    case.send(sha)
    assert case.bundle.stat().st_size < 200_000
    result = case.results.receive(case.bundle, task="t1", attempt=1, base=case.base)
    with pytest.raises(RepositoryError, match="over limit"):
        diff.write_patch(case.results.git_dir, case.base, result.sha, tmp_path / "diff.patch")


def test_what_a_killed_one_left_is_removed_unless_somebody_is_at_work(case: Case) -> None:
    left = case.results.git_dir / "objects/incoming-left"
    (left / "pack").mkdir(parents=True)
    with locked(state_dir() / "locks" / f"results-{case.results.mirror.slug}.lock"):
        sweep()
        assert left.exists()
    sweep()
    assert not left.exists()
