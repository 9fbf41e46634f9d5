"""Which urls are a source, and what they are called (SPEC E1, SECURITY-CASES B06)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import RepositoryError
from engine.repository.mirror import Mirror
from engine.repository.source import Source
from tests.unit.repository.repositories import git, make


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.com/team/web.git", "web"),
        ("https://user@example.com/team/web/", "web"),
        ("ssh://git@example.com:2222/team/we%20b.git", "we-b"),
        ("git@example.com:team/web.git", "web"),
        ("example.com:web", "web"),
        ("https://example.com/.git", "repository"),
        ("https://example.com/..", "repository"),
        ("https://example.com/-x", "x"),
        ("https://example.com/Ünïcode", "n-code"),
        ("http://localhost:3000/team/web", "web"),
    ],
)
def test_remote(url: str, name: str, tmp_path: Path) -> None:
    assert Source.from_url(url, tmp_path) == Source(url, "remote", name)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "empty"),
        ("ext::sh -c touch% /tmp/x", "transport program"),
        ("--upload-pack=x", "option"),
        ("-oProxyCommand=x", "option"),
        ("ssh://-oProxyCommand=x/y", "option"),
        ("ssh://-l@host/y", "option"),
        ("-oProxyCommand=x:y", "option"),
        ("user@-oProxyCommand=x:y", "option"),
        ("host:-y", "option"),
        ("file:///etc", "not a git repository"),
        ("file://elsewhere/etc", "names a host"),
        ("http://u:p@example.com/x", "not allowed"),
        ("http://example.com/x", "not allowed"),
        ("https://u:p@example.com/x", "holds credentials"),
        ("https://ghp_abc@example.com/x", "holds credentials"),
        ("git://example.com/x", "not allowed"),
        ("ftp://example.com/x", "not allowed"),
        ("https://example.com", "no path"),
        ("https://[::1/x", "not a valid URL"),
        ("https://example.com:port/x", "not a valid URL"),
        ("https://example.com/x\nhttps://b/", "cannot be shown"),
        ("nowhere", "not a folder"),
        ("x" * 3000, "too long"),
        ("y" * 300, "File name too long|not a folder"),
    ],
)
def test_refused(url: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match=message) as caught:
        Source.from_url(url, tmp_path)
    assert "p@" not in str(caught.value)


@given(st.text())
def test_any_text_gives_a_source_or_an_error(text: str) -> None:
    try:
        source = Source.from_url(text, Path("/nonexistent"))
    except RepositoryError:
        return
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", source.name)
    assert not source.url.startswith("-")


def test_local(tmp_path: Path) -> None:
    top = make(tmp_path / "app", files={"sub/deep/x": "x"})
    assert Source.from_url(".", top) == Source(str(top), "local", "app")
    assert Source.from_url("deep", top / "sub") == Source(str(top), "local", "app", "sub/deep")
    assert Source.from_url(f"file://{top}", tmp_path) == Source(str(top), "local", "app")
    (tmp_path / "link").symlink_to(top)
    assert Source.from_url("link/sub", tmp_path) == Source(str(top), "local", "app", "sub")


def test_local_bare_and_linked_worktree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = make(tmp_path / "app")
    git("clone", "-q", "--bare", str(top), str(tmp_path / "bare.git"), cwd=tmp_path)
    git("worktree", "add", "-q", str(tmp_path / "second"), cwd=top)
    monkeypatch.setenv("GIT_DIR", str(top / ".git"))  # as in a git hook: it must not decide
    (tmp_path / "config").write_text("[safe]\n\tbareRepository = explicit\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    assert Source.from_url("bare.git", tmp_path) == Source(str(tmp_path / "bare.git"), "local", "bare")
    assert Source.from_url("second", tmp_path) == Source(str(tmp_path / "second"), "local", "second")


def test_not_a_repository_and_no_commit(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="not a git repository") as caught:
        Source.from_url(".", tmp_path)
    assert "git init" in caught.value.hint
    git("init", "-q", cwd=tmp_path)
    with pytest.raises(RepositoryError, match="no commit yet") as caught:
        Source.from_url(".", tmp_path)
    assert "git commit" in caught.value.hint


def embedded(folder: Path, ran: Path) -> Path:
    """A bare repository as files of another one, whose configuration names a program to fetch what is missing with."""
    bare = folder / "vendor" / "data.git"
    for name in ("objects/info", "refs/heads"):
        (bare / name).mkdir(parents=True)
    (bare / "HEAD").write_text("ref: refs/heads/none\n")
    (bare / "refs/heads/main").write_text("1" * 40 + "\n")
    (bare / "config").write_text(
        "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tpartialClone = origin\n"
        f'[remote "origin"]\n\turl = .\n\tpromisor = true\n\tuploadpack = "touch {ran}; false"\n'
    )
    return bare


@pytest.mark.parametrize("name", ["vendor/data.git", "vendor/data.git/refs"])
def test_a_bare_repository_among_the_files_of_another_is_refused(tmp_path: Path, name: str) -> None:
    embedded(make(tmp_path / "app", files={"a": "a"}), tmp_path / "ran")
    with pytest.raises(RepositoryError, match="among the files of another"):
        Source.from_url(name, tmp_path / "app")
    assert not (tmp_path / "ran").exists()


def test_nothing_that_a_repository_names_is_run_to_fetch_what_is_missing(tmp_path: Path) -> None:
    bare = embedded(tmp_path, tmp_path / "ran")
    with pytest.raises(RepositoryError):
        Mirror(Source.from_url(str(bare), tmp_path)).update()
    assert not (tmp_path / "ran").exists()


def test_repositories_of_every_other_kind_are_sources(tmp_path: Path) -> None:
    app = make(tmp_path / "app", files={"sub/a": "a"})
    git("clone", "-q", "--bare", str(app), str(tmp_path / "bare.git"), cwd=tmp_path)
    git("worktree", "add", "-q", str(tmp_path / "beside"), "-b", "other", cwd=app)
    for name in ("app", "app/sub", "bare.git", "beside"):
        assert Source.from_url(name, tmp_path).kind == "local"
