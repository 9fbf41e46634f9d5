"""The files automatic setup sees: in a folder, and in a commit of a bare repository."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from engine.repository.tree import CommitTree
from engine.setup.tree import MAX_BYTES, FolderTree, Tree


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, list[Tree]]:
    """A folder with files of all kinds, and the same as a commit."""
    folder = tmp_path / "p"
    for path, data in {
        "package.json": b"{}",
        "a b/c\td.txt": b"tab",
        "a b/é.txt": b"\xff\n\nbinary\n",
        "empty": b"",
        "large.lock": b"x" * (MAX_BYTES + 7),
        "node_modules/m/package.json": b"{}",
        "1/2/3/4/5/6/deep": b"deep",
        "1/2/3/4/5/6/7/deeper": b"deeper",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    secret = tmp_path / "secret"
    secret.write_text("outside")
    (folder / "link").symlink_to(secret)
    (folder / "out").symlink_to(tmp_path)
    git = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    for command in (["init", "-q"], ["add", "-f", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *command], check=True)
    sha = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    os.mkfifo(folder / "pipe")
    return folder, [FolderTree(folder), CommitTree(folder / ".git", sha)]


def test_both_see_the_same(trees: tuple[Path, list[Tree]]) -> None:
    for tree in trees[1]:
        assert sorted(tree.paths()) == ["1/2/3/4/5/6/deep", "a b/é.txt", "empty", "large.lock", "package.json"]
        found = tree.read(
            ["package.json", "a b/é.txt", "empty", "large.lock", "link", "out/secret", "pipe", "no", "../secret"]
        )
        assert {path: len(data) for path, data in found.items()} == {
            "package.json": 2,
            "a b/é.txt": 10,
            "empty": 0,
            "large.lock": MAX_BYTES,
        }
        assert found["a b/é.txt"] == b"\xff\n\nbinary\n"
        assert tree.read([]) == {}


def test_what_was_replaced_meanwhile_is_not_followed(trees: tuple[Path, list[Tree]]) -> None:
    folder, (tree, _) = trees
    assert "package.json" in tree.paths()
    (folder / "package.json").unlink()
    (folder / "package.json").symlink_to(folder.parent / "secret")
    (folder / "empty").unlink()
    os.mkfifo(folder / "empty")
    assert tree.read(["package.json", "empty"]) == {}
