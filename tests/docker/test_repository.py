"""A repository's way into real containers and a result's way out of them (DESIGN decision 5)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import RepositoryError
from engine.repository import diff, into
from engine.repository.mirror import Mirror
from engine.repository.out import Result, Results, collect
from engine.repository.source import Source
from tests.docker.cli_shell import IMAGE, LABEL, CliShell, container, docker

pytestmark = pytest.mark.docker

WORKSPACE = "/workspace/app"
BUILD = r"""
git init -q -b main .
printf 'one\ntwo\nthree\n' > a.txt
for i in $(seq 40); do echo "line $i"; done > moved-from.txt
echo gone > gone.txt; echo 'echo hi' > run.sh; echo s > 'with space'; echo q > 'quote"and	tab'
echo n > $'new\nline'; echo l > $'latin-\xe9'; ln -s a.txt link
head -c 3000 /dev/urandom > data.bin
printf 'ignored/\n*.log\n' > .gitignore; echo kept > kept.log; mkdir deep; echo d > deep/d
printf '*.dos text\n*.lfs filter=lfs diff=lfs merge=lfs -text\n' > .gitattributes
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n' > big.lfs
git add -A; git add -f kept.log
dos=$(printf 'x\r\ny\r\n' | git hash-object -w --stdin)
git update-index --add --cacheinfo 100644,$dos,crlf.dos
printf '[submodule "sub"]\n\tpath = sub\n\turl = https://example.invalid/sub.git\n' > .gitmodules; git add .gitmodules
git update-index --add --cacheinfo 160000,0123456789012345678901234567890123456789,sub
git commit -qm base; git tag v1
git checkout -q -b other; echo o > other.txt; git add .; git commit -qm other; git checkout -q -f main
"""
SETUP = r"""
cd /workspace/app
echo touched >> a.txt; rm gone.txt
mkdir -p left ignored; echo 1 > left/file; echo 2 > 'left/odd * [name] '; echo 3 > top.left; echo 4 > ignored/x
echo 5 > will-change.left; echo 6 > will-stage.left
"""


def git(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True)
    return done.stdout.decode(errors="surrogateescape").strip()


class Bench:
    """An upstream repository, its mirror, and the image of a snapshot of its first commit."""

    def __init__(self, folder: Path) -> None:
        self.upstream = folder / "app"
        self.upstream.mkdir()
        subprocess.run(["bash", "-e", "-c", BUILD], cwd=self.upstream, check=True)
        self.mirror = Mirror(Source.from_url(str(self.upstream), folder))
        self.mirror.update()
        self.results = Results(self.mirror)
        self.folder = folder
        self.snapshot_sha = self.mirror.resolve(None).sha
        with container(IMAGE, "--volume", f"{self.mirror.git_dir}:/mirror:ro") as setup:
            self.notices = into.clone(setup, mirror="/mirror", workspace=WORKSPACE, sha=self.snapshot_sha)
            setup.must(SETUP)
            into.checkout(setup, WORKSPACE, self.snapshot_sha)
            into.record_leftovers(setup, WORKSPACE)
            self.image = docker("commit", "--change", f"LABEL {LABEL}", setup.name)

    def resume(self, shell: CliShell, sha: str) -> None:
        """What a task does first: the repository at `sha`."""
        bundle = into.thin_bundle(self.mirror.git_dir, self.snapshot_sha, sha, self.folder)
        into.checkout(shell, WORKSPACE, sha, bundle)

    def result(self, shell: CliShell, base: str) -> Result | None:
        """What a task does last: collect and receive."""
        task = shell.name[:12]
        bundle = self.folder / f"{task}.bundle"
        if collect(shell, bundle, workspace=WORKSPACE, base=base, message="Result") is None:
            return None
        return self.results.receive(bundle, task=task, attempt=1, base=base)

    def files(self, result: Result) -> list[str]:
        """The names the result changed since the snapshot's commit."""
        changed = diff.stat(self.results.git_dir, self.snapshot_sha, result.sha).files
        return sorted(file.path for file in changed)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
            patch.setenv(variable, str(folder / variable))
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "Test")
            patch.setenv(f"GIT_{role}_EMAIL", "test@example.invalid")
        made = Bench(folder)
    yield made
    docker("rmi", "--force", made.image)


@pytest.fixture
def task(bench: Bench) -> Iterator[CliShell]:
    with container(bench.image) as shell:
        yield shell


def applied_tree(bench: Bench, result: Result, base: str) -> str:
    """The tree a fresh clone has when the result's patch was applied to it."""
    patch = diff.write_patch(bench.results.git_dir, base, result.sha, bench.folder / "patch")
    clone = bench.folder / f"clone-{result.sha[:12]}"
    git("clone", "-q", str(bench.upstream), str(clone), cwd=bench.folder)
    git("checkout", "-q", "--detach", base, cwd=clone)
    git("apply", "--cached", "--whitespace=nowarn", str(patch), cwd=clone)
    return git("write-tree", cwd=clone)


def test_the_workspace_has_no_remote_and_only_branch_work(bench: Bench, task: CliShell) -> None:
    assert bench.notices == [
        "submodules are not fetched; their folders are empty",
        "files kept in Git LFS are pointers, not contents",
    ]
    task.must(f'cd {WORKSPACE}; [ -z "$(git remote)" ]; [ "$(git branch --format=\'%(refname:short)\')" = work ]')
    assert task.must(f"git -C {WORKSPACE} rev-parse HEAD refs/fumehood/snapshot v1") == "\n".join(
        [bench.snapshot_sha] * 3
    )
    assert task.must(f"cd {WORKSPACE}; git config user.email; git config --get-regexp remote || true") == (
        "agent@fumehood.invalid"
    )
    assert task.must(f"ls {WORKSPACE}/ignored {WORKSPACE}/left") != ""
    assert task.must(f"tail -n1 {WORKSPACE}/a.txt; cat {WORKSPACE}/gone.txt") == "three\ngone"


def test_another_user_than_the_owner_can_use_git(bench: Bench, task: CliShell) -> None:
    task.must(f"chown -R 1000:1000 {WORKSPACE}")
    done = subprocess.run(
        ["docker", "exec", "--user", "1234", task.name, "git", "-C", WORKSPACE, "log", "--format=%s"],
        capture_output=True,
    )
    assert done.stdout == b"base\n", done.stderr


def test_nothing_changed(bench: Bench, task: CliShell) -> None:
    bench.resume(task, bench.snapshot_sha)
    assert task.must(f"git -C {WORKSPACE} status --porcelain -- . ':!crlf.dos'") == ""
    assert bench.result(task, bench.snapshot_sha) is None
    assert not (bench.folder / f"{task.name[:12]}.bundle").exists()


def test_resume_at_a_later_commit_by_thin_bundle(bench: Bench, task: CliShell) -> None:
    (bench.upstream / "top.left").write_text("tracked now\n")
    (bench.upstream / "later").write_text("later\n")
    git("add", "-A", ".", ":!crlf.dos", ":!sub", cwd=bench.upstream)
    git("commit", "-qm", "later", cwd=bench.upstream)
    bench.mirror.update()
    later = bench.mirror.resolve("main").sha
    bench.resume(task, later)
    assert task.must(f"cd {WORKSPACE}; cat top.left later ignored/x left/file") == "tracked now\nlater\n4\n1"
    assert bench.result(task, later) is None
    task.must(f"cd {WORKSPACE}; rm top.left")
    result = bench.result(task, later)
    assert result is not None
    stat = diff.stat(bench.results.git_dir, later, result.sha)
    assert [(file.status, file.path) for file in stat.files] == [("D", "top.left")]


def test_resume_at_an_older_commit_and_at_an_unrelated_branch(bench: Bench, task: CliShell) -> None:
    other = bench.mirror.resolve("other").sha
    bench.resume(task, other)
    assert task.must(f"cat {WORKSPACE}/other.txt") == "o"
    bench.resume(task, bench.snapshot_sha)
    assert task.must(f"ls {WORKSPACE}/other.txt || echo gone") == "gone"


def test_a_commit_the_container_does_not_have(task: CliShell) -> None:
    with pytest.raises(RepositoryError, match="does not have commit 1111"):
        into.checkout(task, WORKSPACE, "1" * 40)


AGENT = r"""
cd /workspace/app
printf 'one\nTWO\nthree\n' > a.txt; git mv moved-from.txt 'moved to.txt'; echo more >> 'moved to.txt'
rm gone.txt; chmod +x run.sh; ln -sfn deep link; echo s2 >> 'with space'; echo q2 >> 'quote"and	tab'
echo n2 >> $'new\nline'; echo l2 >> $'latin-\xe9'; echo new > $'added \xff\n"name'
printf 'a\0b' | cat - data.bin > data2 && mv data2 data.bin; printf '\0\1' > added.bin
echo ignored > noise.log; echo k2 >> kept.log; rm -r deep; echo now-a-file > deep; : > empty
echo changed > will-change.left; mkdir -p new/dir; echo x > new/dir/x
"""


def test_every_kind_of_change_survives(bench: Bench, task: CliShell) -> None:
    bench.resume(task, bench.snapshot_sha)
    task.must(AGENT)
    result = bench.result(task, bench.snapshot_sha)
    assert result is not None
    assert result.commits == ()
    assert bench.files(result) == sorted([
        "a.txt", "moved to.txt", "gone.txt", "run.sh", "link", "with space", 'quote"and\ttab', "new\nline",
        "latin-\udce9", 'added \udcff\n"name', "data.bin", "added.bin", "kept.log", "deep", "deep/d", "empty",
        "will-change.left", "new/dir/x",
    ])  # fmt: skip
    assert applied_tree(bench, result, bench.snapshot_sha) == result.tree
    assert git("rev-parse", f"{result.sha}^", cwd=bench.results.git_dir) == bench.snapshot_sha


def test_commits_of_the_agent_survive_and_setup_files_are_not_swept_in(bench: Bench, task: CliShell) -> None:
    bench.resume(task, bench.snapshot_sha)
    task.must(
        f"cd {WORKSPACE}; touch crlf.dos; echo x > x; git add -A; git commit -qm 'first <b>'; git checkout -qb mine"
    )
    task.must(f"cd {WORKSPACE}; echo y > y; git add -A; git commit -qm second; echo z > z; git add -f will-stage.left")
    result = bench.result(task, bench.snapshot_sha)
    assert result is not None
    assert [subject for _, subject in result.commits] == ["first <b>", "second"]
    # `git add -A` of the agent brings the line ends of a file it touched to what .gitattributes says, as for anyone.
    assert bench.files(result) == ["crlf.dos", "will-stage.left", "x", "y", "z"]
    assert applied_tree(bench, result, bench.snapshot_sha) == result.tree
    bundle = into.thin_bundle(bench.results.git_dir, bench.snapshot_sha, result.sha, bench.folder)
    with container(bench.image) as next_turn:
        into.checkout(next_turn, WORKSPACE, result.sha, bundle)
        assert next_turn.must(f"cd {WORKSPACE}; cat x y z; git log --format=%s") == (
            "x\ny\nz\nResult\nsecond\nfirst <b>\nbase"
        )


def test_commits_alone_and_a_rewritten_history(bench: Bench, task: CliShell) -> None:
    bench.resume(task, bench.snapshot_sha)
    task.must(f"cd {WORKSPACE}; echo x > x; git add x; git commit -qm only")
    result = bench.result(task, bench.snapshot_sha)
    assert result is not None
    assert result.commits == ((result.sha, "only"),)
    task.must(f"cd {WORKSPACE}; git commit -q --amend -m amended; git checkout -q --orphan fresh; git commit -qm root")
    result = bench.result(task, bench.snapshot_sha)
    assert result is not None
    assert result.commits == ()
    assert bench.files(result) == ["x"]


def test_a_repository_the_agent_removed_or_made_inside(bench: Bench, task: CliShell) -> None:
    bench.resume(task, bench.snapshot_sha)
    task.must(
        f"cd {WORKSPACE}; mkdir web; cd web; git init -q; echo w > w; printf 'skip\n' > .gitignore; echo s > skip"
    )
    task.must(
        f"cd {WORKSPACE}/web; git init -q inner; echo i > inner/i; git -C inner add .; git -C inner -c user.name=a -c user.email=a@b commit -qm i"
    )
    result = bench.result(task, bench.snapshot_sha)
    assert result is not None
    assert bench.files(result) == ["web/.gitignore", "web/inner/i", "web/w"]
    task.must(f"cd {WORKSPACE}; rm -rf .git web; echo x > x")
    result = bench.result(task, bench.snapshot_sha)
    assert result is not None
    assert "x" in bench.files(result)
    assert git("rev-parse", f"{result.sha}^", cwd=bench.results.git_dir) == bench.snapshot_sha
    task.must(f"cd {WORKSPACE}; git init -q; git add -A; git -c user.name=a -c user.email=a@b commit -qm new")
    assert bench.result(task, bench.snapshot_sha) is not None


HOSTILE = r"""
cd /workspace/app
echo '*.txt filter=evil diff=evil ident' > .gitattributes
echo '* binary filter=evil' > .git/info/attributes; echo 'hidden*' > .git/info/exclude; echo h > hidden.txt
for setting in core.fsmonitor filter.evil.clean filter.evil.smudge filter.evil.process diff.external \
    diff.evil.textconv diff.evil.command core.pager core.editor gpg.program core.sshCommand core.alternateRefsCommand \
    uploadpack.packObjectsHook alias.add alias.bundle alias.ls-files; do
    git config $setting "touch /tmp/pwned-$setting; false"
    git config --global $setting "touch /tmp/pwned-$setting; false"
done
git config core.hooksPath /tmp/hooks; git config commit.gpgSign true; git config core.worktree /tmp; git config core.bare true
mkdir -p /tmp/hooks; for hook in post-index-change reference-transaction pre-commit post-checkout pre-push; do
    printf '#!/bin/sh\ntouch /tmp/pwned-hook\n' > /tmp/hooks/$hook; chmod +x /tmp/hooks/$hook; done
cp /tmp/hooks/* .git/hooks/
blob=$(echo forged | git -c core.fsmonitor= -c core.hooksPath=/dev/null --work-tree=. hash-object -w --stdin)
old=$(git --work-tree=. -c core.fsmonitor= rev-parse HEAD:a.txt)
mkdir -p .git/refs/replace; echo $blob > .git/refs/replace/$old
echo 'one
evil' > a.txt
"""


def test_configuration_of_the_agent_has_no_say(bench: Bench, task: CliShell, tmp_path: Path) -> None:
    bench.resume(task, bench.snapshot_sha)
    task.must(HOSTILE)
    task.must("rm -f /tmp/pwned*")
    result = bench.result(task, bench.snapshot_sha)
    assert result is not None
    assert task.must("ls /tmp/pwned* 2>/dev/null || true") == ""
    assert not list(Path("/tmp").glob("pwned-*"))
    assert bench.files(result) == [".gitattributes", "a.txt", "hidden.txt"]
    patch = diff.diff_bytes(bench.results.git_dir, bench.snapshot_sha, result.sha, ["a.txt"])
    assert b"-two\n-three\n+evil\n" in patch
    assert applied_tree(bench, result, bench.snapshot_sha) == result.tree


@pytest.mark.parametrize("trick", [
    "rm -rf /tmp/g; mv .git /tmp/g; echo 'gitdir: /tmp/g' > .git",
    "mkdir /tmp/common; cp -r .git/. /tmp/common; echo /tmp/common > .git/commondir",
    "git config include.path /etc/passwd",
    "git config extensions.worktreeConfig true; printf '[core]\n\tfsmonitor = touch /tmp/pwned\n' > .git/config.worktree",
    "echo garbage > .git/index; echo garbage > .git/config",
    "git update-index --assume-unchanged a.txt; git update-index --skip-worktree run.sh",
])  # fmt: skip
def test_a_bent_git_directory_hides_nothing(bench: Bench, task: CliShell, trick: str) -> None:
    bench.resume(task, bench.snapshot_sha)
    task.must(f"cd {WORKSPACE}; {trick}; echo x >> a.txt; echo x >> run.sh; touch -d '2001-01-01' a.txt")
    result = bench.result(task, bench.snapshot_sha)
    assert result is not None
    assert bench.files(result) == ["a.txt", "run.sh"]
    assert task.must("ls /tmp/pwned* 2>/dev/null || true") == ""


EVIL = rf"""
cd {WORKSPACE}
blob=$(echo pwn | git hash-object -w --stdin)
tree=$({{ printf '100644 .git\0'; printf "$(sed 's/../\\x&/g' <<<"$blob")"; }} |
    git hash-object -w -t tree --stdin --literally)
evil=$(git commit-tree $tree -p HEAD -m evil)
"""


@pytest.mark.parametrize("then", ["work=$evil", "work=$(git commit-tree HEAD^{tree} -p $evil -m innocent)"])
def test_evil_trees_are_refused(bench: Bench, task: CliShell, then: str) -> None:
    bench.resume(task, bench.snapshot_sha)
    task.must(f"{EVIL}\n{then}; git update-ref refs/heads/work $work")
    with pytest.raises(RepositoryError, match=r"result refused: .*'.git'"):
        bench.result(task, bench.snapshot_sha)
    assert task.name[:12] not in git("for-each-ref", cwd=bench.results.git_dir)


def test_what_maintenance_changed_is_not_the_agents(bench: Bench, task: CliShell) -> None:
    bench.resume(task, bench.snapshot_sha)
    task.must(f"cd {WORKSPACE}; echo maintained >> a.txt; echo maintained >> run.sh; echo m > made")
    into.record_leftovers(task, WORKSPACE)
    assert bench.result(task, bench.snapshot_sha) is None
    task.must(f"cd {WORKSPACE}; echo agent >> run.sh; echo agent > by-agent")
    result = bench.result(task, bench.snapshot_sha)
    assert result is not None
    assert bench.files(result) == ["by-agent", "run.sh"]
    assert task.must(f"cd {WORKSPACE}; grep -c 'Left by the setup' .git/info/exclude") == "1"


# Counts the calls of these programs, and kills the one whose number is in /fault/at.
FAULTS = r"""
mkdir -p /fault; echo 0 > /fault/at; echo 0 > /fault/count
for name in git sort comm cut; do
    cat > /usr/local/bin/$name <<'END'
#!/bin/bash
exec 9>> /fault/lock; flock 9; count=$(($(< /fault/count) + 1)); echo $count > /fault/count; exec 9>&-
[ $count != $(< /fault/at) ] || kill -KILL $$
exec /usr/bin/${0##*/} "$@"
END
    chmod +x /usr/local/bin/$name
done
"""


def in_turn_killed(task: CliShell) -> Iterator[int]:
    """Arms the next call for each turn, until no call is left that is not killed in one of them."""
    for at in range(1, 200):
        task.must(f"echo {at} > /fault/at; echo 0 > /fault/count")
        yield at
        if int(task.must("cat /fault/count")) < at:
            return


def test_a_program_killed_while_a_result_is_collected_is_an_error_never_another_result(
    bench: Bench, task: CliShell
) -> None:
    bench.resume(task, bench.snapshot_sha)
    task.must(f"cd {WORKSPACE}; echo mine > mine; git add mine; git commit -qm mine")
    task.must(AGENT + "git add -f noise.log")
    task.must(FAULTS)
    right = bench.result(task, bench.snapshot_sha)
    assert right is not None
    refused = 0
    for at in in_turn_killed(task):
        try:
            result = bench.result(task, bench.snapshot_sha)
        except RepositoryError:
            refused += 1
            continue
        assert result is not None, f"call {at}"
        assert (result.tree, result.commits) == (right.tree, right.commits), f"call {at}"
    assert refused > 20


def test_a_program_killed_while_what_setup_left_is_recorded_is_an_error_never_another_record(
    bench: Bench, task: CliShell
) -> None:
    bench.resume(task, bench.snapshot_sha)
    task.must(f"cd {WORKSPACE}; mkdir -p more/inner; git -C more init -q; echo m > more/inner/m; echo t >> a.txt")
    into.record_leftovers(task, WORKSPACE)
    right = task.must(f"cat {into.LEFTOVERS} | tr '\\0' '\\n'")
    task.must(FAULTS)
    refused = 0
    for at in in_turn_killed(task):
        try:
            into.record_leftovers(task, WORKSPACE)
        except RepositoryError:
            refused += 1
            continue
        assert task.must(f"cat {into.LEFTOVERS} | tr '\\0' '\\n'") == right, f"call {at}"
    assert refused > 5
