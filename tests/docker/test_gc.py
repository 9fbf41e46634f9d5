"""Clearing up for real: only what is this installation's, never what is used (SPEC C9, T8)."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
import uuid
from pathlib import Path

import pytest

from tests.docker.conftest import BASE_IMAGE, Lab, environment

pytestmark = pytest.mark.docker


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def snapshots(lab: Lab) -> list[str]:
    return sorted(s["environment"] for s in lab.json("cache", "show")["snapshots"])


def gc(lab: Lab, *options: str) -> dict[str, str]:
    """What a collection removed: kind and environment, or kind alone for a container -> reason."""
    removed = lab.json("cache", "gc", *options)["removed"]
    return {kind_of(r): r["reason"] for r in removed}


def kind_of(removed: dict[str, str]) -> str:
    found = re.fullmatch(r"fumehood/(?:build-)?(\w+)-[0-9a-f]{8}:.*", removed["name"])
    return f"{removed['kind']} {found[1]}" if found else removed["kind"]


@pytest.fixture(scope="module")
def projects(lab: Lab) -> dict[str, Path]:
    """Two environments with a snapshot each; the second one's writes a megabyte."""
    made = {
        "small": lab.project("small", environment(name="small")),
        "large": lab.project("large", environment("head -c 1000000 /dev/urandom > /opt/data", name="large")),
    }
    for folder in made.values():
        assert lab.task(folder)["status"] == "ready"
    return made


def test_under_the_cap_nothing_goes_and_sizes_are_what_was_added(lab: Lab, projects: dict[str, Path]) -> None:
    shown = lab.json("cache", "show")
    sizes = {s["environment"]: s["size_bytes"] for s in shown["snapshots"]}
    assert 0 < sizes["small"] < 500_000
    assert 1_000_000 < sizes["large"] < 1_500_000
    assert shown["total_bytes"] == sum(sizes.values())
    report = lab.json("cache", "gc")
    assert (report["removed"], report["left_bytes"], report["limit_bytes"]) == ([], shown["total_bytes"], 20 << 30)
    told = lab.run("cache", "gc", env={"FUMEHOOD_CACHE_MAX": "1t"}).stdout
    assert told.startswith("nothing to remove; 1.")


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--max-size", "many"), "--max-size: 'many' is not a size"), (("--max-age", "old"), "--max-age: 'old' is not a")],
)
def test_limits_that_cannot_be_read(lab: Lab, options: tuple[str, ...], said: str) -> None:
    done = lab.run("cache", "gc", *options)
    assert done.returncode == 2
    assert said in done.stderr
    assert "FUMEHOOD_CACHE_MAX: " in lab.run("cache", "gc", env={"FUMEHOOD_CACHE_MAX": "x"}).stderr


def test_a_dry_run_removes_nothing_and_the_cap_takes_the_oldest(lab: Lab, projects: dict[str, Path]) -> None:
    for _ in range(2):
        found = lab.json("cache", "gc", "--max-size", "600000b", "--dry-run")
        assert [r["reason"] for r in found["removed"]] == ["the cache is larger than 600 kB"] * 2
    assert "WOULD REMOVE" in lab.run("cache", "gc", "--max-size", "0b", "--dry-run").stdout
    assert snapshots(lab) == ["large", "small"]
    assert lab.json("cache", "explain", "--env", str(projects["small"]))["result"] == "hit"


def test_what_is_in_use_and_what_is_somebody_elses_stays(lab: Lab, projects: dict[str, Path]) -> None:
    image = next(s["image"] for s in lab.json("cache", "show")["snapshots"] if s["environment"] == "small")
    # Made from ours by somebody: it has all our labels, and is theirs.
    foreign = f"fumehood-test/theirs-{uuid.uuid4().hex[:8]}"
    container = docker("create", "--network", "none", image, "true")
    docker("commit", container, foreign)
    unnamed = docker("commit", container)
    using = docker("create", "--network", "none", image, "true")
    docker("rm", container)
    try:
        assert gc(lab, "--max-age", "0s", "--max-size", "0b").keys() == {"snapshot large"}
        assert snapshots(lab) == ["small"]
        assert docker("container", "inspect", "-f", "{{.State.Status}}", using) == "created"
        docker("image", "inspect", foreign, unnamed)
    finally:
        docker("rm", using)
        docker("rmi", foreign, unnamed)
    assert gc(lab, "--max-age", "0s").keys() == {"snapshot small"}
    assert snapshots(lab) == []


def test_images_of_tasks_and_builds_that_are_no_longer_needed(lab: Lab) -> None:
    text = environment(name="built", more='[image]\nbuild = "Dockerfile"\n')
    folder = lab.project("built", text, {"Dockerfile": f"FROM {BASE_IMAGE}\nRUN echo 1 > /one\n"})
    assert lab.task(folder)["status"] == "ready"
    (folder / "Dockerfile").write_text(f"FROM {BASE_IMAGE}\nRUN echo 2 > /two\n")
    assert lab.task(folder)["status"] == "ready"
    assert gc(lab) == {"build built": "its Dockerfile or context changed"}
    assert lab.task(folder)["cache"]["result"] == "hit"
    lab.run("cache", "reset", "--env", str(folder))
    (folder / "fumehood.toml").unlink()
    assert gc(lab) == {"build built": f"{folder}/fumehood.toml is gone"}


def test_what_a_killed_supervisor_left(lab: Lab) -> None:
    folder = lab.project("killed", environment(name="killed", command="sleep 300", more="[cache]\nenabled = false\n"))
    task = lab.json("exec", "--env", str(folder), "go")["id"]
    while lab.json("status", task)["phase"] != "agent":
        time.sleep(0.1)
    # While it lives, nothing of it goes.
    assert gc(lab) == {}
    marker = str(Path("tasks", task))
    for process in Path("/proc").glob("[0-9]*"):
        try:
            open_files = [str(link.readlink()) for link in (process / "fd").iterdir()]
        except OSError:
            continue
        if any(f"{marker}/" in path for path in open_files):
            os.kill(int(process.name), signal.SIGKILL)
    while not lab.containers(task):
        time.sleep(0.1)
    gc(lab)
    assert lab.containers(task) == []
    assert lab.json("status", task)["status"] == "interrupted"
    # What its agent did stays, and so what it stands on.
    subprocess.run(["docker", "rm", *lab.kept(task)], check=True, capture_output=True)
    assert gc(lab)["task base killed"] == "its task has ended"


def test_it_happens_by_itself_when_a_task_ends(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    state = tmp_path / "state" / "fumehood"
    state.mkdir(mode=0o700, parents=True)
    (state / "collected").touch()
    os.utime(state / "collected", (0, 0))
    try:
        folder = lab.project("hourly", environment(name="hourly"))
        assert lab.task(folder, env={"FUMEHOOD_CACHE_MAX": "1b"})["status"] == "ready"
        log = state / "supervisors.log"
        while "the cache is larger than 1 B" not in (log.read_text() if log.exists() else ""):
            time.sleep(0.1)
        assert snapshots(lab) == []
        # Not again within the hour.
        assert time.time() - (state / "collected").stat().st_mtime < 3600
    finally:
        lab.clean_up()
