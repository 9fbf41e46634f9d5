"""The host-owned mirror: what it fetches, what a name means in it, how it fails (SECURITY-CASES B05, B09, C11, G08)."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.errors import Cancelled, RepositoryError
from engine.repository import hostgit
from engine.repository.mirror import Mirror, Resolved
from engine.repository.source import Source
from tests.unit.repository.repositories import commit, git, make


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return make(tmp_path / "app")


def mirror_of(folder: Path) -> Mirror:
    mirror = Mirror(Source.from_url(str(folder), folder))
    mirror.update()
    return mirror


def as_remote(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    """A mirror of a remote url that the user's configuration leads to a local folder."""
    config = folder.parent / "config"
    config.write_text(f'[url "file://{folder}"]\n\tinsteadOf = https://example.invalid/app\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    return Mirror(Source.from_url("https://example.invalid/app", folder))


def test_has_branches_tags_and_head_and_nothing_else(app: Path) -> None:
    base = git("rev-parse", "HEAD", cwd=app)
    git("tag", "-a", "v1", "-m", "v1", cwd=app)
    (app / "a.txt").write_text("secret\n")
    git("stash", cwd=app)
    stashed = git("rev-parse", "stash", cwd=app)
    git("update-ref", "refs/pull/1/head", stashed, cwd=app)
    mirror = mirror_of(app)
    assert git("for-each-ref", "--format=%(refname)", cwd=mirror.git_dir).split() == [
        "refs/fumehood/head", "refs/heads/main", "refs/tags/v1",
    ]  # fmt: skip
    assert mirror.resolve(base).sha == base
    with pytest.raises(RepositoryError, match="no commit"):
        mirror.resolve(stashed)


def test_containers_with_a_user_of_their_own_can_read_it(app: Path) -> None:
    before = os.umask(0o077)
    try:
        mirror = mirror_of(app)
        commit(app, "new")
        mirror.update()
    finally:
        os.umask(before)
    for path in (mirror.git_dir, *mirror.git_dir.rglob("*")):
        assert path.stat().st_mode & 0o077 == (0o055 if path.is_dir() else 0o044), path
    assert mirror.folder.stat().st_mode & 0o077 == 0


def test_follows_the_source(app: Path) -> None:
    mirror = mirror_of(app)
    git("checkout", "-q", "-b", "feature", cwd=app)
    new = commit(app, "new")
    mirror.update()
    assert mirror.resolve(None) == Resolved("feature", new)
    git("checkout", "-q", "main", cwd=app)
    git("branch", "-q", "-D", "feature", cwd=app)
    git("branch", "-q", "feature/nested", cwd=app)
    mirror.update()
    assert mirror.names() == ["feature/nested", "main"]
    assert mirror.resolve(None).branch == "main"
    assert mirror.resolve(new).sha == new, "results may still point to it"


def test_detached_and_unborn_head(app: Path) -> None:
    git("checkout", "-q", "--detach", cwd=app)
    detached = commit(app, "on no branch")
    mirror = mirror_of(app)
    assert mirror.resolve(None) == Resolved("", detached)
    git("symbolic-ref", "HEAD", "refs/heads/none", cwd=app)
    mirror.update()
    with pytest.raises(RepositoryError, match="names a branch without a commit"):
        mirror.resolve(None)
    assert mirror.resolve(None, "main").branch == "main"


def test_remote_follows_a_renamed_default_branch(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = as_remote(app, monkeypatch)
    mirror.update()
    assert mirror.resolve(None).branch == "main"
    git("branch", "-q", "-m", "main", "Ünïcode", cwd=app)
    mirror.update()
    assert mirror.resolve(None) == Resolved("Ünïcode", git("rev-parse", "HEAD", cwd=app))
    new = commit(app, "new")
    mirror.update()
    assert mirror.resolve(None).sha == new
    git("symbolic-ref", "HEAD", "refs/heads/none", cwd=app)
    mirror.update()
    assert mirror.resolve("Ünïcode").sha == new


def test_shallow_sha256_and_bare_sources(app: Path, tmp_path: Path) -> None:
    commit(app, "second")
    git("clone", "-q", "--depth=1", f"file://{app}", str(tmp_path / "shallow"), cwd=tmp_path)
    git("clone", "-q", "--bare", str(app), str(tmp_path / "bare.git"), cwd=tmp_path)
    head = git("rev-parse", "HEAD", cwd=app)
    assert mirror_of(tmp_path / "shallow").resolve(None) == Resolved("main", head)
    assert mirror_of(tmp_path / "bare.git").resolve("main") == Resolved("main", head)
    wide = tmp_path / "wide"
    wide.mkdir()
    git("init", "-q", "--object-format=sha256", "-b", "main", cwd=wide)
    sha = commit(wide, "wide")
    assert len(sha) == 64
    assert mirror_of(wide).resolve(sha[:10]) == Resolved("", sha)


def test_an_update_without_news_is_one_process(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = mirror_of(app)
    calls: list[str] = []
    run = hostgit.run

    def counted(*arguments: str, **options: object) -> hostgit.Finished:
        calls.append(arguments[0])
        return run(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(hostgit, "run", counted)
    mirror.update()
    assert calls == ["for-each-ref"]


def test_resolve(app: Path) -> None:
    first = git("rev-parse", "HEAD", cwd=app)
    git("tag", "-a", "v1", "-m", "v1", cwd=app)
    git("tag", "main", cwd=app)
    second = commit(app, "second")
    mirror = mirror_of(app)
    assert mirror.resolve("main") == mirror.resolve("refs/heads/main") == Resolved("main", second)
    assert mirror.resolve("refs/tags/main") == mirror.resolve("v1") == Resolved("", first)
    assert (
        mirror.resolve(first) == mirror.resolve(first[:8]) == mirror.resolve(first[:8].upper()) == Resolved("", first)
    )
    assert mirror.resolve("HEAD") == mirror.resolve(None, "main") == Resolved("main", second)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("mian", "no branch or tag 'mian'\n.*did you mean 'main'"),
        ("0" * 40, "no commit, branch or tag 0000"),
        ("0" * 41, "no commit, branch or tag 0000"),
        ("f" * 64, "no commit, branch or tag ffff"),
        ("deadbeef", "no commit, branch or tag deadbeef"),
        ("HEAD~1", "not the name"),
        ("main^", "not the name"),
        ("main:a.txt", "not the name"),
        ("@{-1}", "not the name"),
        ("main..x", "not the name"),
        ("ma*", "not the name"),
        ("../main", "not the name"),
        ("main\nx", "not the name"),
        ("refs/fumehood/head", "no branch or tag"),
        ("--output=/tmp/x", "no branch or tag"),
        ("\u202emain", r"'\\u202emain'"),
    ],
)
def test_names_that_are_none(app: Path, reference: str, message: str) -> None:
    mirror = mirror_of(app)
    with pytest.raises(RepositoryError, match=message):
        mirror.resolve(reference)
    with pytest.raises(RepositoryError, match=r"default branch 'mian' does not exist|is not the name"):
        mirror.resolve(None, "mian")


def test_objects_that_are_no_commits_and_ambiguous_shas(app: Path) -> None:
    blob = git("rev-parse", "HEAD:a.txt", cwd=app)
    git("tag", "blob", blob, cwd=app)
    shas: list[str] = []
    tree = git("rev-parse", "HEAD^{tree}", cwd=app)
    while len({sha[:4] for sha in shas}) == len(shas):
        shas.append(git("commit-tree", tree, "-m", str(len(shas)), cwd=app))
    for number, sha in enumerate(shas):
        git("update-ref", f"refs/heads/n{number}", sha, cwd=app)
    mirror = mirror_of(app)
    for reference in (blob, blob[:12]):
        with pytest.raises(RepositoryError, match="is a blob, not a commit"):
            mirror.resolve(reference)
    with pytest.raises(RepositoryError, match="tag 'blob' does not lead to a commit"):
        mirror.resolve("blob")
    with pytest.raises(RepositoryError, match=f"short sha {shas[-1][:4]} is ambiguous"):
        mirror.resolve(shas[-1][:4])


@pytest.mark.parametrize(
    "name",
    [
        "--output=/tmp/x",
        "-f",
        "--",
        "$(touch\u2028x)",
        "'`id`'",
        "a;b",
        "HEAD",
        "refs/heads/main",
        "@",
        "\u202e",
        "l" * 240,
    ],
)
def test_hostile_names_of_branches_are_names(app: Path, name: str) -> None:
    old = git("rev-parse", "HEAD", cwd=app)
    git("update-ref", f"refs/heads/{name}", old, cwd=app)
    commit(app, "newer")
    mirror = mirror_of(app)
    assert mirror.resolve(name) == Resolved(name, old)
    assert name in mirror.names()


def test_the_users_settings_change_nothing(app: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "reference-transaction").write_text(f"#!/bin/sh\ntouch {tmp_path}/hit\n")
    (hooks / "reference-transaction").chmod(0o755)
    (tmp_path / "config").write_text(
        f"[core]\n\thooksPath = {hooks}\n\tfsmonitor = touch {tmp_path}/hit\n[diff]\n\texternal = false\n"
        f"[init]\n\ttemplateDir = {hooks}\n\tdefaultObjectFormat = sha256\n[safe]\n\tbareRepository = explicit\n"
        "[fetch]\n\tprune = false\n\tfsckObjects = true\n[commit]\n\tgpgSign = true\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    mirror = mirror_of(app)
    assert mirror.resolve(None).branch == "main"
    assert not (tmp_path / "hit").exists()


def test_a_failed_first_fetch_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = as_remote(tmp_path / "nothing-there", monkeypatch)
    with pytest.raises(RepositoryError, match=r"cannot read the repository https://example\.invalid/app"):
        mirror.update()
    assert not mirror.git_dir.exists()
    assert not list(mirror.folder.glob(".new-*")) if mirror.folder.exists() else True


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """An HTTP address on this machine whose every connection is given to `answer`."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    answer(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/app"


def silent(over: threading.Event) -> None:
    over.wait(30)


def test_a_server_that_never_answers(tmp_path: Path) -> None:
    over = threading.Event()
    with server(lambda _: silent(over)) as url:
        with pytest.raises(RepositoryError, match="did not finish within 1 seconds"):
            Mirror(Source.from_url(url, tmp_path)).update(timeout=1)
        over.set()


def test_a_server_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\nContent-Length: 100000\r\n\r\n"
    with server(lambda connection: connection.sendall(head + b"001e# service=git-upload-pack\n0000")) as url:
        mirror = Mirror(Source.from_url(url, tmp_path))
        with pytest.raises(RepositoryError, match="cannot read the repository"):
            mirror.update(timeout=20)
    assert not mirror.git_dir.exists()


def test_a_server_that_asks_for_a_password(tmp_path: Path) -> None:
    reply = b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with server(lambda connection: connection.sendall(reply)) as url:
        with pytest.raises(RepositoryError, match="cannot read the repository") as caught:
            Mirror(Source.from_url(url, tmp_path)).update(timeout=20)
        assert "credential helper" in caught.value.hint


def test_waiting_can_be_given_up(tmp_path: Path) -> None:
    over = threading.Event()

    def cancelled() -> None:
        raise Cancelled("cancelled")

    started = time.monotonic()
    with server(lambda _: silent(over)) as url:
        with pytest.raises(Cancelled):
            Mirror(Source.from_url(url, tmp_path)).update(while_waiting=cancelled)
        over.set()
    assert time.monotonic() - started < 20


def test_reason_hides_credentials_and_control_characters() -> None:
    err = b"remote: hello\nfatal: unable to access 'https://user:pw@host/x': \x1b[31mno\x9b\n"
    assert hostgit.reason(err) == "unable to access 'https://host/x': [31mno\ufffd"
