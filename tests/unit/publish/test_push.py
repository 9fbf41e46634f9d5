"""Pushing a result: what arrives, where, in whose name, and what is refused (SPEC T10, S4; SECURITY-CASES G08, S10)."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from engine.errors import EngineError, RepositoryError, Unconfirmed, UsageError
from engine.publish.wish import Publication
from engine.state import Lock, tasks_dir
from engine.tasks import events as ev
from engine.tasks.journal import Journal
from engine.tasks.spec import LOCK
from tests.unit.publish.made import Made, edit
from tests.unit.repository.repositories import commit, git

USUAL = "fumehood/abc234"


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def log(made: Made, branch: str, form: str = "%an <%ae>|%cn|%at|%s|%b") -> list[str]:
    return git("log", f"--format={form}", f"main..{branch}", cwd=made.origin).splitlines()


def test_one_commit_by_the_user_on_the_base(made: Made) -> None:
    task = made.task(edit)
    outcome = made.bench.publishing.push(task, Publication())
    assert outcome.message == f"{USUAL} → {made.origin}: pushed: {made.branches()[USUAL][:12]}"
    who, committer, at, subject, body = log(made, USUAL)[0].split("|")
    assert (who, committer, subject) == ("Test <test@example.invalid>", "Test", "The sum was off by one")
    assert body == "It starts at zero now, and all tests pass."
    assert int(at) == int(made.bench.tasks.get(task).attempts[0].collected_at)
    assert git("rev-parse", f"{USUAL}^", cwd=made.origin) == made.base
    assert git("show", f"{USUAL}:a.txt", cwd=made.origin) == "0\n1\n2\n3"


def test_twice_is_one_update(made: Made) -> None:
    task = made.task(edit)
    made.bench.publishing.push(task, Publication())
    before = made.branches(), made.bench.tasks.get(task).last_seq
    again = made.bench.publishing.push(task, Publication())
    assert "is there already" in again.message
    assert (made.branches(), made.bench.tasks.get(task).last_seq) == before


def test_a_new_text_replaces_what_this_task_pushed(made: Made) -> None:
    task = made.task(edit)
    made.bench.publishing.push(task, Publication())
    made.bench.publishing.push(task, Publication(title="Start at zero", body="Why not."))
    assert log(made, USUAL, "%s|%b") == ["Start at zero|Why not."]
    assert [(event.branch, event.run) for event in made.bench.tasks.get(task).published] == [(USUAL, 1)]


def test_the_text_of_a_push_stays_until_another_is_given(made: Made) -> None:
    task = made.task(edit)
    made.bench.publishing.push(task, Publication(title="Mine"))
    assert "is there already" in made.bench.publishing.push(task, Publication()).message
    assert log(made, USUAL, "%s") == ["Mine"]
    made.bench.publishing.push(task, Publication(commits=True))
    assert log(made, USUAL, "%s") == ["Result"]


def test_commits_of_others_are_not_replaced_unless_told(made: Made) -> None:
    task = made.task(edit)
    made.bench.publishing.push(task, Publication())
    git("fetch", "-q", "origin", USUAL, cwd=made.checkout)
    git("checkout", "-q", "FETCH_HEAD", cwd=made.checkout)
    other = commit(made.checkout, "of a colleague")
    git("push", "-q", "origin", f"HEAD:refs/heads/{USUAL}", cwd=made.checkout)
    git("checkout", "-q", "main", cwd=made.checkout)
    with pytest.raises(Unconfirmed, match=r"holds \w+, which this task did not push") as refused:
        made.bench.publishing.push(task, Publication(title="other"))
    assert refused.value.option == "force_with_lease"
    assert "--force-with-lease" in refused.value.hint
    assert made.branches()[USUAL] == other
    made.bench.publishing.push(task, Publication(title="other", force_with_lease=True))
    assert log(made, USUAL, "%s") == ["other"]


def test_the_default_branch_only_when_told(made: Made) -> None:
    task = made.task(edit)
    with pytest.raises(Unconfirmed, match="main is the default branch"):
        made.bench.publishing.push(task, Publication(branch="main"))
    assert made.branches()["main"] == made.base
    made.bench.publishing.push(task, Publication(branch="main", allow_default_branch=True))
    assert made.branches()["main"] != made.base


def test_attempts_have_branches_of_their_own(made: Made) -> None:
    made.task(edit)
    made.task(lambda clone: (clone / "b.txt").write_text("b\n") and None, attempt=2)
    made.bench.publishing.push("abc234", Publication())
    made.bench.publishing.push("abc234", Publication(), attempt=2)
    assert set(made.branches()) == {"main", USUAL, f"{USUAL}-2"}
    with pytest.raises(UsageError, match="no attempt 3"):
        made.bench.publishing.push("abc234", Publication(), attempt=3)


def by_hand(clone: Path) -> None:
    (clone / "a.txt").write_text("first\n")
    commit(clone, "first: a")
    (clone / "a.txt").write_text("second\n")


def test_the_agents_own_commits_when_asked(made: Made) -> None:
    made.task(by_hand)
    made.bench.publishing.push("abc234", Publication(commits=True))
    assert log(made, USUAL, "%s") == ["Result", "first: a"]


def everything(clone: Path) -> None:
    (clone / "data.bin").write_bytes(bytes(range(256)) * 20)
    (clone / "run.sh").chmod(0o755)
    git("mv", "old.txt", "new name.txt", cwd=clone)
    (clone / "link").symlink_to("a.txt")
    (clone / os.fsdecode(b"caf\xe9\n.txt")).write_text("odd\n")
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 12345\n"
    (clone / ".gitattributes").write_text("*.psd filter=lfs diff=lfs merge=lfs -text\n")
    (clone / "big.psd").write_text(pointer)
    (clone / ".gitmodules").write_text('[submodule "sub"]\n\tpath = sub\n\turl = https://example.invalid/sub.git\n')
    git("add", "-A", cwd=clone)
    git("update-index", "--add", "--cacheinfo", f"160000,{'01' * 20},sub", cwd=clone)
    git("commit", "-qm", "all", cwd=clone)


@pytest.mark.parametrize("way", ["push", "commits", "bundle", "fetch"])
def test_every_kind_of_change_survives(made: Made, way: str) -> None:
    made.task(everything)
    desk, here = made.bench.publishing, made.checkout
    if way in ("push", "commits"):
        desk.push("abc234", Publication(commits=way == "commits"))
        git("fetch", "-q", "origin", USUAL, cwd=here)
    elif way == "bundle":
        said = desk.bundle("abc234", Path("result.bundle")).split()
        git("fetch", "-q", *said[2:], cwd=here)
    else:
        git_dir, ref = desk.ref("abc234")
        git("fetch", "-q", str(git_dir), ref, cwd=here)
    agent = made.folder / "agent-abc234-1"
    assert git("rev-parse", "FETCH_HEAD^{tree}", cwd=here) == git("rev-parse", "HEAD^{tree}", cwd=agent)


def test_a_bundle_is_written_once(made: Made) -> None:
    made.task(edit)
    (made.checkout / "there").write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        made.bench.publishing.bundle("abc234", Path("there"))
    assert (made.checkout / "there").read_text() == "mine"


@pytest.mark.parametrize(
    "name", ["-f", "--output=/x", "a..b", "a b", "HEAD", "x.lock", "@{1}", "a:b", "\x1b[2J", "a\u202eb", "+x"]
)
def test_names_that_are_no_branches(made: Made, name: str) -> None:
    made.task(edit)
    if name == "+x":  # odd, but a branch as any other: never taken for git's sign to force
        made.bench.publishing.push("abc234", Publication(branch=name))
        assert name in made.branches()
        return
    with pytest.raises(UsageError, match="cannot be the name of a branch"):
        made.bench.publishing.push("abc234", Publication(branch=name))


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("ext::sh -c touch% pwned", "transport program"),
        ("--receive-pack=touch pwned", "looks like an option"),
        ("ssh://-oProxyCommand=x/y", "looks like an option"),
        ("https://me:tok@host.invalid/a/b", "holds credentials"),
        ("git://host.invalid/a", "not allowed"),
        ("nowhere", "is not a folder"),
    ],
)
def test_remotes_that_are_refused(made: Made, name: str, match: str) -> None:
    made.task(edit)
    with pytest.raises(RepositoryError, match=match) as refused:
        made.bench.publishing.push("abc234", Publication(remote=name))
    assert "tok@" not in str(refused.value)


def test_remotes_by_name_and_path_and_none(made: Made) -> None:
    made.task(edit)
    git("init", "-q", "--bare", "empty.git", cwd=made.folder)
    git("remote", "add", "fork", str(made.folder / "empty.git"), cwd=made.checkout)
    made.bench.publishing.push("abc234", Publication(remote="fork"))
    made.bench.publishing.push("abc234", Publication(remote="../empty.git", branch="by-path"))
    assert set(made.branches(made.folder / "empty.git")) == {USUAL, "by-path"}
    git("remote", "remove", "origin", cwd=made.checkout)
    with pytest.raises(RepositoryError, match="has no remote 'origin'") as refused:
        made.bench.publishing.push("abc234", Publication())
    assert "--remote URL" in refused.value.hint


def test_the_users_name_is_needed(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    made.task(edit)
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"):
        monkeypatch.delenv(name)
    with pytest.raises(RepositoryError, match="does not know your name") as refused:
        made.bench.publishing.push("abc234", Publication())
    assert "user.name" in refused.value.hint
    git("config", "user.name", "Of the checkout", cwd=made.checkout)
    git("config", "user.email", "c@example.invalid", cwd=made.checkout)
    made.bench.publishing.push("abc234", Publication())
    assert log(made, USUAL, "%an") == ["Of the checkout"]


def test_what_the_remote_says_is_told(made: Made) -> None:
    made.task(edit)
    hook = made.origin / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'error: branches are \x1b[31mclosed' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(RepositoryError, match=r"cannot push .*branches are \[31mclosed"):
        made.bench.publishing.push("abc234", Publication())
    assert made.bench.tasks.get("abc234").published == []


def test_a_task_without_result_or_change(made: Made) -> None:
    made.task(lambda clone: commit(clone, "empty") and None)
    git_dir, ref = made.bench.publishing.ref("abc234")
    assert git("rev-parse", ref, cwd=git_dir)
    with pytest.raises(EngineError, match="changed nothing"):
        made.bench.publishing.push("abc234", Publication())


def test_nothing_of_the_host_runs_that_an_agent_could_have_written(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Configuration of the agent's clone, and programs called git, ssh and gh in the folder one stands in."""
    mark = tmp_path / "pwned"

    def work(clone: Path) -> None:
        edit(clone)
        commit(clone, "work")
        (clone / ".gitattributes").write_text("* filter=evil diff=evil\n")
        for name in ("git", "ssh", "gh"):
            (clone / name).write_text(f"#!/bin/sh\nenv >> {mark}\n")
            (clone / name).chmod(0o755)

    made.task(work)
    agent = made.folder / "agent-abc234-1"
    for name in ("core.fsmonitor", "credential.helper", "core.sshCommand", "filter.evil.clean", "diff.external"):
        git("config", name, f"!touch {mark}", cwd=agent)
    # The user applied the result and stands in it, with a PATH that looks there first.
    assert made.bench.results.apply("abc234").applied
    assert (made.checkout / "git").stat().st_mode & stat.S_IXUSR
    monkeypatch.chdir(made.checkout)
    monkeypatch.setenv("PATH", f".:{os.environ['PATH']}:")
    made.bench.publishing.push("abc234", Publication())
    made.bench.publishing.push("abc234", Publication(commits=True, branch="commits"))
    made.bench.results.stat("abc234")
    assert set(made.branches()) == {"main", USUAL, "commits"}
    assert not mark.exists()


def test_the_users_settings_that_would_get_in_the_way_do_not(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "ran"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "pre-push").write_text(f"#!/bin/sh\ntouch {mark}\nexit 1\n")
    (hooks / "pre-push").chmod(0o755)
    (tmp_path / "config").write_text(
        f"[core]\n\thooksPath = {hooks}\n\tpager = touch {mark}\n\tattributesFile = {tmp_path}/attributes\n"
        f"[diff]\n\texternal = touch {mark}\n\tnoprefix = true\n[commit]\n\tgpgsign = true\n"
        f"[gpg]\n\tprogram = touch {mark}\n[push]\n\tfollowTags = true\n\tgpgSign = true\n\trecurseSubmodules = check\n"
        f"[log]\n\tshowSignature = true\n[init]\n\ttemplateDir = {hooks}\n[safe]\n\tbareRepository = explicit\n"
        f'[url "{made.origin}"]\n\tinsteadOf = https://forge.invalid/me/app\n'
    )
    made.task(edit)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    made.bench.publishing.push("abc234", Publication(remote="https://forge.invalid/me/app"))
    monkeypatch.delenv("GIT_CONFIG_GLOBAL")
    assert USUAL in made.branches()
    assert not mark.exists()


# Secrets

SECRET = "tok-ABCDEFGH-12345678"


@pytest.fixture
def keeping(tmp_path: Path) -> Made:
    found = Made(tmp_path, more="[secrets]\nTOK = {}\n")
    found.bench.secrets.set(found.bench.environments.load(), "TOK", SECRET.encode())
    return found


def text_file(clone: Path) -> None:
    (clone / "conf").write_text(f"fine\nkey={SECRET}\n")


def binary_file(clone: Path) -> None:
    (clone / "conf").write_bytes(b"\0\1" + SECRET.encode() + b"\0")


def file_name(clone: Path) -> None:
    (clone / SECRET).write_text("x\n")


@pytest.mark.parametrize(
    ("work", "said"),
    [(text_file, r"conf line 2 \(secret TOK\)"), (binary_file, r"conf \(secret TOK\)"), (file_name, "secret TOK")],
)
def test_a_known_secret_never_leaves(keeping: Made, work: object, said: str) -> None:
    keeping.task(work)  # type: ignore[arg-type]
    for wanted in (Publication(), Publication(commits=True), Publication(allow_likely_secrets=True)):
        with pytest.raises(EngineError, match=said) as refused:
            keeping.bench.publishing.push("abc234", wanted)
        assert not isinstance(refused.value, Unconfirmed)
    with pytest.raises(EngineError, match="secret TOK"):
        keeping.bench.publishing.bundle("abc234", Path("b"))
    assert set(keeping.branches()) == {"main"}
    assert not (keeping.checkout / "b").exists()


def hidden_in_history(clone: Path) -> None:
    text_file(clone)
    commit(clone, "with")
    (clone / "conf").write_text("fine\n")


def hidden_in_message(clone: Path) -> None:
    edit(clone)
    commit(clone, f"first\n\nwith {SECRET}")


def hidden_in_header(clone: Path) -> None:
    edit(clone)
    git("add", "-A", cwd=clone)
    tree, parent = git("write-tree", cwd=clone), git("rev-parse", "HEAD", cwd=clone)
    who = "a <a@example.invalid> 1 +0000"
    stored = f"tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\nnote {SECRET}\n\nwork\n"
    made = git("hash-object", "-t", "commit", "-w", "--stdin", cwd=clone, stdin=stored.encode())
    git("update-ref", "HEAD", made, cwd=clone)


@pytest.mark.parametrize("work", [hidden_in_history, hidden_in_message, hidden_in_header])
def test_a_secret_that_only_a_commit_of_the_agent_holds(keeping: Made, work: object) -> None:
    keeping.task(work)  # type: ignore[arg-type]
    with pytest.raises(EngineError, match="secret TOK"):
        keeping.bench.publishing.push("abc234", Publication(commits=True))
    keeping.bench.publishing.push("abc234", Publication())
    objects = git("log", "-p", "--format=%B", USUAL, cwd=keeping.origin)
    assert SECRET not in objects


def test_a_secret_in_what_the_user_or_the_agent_wrote(keeping: Made) -> None:
    keeping.task(edit, answer=f"Done with {SECRET}.\n\nMore.")
    for wanted in (Publication(title=SECRET), Publication(body=f"x\n{SECRET}"), Publication(branch=SECRET)):
        with pytest.raises(EngineError, match="secret TOK"):
            keeping.bench.publishing.push("abc234", wanted)
    keeping.bench.publishing.push("abc234", Publication())
    assert git("log", "-1", "--format=%s", USUAL, cwd=keeping.origin) == "Done with ***"


def test_what_looks_like_a_secret_is_asked_about(made: Made) -> None:
    made.task(lambda clone: (clone / "k").write_text("AKIA" + "QWERTYUIOPASDFGH\n") and None)
    with pytest.raises(Unconfirmed, match=r"k line 1 \(an AWS key\)") as refused:
        made.bench.publishing.push("abc234", Publication())
    assert refused.value.option == "allow_likely_secrets"
    made.bench.publishing.push("abc234", Publication(allow_likely_secrets=True))
    assert USUAL in made.branches()


def test_a_task_that_works_is_not_published(made: Made) -> None:
    made.task(edit)
    folder = tasks_dir() / "abc234"
    lock = Lock(folder / LOCK)
    assert lock.try_acquire()
    journal = Journal(folder)
    journal.append(ev.TaskStatus(status="in_progress"))
    journal.close()
    with pytest.raises(UsageError, match="still works"):
        made.bench.publishing.push("abc234", Publication())
    lock.release()
