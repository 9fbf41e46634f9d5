"""Applying a result to the user's checkout: all, some with conflicts, or nothing (SPEC T10, SECURITY-CASES G05)."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import RepositoryError
from engine.repository import diff
from engine.repository.apply import apply
from tests.unit.repository.repositories import commit, git, make


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return make(tmp_path / "app", files={"a.txt": "1\n2\n3\n4\n5\n", "b.txt": "b\n", "sub/c.txt": "c\n"})


@pytest.fixture
def patch(app: Path, tmp_path: Path) -> Path:
    """A patch that changes a.txt and sub/c.txt and adds `added\nfile`, made on another clone."""
    clone = tmp_path / "clone"
    git("clone", "-q", str(app), str(clone), cwd=tmp_path)
    (clone / "a.txt").write_text("1\n2\nagent\n4\n5\n")
    (clone / "sub/c.txt").write_text("agent\n")
    (clone / "added\nfile").write_bytes(b"\0\1")
    sha = commit(clone, "agent")
    return diff.write_patch(clone / ".git", f"{sha}^", sha, tmp_path / "result.patch")


def status(folder: Path) -> str:
    return git("status", "--porcelain", "-z", "--untracked-files=all", cwd=folder)


def test_success_from_a_subfolder(app: Path, patch: Path) -> None:
    outcome = apply(patch, app / "sub", preflight=True)
    assert (outcome.applied, outcome.status) == (False, "success")
    assert status(app) == ""
    outcome = apply(patch, app / "sub")
    assert (outcome.applied, outcome.status) == (True, "success")
    assert status(app) == "M a.txt\0 M sub/c.txt\0?? added\nfile\0"
    assert (app / "added\nfile").read_bytes() == b"\0\1"


def test_what_does_not_fit_is_merged(app: Path, patch: Path) -> None:
    (app / "a.txt").write_text("0\n1\n2\nuser\n4\n5\n")
    commit(app, "mine")
    outcome = apply(patch, app, preflight=True)
    assert (outcome.applied, outcome.status, outcome.conflict_paths) == (False, "error", ("a.txt",))
    assert outcome.skipped_paths == ("added\nfile", "sub/c.txt")
    assert status(app) == ""
    outcome = apply(patch, app)
    assert (outcome.applied, outcome.status, outcome.conflict_paths) == (False, "partial", ("a.txt",))
    assert "<<<<<<<" in (app / "a.txt").read_text()
    assert (app / "sub/c.txt").read_text() == "agent\n"


def test_moved_lines_merge_cleanly(app: Path, patch: Path) -> None:
    (app / "a.txt").write_text("new\n1\n2\n3\n4\n5\n" + "x\n" * 5)
    commit(app, "mine")
    assert apply(patch, app).applied
    assert (app / "a.txt").read_text().startswith("new\n1\n2\nagent\n")


def test_nothing_is_written_when_it_does_not_fit(app: Path, patch: Path) -> None:
    (app / "a.txt").write_text("not committed\n")
    (app / "added\nfile").write_text("mine\n")
    before = status(app)
    for three_way in (True, False):
        outcome = apply(patch, app, three_way=three_way, force=True)
        assert (outcome.applied, outcome.status) == (False, "error")
        assert set(outcome.conflict_paths) == {"a.txt", "added\nfile"}
        assert outcome.skipped_paths == ("sub/c.txt",)
    assert status(app) == before
    assert (app / "a.txt").read_text() == "not committed\n"


def test_uncommitted_work_in_its_files_is_not_touched_unasked(app: Path, patch: Path) -> None:
    (app / "a.txt").write_text("1\n2\n3\n4\n5\n" + "x\n" * 9 + "mine\n")  # the patch would still fit
    (app / "b.txt").write_text("mine, and not of the patch\n")
    before = status(app), (app / "a.txt").read_text()
    for preflight in (True, False):
        outcome = apply(patch, app, preflight=preflight)
        assert (outcome.applied, outcome.status, outcome.dirty_paths) == (False, "error", ("a.txt",))
        assert "--force" in outcome.message
        assert outcome.skipped_paths == ("added\nfile", "sub/c.txt")
    assert (status(app), (app / "a.txt").read_text()) == before
    git("add", "a.txt", cwd=app)
    assert apply(patch, app).dirty_paths == ("a.txt",)
    assert apply(patch, app, force=True).applied
    assert (app / "a.txt").read_text() == "1\n2\nagent\n4\n5\n" + "x\n" * 9 + "mine\n"


EVIL = {
    "../outside": "diff --git a/../outside b/../outside\nnew file mode 100644\n--- /dev/null\n+++ b/../outside\n@@ -0,0 +1 @@\n+x\n",
    "absolute": "--- /dev/null\n+++ //tmp/fumehood-evil\n@@ -0,0 +1 @@\n+x\n",
    ".git": "diff --git a/.git/hooks/x b/.git/hooks/x\nnew file mode 100755\n--- /dev/null\n+++ b/.git/hooks/x\n@@ -0,0 +1 @@\n+x\n",
    "link": (
        "diff --git a/cfg b/cfg\nnew file mode 120000\n--- /dev/null\n+++ b/cfg\n@@ -0,0 +1 @@\n+{outside}\n"
        "\\ No newline at end of file\n"
        "diff --git a/cfg/passwd b/cfg/passwd\nnew file mode 100644\n--- /dev/null\n+++ b/cfg/passwd\n@@ -0,0 +1 @@\n+x\n"
    ),
    "old link": "diff --git a/own/x b/own/x\nnew file mode 100644\n--- /dev/null\n+++ b/own/x\n@@ -0,0 +1 @@\n+x\n",
}


@pytest.mark.parametrize("kind", list(EVIL))
def test_nothing_is_written_outside(app: Path, tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (app / "own").symlink_to(outside)
    before = status(app), sorted(tmp_path.rglob("*"))
    evil = tmp_path / "outside.patch"
    evil.write_text(EVIL[kind].replace("{outside}", str(outside)))
    for preflight in (True, False):
        assert apply(evil, app, preflight=preflight).status == "error"
    assert (status(app), sorted(tmp_path.rglob("*"))) == (before[0], sorted([*before[1], evil]))
    assert not Path("/tmp/fumehood-evil").exists()


def test_empty_and_damaged_patches_and_no_checkout(app: Path, tmp_path: Path) -> None:
    patch = tmp_path / "p"
    patch.write_bytes(b"")
    assert apply(patch, app).status == "success"
    patch.write_bytes(b"not a patch")
    assert apply(patch, app).status == "error"
    with pytest.raises(RepositoryError, match="not in a git checkout"):
        apply(patch, tmp_path)


def test_the_users_settings_change_nothing(
    app: Path, patch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(
        "[apply]\n\twhitespace = error\n\tignoreWhitespace = change\n[core]\n\thooksPath = x\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    assert apply(patch, app).applied
