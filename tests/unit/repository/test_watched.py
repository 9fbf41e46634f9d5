"""Which files are watched, and that a commit and a checkout of it name their contents alike (SPEC C5, C6)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.repository.watched import at_commit, differences, digest, folders_of, in_checkout

FILES = {
    "package-lock.json": "{}",
    "requirements.txt": "a\n",
    "requirements-dev.txt": "b\n",
    "requirements/base.txt": "c\n",
    "apps/web/package-lock.json": "{1}",
    "apps/api/package-lock.json": "{2}",
    "apps/web/deep/er/package-lock.json": "{3}",
    "node_modules/x/package-lock.json": "{4}",
    "src/[odd] name.txt": "d",
    ".tool-versions": "python 3.12\n",
}
CASES = {
    ("package-lock.json",): {"package-lock.json"},
    ("requirements*.txt",): {"requirements.txt", "requirements-dev.txt"},
    ("requirements/*.txt", "*.json"): {"requirements/base.txt", "package-lock.json"},
    ("apps/*/package-lock.json",): {"apps/web/package-lock.json", "apps/api/package-lock.json"},
    ("**/package-lock.json",): {p for p in FILES if p.endswith("package-lock.json") and "node_modules" not in p},
    ("apps/**",): {p for p in FILES if p.startswith("apps/")},
    ("src/[[]odd] name.txt",): {"src/[odd] name.txt"},
    (".tool-versions",): {".tool-versions"},
    ("requirements",): set(),
    ("missing/file", "*.nothing"): set(),
}


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module", params=["", "sub/dir"])
def checkout(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A repository with `FILES` in a subdirectory of it: its folder, its commit, the subdirectory."""
    top = tmp_path_factory.mktemp("repository")
    folder = top / request.param
    for path, content in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    (folder / "link.txt").symlink_to("requirements.txt")
    git(top, "init", "-q", "-b", "main")
    git(top, "add", "-A", "-f")
    git(top, "-c", "user.name=T", "-c", "user.email=t@example.invalid", "commit", "-qm", "start")
    return top, git(top, "rev-parse", "HEAD").strip(), request.param


@pytest.mark.parametrize(("patterns", "found"), CASES.items())
def test_a_commit_and_its_checkout_hold_the_same_files(
    checkout: tuple[Path, str, str], patterns: tuple[str, ...], found: set[str]
) -> None:
    top, sha, subdirectory = checkout
    listed = in_checkout(top / subdirectory, patterns, like=sha)
    assert set(listed) == found
    committed = at_commit(top / ".git", sha, subdirectory, patterns)
    assert {path: committed[path] for path in found} == listed


def test_a_link_counts_by_where_it_points(checkout: tuple[Path, str, str], tmp_path: Path) -> None:
    top, sha, subdirectory = checkout
    committed = at_commit(top / ".git", sha, subdirectory, ["link.txt"])
    assert committed == in_checkout(top / subdirectory, ["link.txt"])
    (tmp_path / "link.txt").symlink_to("requirements-dev.txt")
    assert in_checkout(tmp_path, ["link.txt"]) != committed


def test_only_folders_that_can_hold_a_match_are_looked_at(checkout: tuple[Path, str, str]) -> None:
    folder = checkout[0] / checkout[2]
    assert folders_of(folder, ["package-lock.json"]) == [folder]
    assert folders_of(folder, ["apps/*/package-lock.json"]) == [
        folder,
        folder / "apps",
        folder / "apps/api",
        folder / "apps/web",
    ]
    assert folder / "node_modules" not in folders_of(folder, ["**/*.json"])


def test_what_is_no_file_or_cannot_be_read_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "folder.txt").mkdir()
    subprocess.run(["mkfifo", str(tmp_path / "pipe.txt")], check=True)
    assert in_checkout(tmp_path, ["*.txt"]) == {}
    assert in_checkout(tmp_path / "gone", ["*"]) == {}


def test_differences_are_named() -> None:
    old, new = {"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "9", "d": "4"}
    assert differences(old, new) == ["b changed", "c removed", "d added"]
    assert differences(old, old) == []


names = st.dictionaries(st.text(min_size=1, max_size=5), st.text("0123456789abcdef", min_size=4, max_size=4))


@given(names, names)
def test_digests_are_equal_only_for_equal_contents(one: dict[str, str], other: dict[str, str]) -> None:
    assert (digest(one) == digest(other)) == (one == other) == (not differences(one, other))
