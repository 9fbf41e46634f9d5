"""While an environment is watched: exactly the reruns there should be, a container stands by, nothing is left (C5, C6).

SECURITY-CASES C12: what is edited while an agent works, while maintenance runs, in a storm of saves.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.docker.conftest import Lab, environment
from tests.docker.watching import SECONDS, Event, watching

pytestmark = pytest.mark.docker

# A line for each run of maintenance, with what it saw of the lock file.
COUNT = 'echo "ran with $(cat deps.lock)" >> /opt/ran'


@pytest.fixture
def project(lab: Lab, request: pytest.FixtureRequest) -> Path:
    """A project whose environment is trusted and has a snapshot in which maintenance has run."""
    name = re.sub(r"[^a-z]+", "-", request.node.name.removeprefix("test_"))[-30:].strip("-")
    text = environment(maintenance=COUNT, command="cat /opt/ran", name=name)
    folder = lab.project(name, text.replace("[variables]", "watch = ['*.lock']\n[variables]"), {"deps.lock": "one"})
    trust(lab, folder)
    assert lab.task(folder)["status"] == "ready"
    return folder


def trust(lab: Lab, folder: Path) -> None:
    assert lab.run("env", "trust", str(folder)).returncode == 0


def commit(lab: Lab, folder: Path) -> None:
    lab.git(folder, "commit", "-qam", "change")


def told(events: list[Event]) -> list[tuple[str, str, str]]:
    return [(e["action"], e["status"], e["reason"]) for e in events if e["action"] != "standby"]


def refreshed(reason: str) -> list[tuple[str, str, str]]:
    return [("refresh", "started", reason), ("refresh", "done", reason)]


def standing_by(lab: Lab) -> list[str]:
    argv = ["docker", "ps", "-aq", "--filter", "name=^/fumehood-standby-"]
    argv += ["--filter", f"label=fumehood.owner={owner(lab)}"]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()


def owner(lab: Lab) -> str:
    script = "from engine.cache.snapshots import owner; print(owner())"
    done = subprocess.run([sys.executable, "-c", script], env=lab.variables, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_task_takes_the_container_that_stands_by_and_it_is_replaced(lab: Lab, project: Path) -> None:
    with watching(lab, project) as watch:
        assert told(watch.ready()) == []
        state = lab.task(project)
        assert (state["status"], state["cache"]["result"]) == ("ready", "standby")
        assert lab.output(state["id"], "agent") == "ran with one\n"
        assert state["network"]["proven"] is True
        watch.ready()
        # Another branch, another commit: taken as well, and brought there. Made beside the project's own work tree:
        # what is checked out there is what stands by.
        beside = project.with_name("topic")
        lab.git(project, "worktree", "add", "-qb", "topic", str(beside))
        (beside / "README").write_text("topic\n")
        commit(lab, beside)
        topic = lab.task(project, "go", "--branch", "topic")
        assert (topic["status"], topic["cache"]["result"]) == ("ready", "standby")
        assert topic["base_sha"] == lab.git(project, "rev-parse", "topic").strip()
        # A container that died is no harm.
        watch.ready()
        subprocess.run(["docker", "rm", "-f", *standing_by(lab)], check=True, capture_output=True)
        assert lab.task(project)["status"] == "ready"


def test_an_agent_that_may_go_out_takes_it_too(lab: Lab) -> None:
    folder = lab.project("out", environment(command="echo out", name="out", more='[network]\nagent = "limited"'))
    trust(lab, folder)
    assert lab.task(folder)["status"] == "ready"
    with watching(lab, folder) as watch:
        watch.ready()
        state = lab.task(folder, timeout=60)
        assert (state["status"], state["cache"]["result"]) == ("ready", "standby")
        assert lab.output(state["id"], "agent") == "out\n"


def test_a_saved_file_is_refreshed_and_the_next_task_skips_maintenance(lab: Lab, project: Path) -> None:
    with watching(lab, project) as watch:
        watch.ready()
        watch.lock.write_text("two")
        events = watch.until(lambda event: event["status"] == "done")
        assert told(events) == refreshed("deps.lock changed")
        commit(lab, project)
        watch.ready()
        state = lab.task(project)
        maintenance = next(p for p in state["phases"] if p["name"] == "maintenance")
        assert maintenance["status"] == "skipped"
        assert maintenance["reason"].startswith("deps.lock: nothing changed since it last ran")
        assert lab.output(state["id"], "agent") == "ran with two\n"
        # The same content again is nothing new; nor is the old one.
        watch.ready()
        watch.lock.write_text("two")
        watch.lock.write_text("one")
        time.sleep(1)
        watch.lock.write_text("three")
        assert told(watch.until(lambda event: event["status"] == "started")) == refreshed("deps.lock changed")[:1]


@pytest.mark.parametrize("way", ["storm", "rename", "recreate", "link"])
def test_every_way_to_save_leads_to_one_refresh(lab: Lab, project: Path, way: str) -> None:
    with watching(lab, project) as watch:
        watch.ready()
        new = project / "new"
        if way == "storm":
            for number in range(1000):
                watch.lock.write_text(f"storm {number}")
                time.sleep(0.005)
        elif way == "rename":
            new.write_text("renamed")
            new.replace(watch.lock)
        elif way == "recreate":
            watch.lock.unlink()
            time.sleep(0.1)
            watch.lock.write_text("again")
        else:
            new.symlink_to("README")
            new.replace(watch.lock)
        events = watch.until(lambda event: event["status"] == "done" and event["action"] == "refresh")
        assert told(events) == refreshed("deps.lock changed")
        time.sleep(1)
        # Only one more is told when something else changes.
        watch.lock.unlink()
        watch.lock.write_text("last")
        assert told(watch.until(lambda event: event["status"] == "done")) == refreshed("deps.lock changed")


def test_an_edit_while_maintenance_runs_leads_to_one_more_run(lab: Lab, project: Path) -> None:
    path = project / "fumehood.toml"
    path.write_text(path.read_text().replace(COUNT, f"{COUNT}; sleep 2"))
    trust(lab, project)
    commit(lab, project)
    with watching(lab, project) as watch:
        # The script has changed: nothing but maintenance has to run.
        assert told(watch.ready()) == refreshed("maintenance script changed")
        watch.lock.write_text("two")
        watch.until(lambda event: event["status"] == "started")
        watch.lock.write_text("three")
        watch.lock.write_text("four")
        events = watch.until(lambda event: event["status"] == "done")
        events += watch.until(lambda event: event["status"] == "done")
        assert told(events) == [("refresh", "done", "deps.lock changed"), *refreshed("deps.lock changed")]
        commit(lab, project)
        watch.ready()
        assert lab.output(lab.task(project)["id"], "agent") == "ran with four\n"


def test_an_edit_while_an_agent_works_does_not_reach_it(lab: Lab, project: Path) -> None:
    path = project / "fumehood.toml"
    path.write_text(path.read_text().replace("cat /opt/ran", "sleep 4; cat /opt/ran deps.lock"))
    trust(lab, project)
    with watching(lab, project) as watch:
        watch.ready()
        task = lab.json("exec", "--env", str(project), "go")["id"]
        watch.ready()
        watch.lock.write_text("two")
        assert told(watch.until(lambda event: event["status"] == "done")) == refreshed("deps.lock changed")
        lab.run("logs", "-f", task)
        assert lab.output(task, "agent") == "ran with one\none"


def test_a_change_of_setup_is_built_and_failures_keep_what_there_is(lab: Lab, project: Path) -> None:
    path = project / "fumehood.toml"
    good = path.read_text()
    with watching(lab, project) as watch:
        watch.ready()
        # Nothing of a file that is not trusted runs.
        path.write_text(good.replace("script = ''''''", "script = '''echo set up > /opt/new'''", 1))
        assert told(watch.until(lambda event: event["status"] == "waiting"))[0][2].endswith(
            f"fumehood env trust {path}"
        )
        trust(lab, project)
        events = watch.until(lambda event: event["action"] == "rebuild" and event["status"] == "done")
        assert told(events)[0][2].startswith("setup script changed (1 line)")
        watch.ready()
        assert lab.task(project)["cache"]["result"] == "standby"
        # A refresh that fails is told once, with the last lines, and the snapshot stays.
        watch.ready()
        before = lab.json("cache", "explain", "--env", str(project))["image"]
        path.write_text(path.read_text().replace(COUNT, "echo oh no; exit 3"))
        trust(lab, project)
        path.touch()
        failed = watch.until(lambda event: event["status"] == "failed")[-1]
        assert (failed["action"], failed["tail"]) == ("refresh", "oh no")
        path.write_text(path.read_text().replace("echo oh no; exit 3", COUNT))
        # Whether the bad file is looked at once more before this one is a matter of milliseconds, so nothing is waited for.
        assert lab.json("cache", "explain", "--env", str(project))["image"] == before


def test_when_the_last_one_leaves_nothing_stands_by(lab: Lab, project: Path) -> None:
    with watching(lab, project) as one, watching(lab, project) as other:
        one.ready()
        one.process.kill()
        one.process.wait()
        assert other.process.poll() is None
        assert standing_by(lab)
    gone(lab)


def test_a_killed_keeper_is_replaced_and_what_it_left_is_removed(lab: Lab, project: Path) -> None:
    with watching(lab, project) as watch:
        watch.ready()
        left = standing_by(lab)
        os.kill(keeper(lab), signal.SIGKILL)
        watch.ready()
        assert not set(left) & set(standing_by(lab))
    gone(lab)


def keeper(lab: Lab) -> int:
    """The process that has the keeper's lock."""
    lock = lab.home / "state/fumehood/keeper/lock"
    inode = str(lock.stat().st_ino)
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return next(int(words[4]) for words in lines if words[1] == "FLOCK" and words[5].endswith(f":{inode}"))


def gone(lab: Lab) -> None:
    deadline = time.monotonic() + SECONDS
    while standing_by(lab):
        assert time.monotonic() < deadline, "containers stand by for nobody"
        time.sleep(0.2)


def test_asked_for_a_new_snapshot_setup_runs_beside_the_old_one(lab: Lab, project: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from engine.bench import Bench; bench = Bench()\n"
        "print(bench.keeper.rebuild(bench.environments.load(sys.argv[1])))"
    )

    def rebuild() -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-c", script, str(project)]
        return subprocess.run(argv, env=lab.variables, capture_output=True, text=True, timeout=60)

    refused = rebuild()
    assert refused.returncode != 0
    assert "nobody takes care of" in refused.stderr
    with watching(lab, project) as watch:
        watch.ready()
        before = lab.json("cache", "explain", "--env", str(project))
        assert before["result"] == "hit"
        assert rebuild().returncode == 0
        events = watch.ready()
        assert told(events)[:2] == [("rebuild", "started", "asked for"), ("rebuild", "done", "asked for")]
        after = lab.json("cache", "explain", "--env", str(project))
        assert after["result"] == "hit"
        assert after["image"] != before["image"]
        assert after["age_seconds"] < before["age_seconds"] + 60
    state = lab.task(project)
    assert (state["status"], state["cache"]["result"]) == ("ready", "standby")
