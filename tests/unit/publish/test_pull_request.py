"""Pull requests, against servers that take what the forges' documentation has, and nothing else (SPEC T10, S10)."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import EngineError, ForgeError, UsageError
from engine.publish.wish import Publication
from tests.unit.publish.forge_server import PASSWORD, TOKEN, USER, ForgeServer, running
from tests.unit.publish.made import Made, edit
from tests.unit.repository.repositories import git

BRANCH = "fumehood/abc234"
VARIABLE = {"github": "GITHUB_TOKEN", "gitlab": "GITLAB_TOKEN", "gitea": "GITEA_TOKEN"}
HOST = {"github": "GH_HOST", "gitlab": "GITLAB_HOST", "gitea": "GITEA_HOST"}
NAME = {"github": "pull request #12", "gitlab": "merge request !12", "gitea": "pull request #12"}


@pytest.fixture(autouse=True)
def no_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.endswith("_TOKEN") or name in ("GH_HOST", "GITLAB_HOST", "GITEA_HOST", "FUMEHOOD_FORGE"):
            monkeypatch.delenv(name)


@pytest.fixture(params=["github", "gitlab", "gitea"])
def forge(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ForgeServer]:
    with running(request.param, tmp_path / "served") as server:
        yield server


@pytest.fixture
def made(forge: ForgeServer, tmp_path: Path, isolated_home: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """A checkout with its origin on the forge; the user's credential helper knows the password."""
    found = Made(tmp_path)
    (tmp_path / "served" / "me").mkdir(parents=True)
    shutil.move(found.origin, tmp_path / "served" / "me" / "app.git")
    found.origin = tmp_path / "served" / "me" / "app.git"
    git("remote", "set-url", "origin", forge.url, cwd=found.checkout)
    helper = isolated_home / "helper"
    helper.write_text(f"#!/bin/sh\n[ $1 = get ] && printf 'username={USER}\\npassword={PASSWORD}\\n'\n")
    helper.chmod(0o700)
    (isolated_home / ".gitconfig").write_text(f"[credential]\n\thelper = {helper}\n")
    monkeypatch.setenv(VARIABLE[forge.kind], TOKEN)
    monkeypatch.setenv(HOST[forge.kind], "127.0.0.1")
    return found


def body(one: dict[str, object]) -> object:
    return one["description"] if "description" in one else one["body"]


def base(one: dict[str, object]) -> object:
    return one["target_branch"] if "target_branch" in one else one["base"]["ref"]  # type: ignore[index]


def test_a_request_is_opened(forge: ForgeServer, made: Made) -> None:
    made.task(edit)
    outcome = made.bench.publishing.pull_request("abc234", Publication())
    assert forge.faults == []
    [one] = forge.open
    assert outcome.message == f"opened {NAME[forge.kind]}: {one.get('html_url') or one.get('web_url')}"
    assert (one["title"], body(one), base(one)) == (
        "The sum was off by one",
        "It starts at zero now, and all tests pass.",
        "main",
    )
    assert BRANCH in made.branches()
    [event] = made.bench.tasks.get("abc234").published
    assert (event.url, event.number, event.forge) == (outcome.event.url, 12, forge.kind)


def test_twice_is_one_request(forge: ForgeServer, made: Made) -> None:
    made.task(edit)
    made.bench.publishing.pull_request("abc234", Publication())
    events = made.bench.tasks.get("abc234").last_seq
    again = made.bench.publishing.pull_request("abc234", Publication())
    assert again.message.startswith(f"nothing new for {NAME[forge.kind]}")
    assert len(forge.open) == 1
    assert not [line for line in forge.asked if line.startswith(("PATCH", "PUT"))]
    assert made.bench.tasks.get("abc234").last_seq == events


def test_what_is_given_is_changed_and_what_people_wrote_stays(forge: ForgeServer, made: Made) -> None:
    made.task(edit)
    git("push", "-q", str(made.origin), "main:next", cwd=made.checkout)
    made.bench.publishing.pull_request("abc234", Publication())
    again = made.bench.publishing.pull_request("abc234", Publication(title="Other", base="next"))
    assert again.message.startswith(f"updated title, base of {NAME[forge.kind]}")
    [one] = forge.open
    assert (one["title"], base(one)) == ("Other", "next")
    one["description" if forge.kind == "gitlab" else "body"] = "a reviewer's words"
    made.journal(made.bench.tasks.get("abc234").attempts[0].result_sha, "abc234", "Another.\n\nNew answer.", 1)
    made.bench.publishing.pull_request("abc234", Publication())
    assert body(forge.open[0]) == "a reviewer's words"
    made.bench.publishing.pull_request("abc234", Publication(body="mine"))
    assert body(forge.open[0]) == "mine"
    assert forge.faults == []


def test_a_new_answer_replaces_the_old_one(forge: ForgeServer, made: Made) -> None:
    made.task(edit)
    made.bench.publishing.pull_request("abc234", Publication())
    forge.open[0]["description" if forge.kind == "gitlab" else "body"] += "\r\n"  # as forges do
    made.journal(made.bench.tasks.get("abc234").attempts[0].result_sha, "abc234", "Another.\n\nNew answer.", 1)
    made.bench.publishing.pull_request("abc234", Publication())
    assert body(forge.open[0]) == "New answer."
    assert forge.open[0]["title"] == "The sum was off by one"


def test_a_draft(forge: ForgeServer, made: Made) -> None:
    made.task(edit)
    made.bench.publishing.pull_request("abc234", Publication(draft=True))
    shown = {"github": "", "gitlab": "Draft: ", "gitea": "WIP: "}[forge.kind]
    assert forge.open[0]["title"] == f"{shown}The sum was off by one"
    assert forge.open[0]["draft"] is (forge.kind == "github")
    made.bench.publishing.pull_request("abc234", Publication(title="Other"))
    assert forge.open[0]["title"] == f"{shown}Other"
    again = made.bench.publishing.pull_request("abc234", Publication(title="Other"))
    assert "updated" not in again.message
    assert forge.faults == []


def test_somebody_opens_it_at_the_same_moment(forge: ForgeServer, made: Made) -> None:
    made.task(edit)
    made.bench.publishing.pull_request("abc234", Publication())
    forge.first_find_is_empty = True
    outcome = made.bench.publishing.pull_request("abc234", Publication(body="again"))
    assert outcome.message.startswith("updated body of")
    assert len(forge.open) == 1


def test_a_forge_says_what_it_is_before_it_gets_a_token(forge: ForgeServer, made: Made) -> None:
    made.task(edit)
    made.bench.publishing.pull_request("abc234", Publication())
    assert forge.without_token
    assert all("pulls" not in path and "merge_requests" not in path for path in forge.without_token)


def test_a_token_is_not_sent_to_a_host_it_is_not_for(
    forge: ForgeServer, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(HOST[forge.kind])
    made.task(edit)
    with pytest.raises(ForgeError, match=r"is not sent to 127\.0\.0\.1") as refused:
        made.bench.publishing.pull_request("abc234", Publication())
    assert f"export {HOST[forge.kind]}=127.0.0.1" in refused.value.hint
    assert forge.asked == []
    assert set(made.branches()) == {"main"}
    made.bench.publishing.pull_request("abc234", Publication(forge=forge.kind))
    assert len(forge.open) == 1


def test_no_token(forge: ForgeServer, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE[forge.kind])
    made.task(edit)
    with pytest.raises(ForgeError, match=r"there is no token for 127\.0\.0\.1") as refused:
        made.bench.publishing.pull_request("abc234", Publication())
    assert "log in with" in refused.value.hint


def test_a_refused_token_is_in_no_message(forge: ForgeServer, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = "wrong-token-XYZW9988"
    monkeypatch.setenv(VARIABLE[forge.kind], wrong)
    made.task(edit)
    with pytest.raises(ForgeError, match="answered 401: Bad credentials") as refused:
        made.bench.publishing.pull_request("abc234", Publication())
    assert wrong not in str(refused.value)
    assert "***" in str(refused.value)
    assert VARIABLE[forge.kind] in refused.value.hint
    state = made.bench.tasks.folder("abc234")
    assert all(wrong.encode() not in path.read_bytes() for path in state.rglob("*") if path.is_file())


def test_what_the_forge_refuses_is_told(forge: ForgeServer, made: Made) -> None:
    made.task(edit)
    forge.answer = (403, {"message": "Resource not accessible\x1b[2J\nby token"})
    with pytest.raises(ForgeError, match=r"answered 403: Resource not accessible\[2J by token") as refused:
        made.bench.publishing.pull_request("abc234", Publication())
    assert "right to write pull requests" in refused.value.hint
    assert f"the branch {BRANCH} is pushed" in refused.value.hint
    assert [event.url for event in made.bench.tasks.get("abc234").published] == [""]
    forge.answer = (200, {"no": "list"})
    with pytest.raises(ForgeError, match="not a list of pull requests"):
        made.bench.publishing.pull_request("abc234", Publication())


def test_a_base_that_is_not_there_and_one_that_is_the_head(forge: ForgeServer, made: Made) -> None:
    made.task(edit)
    with pytest.raises(UsageError, match="no branch 'gone' to go into"):
        made.bench.publishing.pull_request("abc234", Publication(base="gone"))
    with pytest.raises(UsageError, match="into itself"):
        made.bench.publishing.pull_request("abc234", Publication(branch="main"))
    assert set(made.branches()) == {"main"}


def test_a_local_remote_has_no_forge(made: Made, forge: ForgeServer) -> None:
    made.task(edit)
    with pytest.raises(UsageError, match="not on a forge"):
        made.bench.publishing.pull_request("abc234", Publication(remote=str(made.origin)))


def test_a_secret_opens_no_request(forge: ForgeServer, made: Made) -> None:
    made.task(lambda clone: (clone / "k").write_text("AKIA" + "QWERTYUIOPASDFGH\n") and None)
    with pytest.raises(EngineError, match="an AWS key"):
        made.bench.publishing.pull_request("abc234", Publication())
    assert (forge.open, set(made.branches())) == ([], {"main"})


def test_the_token_is_in_no_process_and_the_repository_of_results_has_no_remote(
    forge: ForgeServer, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `git` that writes down how it is called: neither token nor password is in an argument."""
    real = shutil.which("git")
    spy = tmp_path / "bin" / "git"
    spy.parent.mkdir()
    spy.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {tmp_path}/called\nexec {real} "$@"\n')
    spy.chmod(stat.S_IRWXU)
    made.task(edit)
    monkeypatch.setenv("PATH", f"{spy.parent}:{os.environ['PATH']}")
    made.bench.publishing.pull_request("abc234", Publication())
    called = (tmp_path / "called").read_text()
    assert "push" in called
    assert TOKEN not in called
    assert PASSWORD not in called
    git_dir, _ = made.bench.publishing.ref("abc234")
    assert git("remote", cwd=git_dir) == ""
