"""Finding environment files (SPEC E1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.environment.find import find, known, name_in, named_by_path
from engine.environment.model import environments_dir
from engine.errors import UsageError


def make(path: Path, name: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'name = "{name}"\n')
    return path


def test_the_nearest_file_upwards(tmp_path: Path) -> None:
    main = make(tmp_path / "repo/fumehood.toml")
    make(tmp_path / "repo/.fumehood/other.toml")
    deep = tmp_path / "repo/a/b"
    deep.mkdir(parents=True)
    assert find(None, deep) == main
    only = make(tmp_path / "repo/a/.fumehood/only.toml")
    assert find(None, deep) == only


def test_nothing_found(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no fumehood\.toml") as caught:
        find(None, tmp_path)
    assert "fumehood init" in caught.value.hint


def test_the_variable_comes_before_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "fumehood.toml")
    other = make(tmp_path / "other/fumehood.toml")
    monkeypatch.setenv("FUMEHOOD_ENV", "other")
    assert find(None, tmp_path) == other
    assert find(".", tmp_path) == tmp_path / "fumehood.toml"


def test_paths(tmp_path: Path) -> None:
    file = make(tmp_path / "envs/a.toml")
    assert find("envs/a.toml", tmp_path) == file
    assert find(str(file), Path("/")) == file
    with pytest.raises(UsageError):
        find("envs/missing.toml", tmp_path)
    with pytest.raises(UsageError):
        find("envs/", tmp_path)


def test_a_folder_with_several_is_ambiguous(tmp_path: Path) -> None:
    a, b = make(tmp_path / ".fumehood/a.toml"), make(tmp_path / ".fumehood/b.toml")
    with pytest.raises(UsageError, match="several") as caught:
        find(str(tmp_path), tmp_path)
    assert str(a) in caught.value.hint
    assert str(b) in caught.value.hint


def test_names(tmp_path: Path) -> None:
    near = make(tmp_path / ".fumehood/web.toml", "Site")
    own = make(environments_dir() / "web.toml", "Elsewhere")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "web").write_text("a program, not an environment")
    assert find("web", tmp_path / "a") == near
    assert find("SITE", tmp_path / "a") == near
    assert find("elsewhere", tmp_path) == own
    with pytest.raises(UsageError, match="no environment is called") as caught:
        find("nope", tmp_path)
    assert str(near) in caught.value.hint


def test_an_ambiguous_name_lists_the_files(tmp_path: Path) -> None:
    one, two = make(tmp_path / "fumehood.toml", "Web"), make(environments_dir() / "b.toml", "wEB")
    with pytest.raises(UsageError, match="several environments") as caught:
        find("web", tmp_path)
    assert str(one) in caught.value.hint
    assert str(two) in caught.value.hint


def test_known_and_names_survive_bad_files(tmp_path: Path) -> None:
    main, bad = make(tmp_path / "fumehood.toml"), tmp_path / ".fumehood/bad.toml"
    bad.parent.mkdir()
    bad.write_bytes(b"\xff[[[")
    (tmp_path / ".fumehood/folder.toml").mkdir()
    own = make(environments_dir() / "b.toml")
    sub = tmp_path / "sub"
    sub.mkdir()
    assert known(sub) == [main, bad, own]
    assert [name_in(path) for path in (main, bad, tmp_path / "missing")] == ["x", "", ""]


@pytest.mark.parametrize("reference", ["a\0b", "x" * 5000, "../" * 50 + "x", "~nobody/x"])
def test_odd_references_are_usage_errors(reference: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        find(reference, tmp_path)


def test_what_counts_as_naming_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "fumehood.toml", "web")
    make(tmp_path / ".fumehood/other.toml")
    make(tmp_path / "sub/fumehood.toml")
    for reference in (".", "sub", "./sub", "fumehood.toml", str(tmp_path), ".fumehood/other.toml"):
        assert named_by_path(reference, tmp_path), reference
    for reference in (None, "", "web", "other", "./nothing", "\0"):
        assert not named_by_path(reference, tmp_path), reference
    monkeypatch.setenv("FUMEHOOD_ENV", str(tmp_path))
    assert named_by_path(None, tmp_path)
    monkeypatch.setenv("FUMEHOOD_ENV", "web")
    assert not named_by_path(None, tmp_path)
