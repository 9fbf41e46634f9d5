"""A patch says exactly what changed, and so do the figures (SPEC T9, SECURITY-CASES B09)."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import RepositoryError
from engine.repository import diff
from tests.unit.repository.repositories import commit, git, make

_PARTS = st.sampled_from(
    [b"a", b"b", b"with space", b"new\nline", b"tab\t", b'quote"', b"latin-\xe9", b"-x", b"back\\slash"]
)
_NAMES = st.lists(_PARTS, min_size=1, max_size=3).map(b"/".join)
_LINES = st.lists(st.sampled_from([b"one\n", b"two\n", b"three\n", b"\r\n", b"no end"]), max_size=30).map(b"".join)
_FILES = st.one_of(
    st.tuples(st.sampled_from(["100644", "100755"]), st.one_of(_LINES, st.binary(max_size=200))),
    st.tuples(st.just("120000"), st.sampled_from([b"nowhere", b"../x", b"/etc/passwd"])),
)
_TREES = st.dictionaries(_NAMES, _FILES, max_size=8)


def write_tree(folder: Path, tree: dict[bytes, tuple[str, bytes]]) -> str:
    """A commit with these files; a name that is also a folder of another one is left out."""
    git("read-tree", "--empty", cwd=folder)
    lines = b""
    for name, (mode, content) in tree.items():
        if not any(other.startswith(name + b"/") for other in tree):
            sha = git("hash-object", "-w", "--stdin", cwd=folder, stdin=content)
            lines += f"{mode} {sha}\t".encode() + name + b"\0"
    git("update-index", "-z", "--index-info", cwd=folder, stdin=lines)
    return git("commit-tree", git("write-tree", cwd=folder), "-m", "x", cwd=folder)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=_TREES, new=_TREES)
def test_applying_the_patch_gives_the_tree(
    old: dict[bytes, tuple[str, bytes]], new: dict[bytes, tuple[str, bytes]]
) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        make(folder / "r")
        base, sha = write_tree(folder / "r", old), write_tree(folder / "r", new)
        patch = diff.write_patch(folder / "r/.git", base, sha, folder / "patch")
        assert patch.read_bytes() == diff.diff_bytes(folder / "r/.git", base, sha)
        clone = folder / "clone"
        git("clone", "-q", "--no-checkout", str(folder / "r"), str(clone), cwd=folder)
        git("fetch", "-q", "origin", base, cwd=clone)
        git("checkout", "-q", "-f", base, cwd=clone)
        if patch.stat().st_size:
            git("apply", "--whitespace=nowarn", str(patch), cwd=clone)
        git("add", "-A", "-f", cwd=clone)
        assert git("write-tree", cwd=clone) == git("rev-parse", f"{sha}^{{tree}}", cwd=folder / "r")
        stat = diff.stat(folder / "r/.git", base, sha)
        assert (stat.files_changed == 0) == (patch.stat().st_size == 0)
        printed = git("diff", "-M", "--name-only", "-z", base, sha, cwd=folder / "r").split("\0")
        assert [file.path for file in stat.files] == [name for name in printed if name]
    finally:
        shutil.rmtree(folder)


def test_figures(tmp_path: Path) -> None:
    lines = "".join(f"{n}\n" for n in range(30))
    app = make(
        tmp_path / "app", files={"keep": lines, "old name": lines + "x", "gone": "1\n2\n", "run": "x\n", "t": "t\n"}
    )
    base = git("rev-parse", "HEAD", cwd=app)
    (app / "old name").rename(app / "new\nname")
    (app / "keep").write_text(lines + "more\n")
    (app / "gone").unlink()
    (app / "run").chmod(0o755)
    (app / "t").unlink()
    (app / "t").symlink_to("keep")
    (app / "bin").write_bytes(b"\0\1\2")
    (app / os.fsdecode(b"\xff")).write_text("a\nb\n")
    stat = diff.stat(app / ".git", base, commit(app, "changed"))
    found = {file.path: (file.status, file.added, file.removed, file.binary) for file in stat.files}
    assert found == {
        "keep": ("M", 1, 0, False),
        "new\nname": ("R", 0, 0, False),
        "gone": ("D", 0, 2, False),
        "run": ("M", 0, 0, False),
        "t": ("T", 1, 1, False),
        "bin": ("A", 0, 0, True),
        "\udcff": ("A", 2, 0, False),
    }
    assert (stat.files_changed, stat.lines_added, stat.lines_removed) == (7, 4, 3)
    by_name = {file.path: file for file in stat.files}
    assert by_name["new\nname"].old_path == "old name"
    assert (by_name["run"].old_mode, by_name["run"].new_mode) == ("100644", "100755")
    only = diff.stat(app / ".git", base, "HEAD", ["\udcff", "new\nname"])
    assert [file.path for file in only.files] == ["new\nname", "\udcff"]


def test_the_users_settings_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make(tmp_path / "app")
    base = git("rev-parse", "HEAD", cwd=app)
    (app / "a.txt").write_text("b\n")
    sha = commit(app, "changed")
    expected = diff.diff_bytes(app / ".git", base, sha)
    (tmp_path / "config").write_text(
        "[diff]\n\texternal = false\n\tnoprefix = true\n\tcontext = 0\n[color]\n\tui = always\n[core]\n\tpager = false\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    monkeypatch.setenv("GIT_DIFF_OPTS", "-u0")
    assert diff.diff_bytes(app / ".git", base, sha) == expected
    assert expected.startswith(b"diff --git a/a.txt b/a.txt\n")


def test_an_unknown_commit(tmp_path: Path) -> None:
    app = make(tmp_path / "app")
    with pytest.raises(RepositoryError, match="cannot compare 111111111111"):
        diff.diff_bytes(app / ".git", "1" * 40, "HEAD")
    with pytest.raises(RepositoryError, match="cannot compare"):
        diff.write_patch(app / ".git", "1" * 40, "HEAD", tmp_path / "patch")
    assert [file.name for file in tmp_path.iterdir() if "patch" in file.name] == []
