"""Images: built from a Dockerfile without a network, listed with who uses them, refused when unfit (SPEC E1, B07)."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.cache import snapshots
from engine.containers import images
from engine.containers.endpoint import connect
from tests.docker.conftest import BASE_IMAGE, Lab, environment

pytestmark = pytest.mark.docker

BUILD = '[image]\nbuild = "Dockerfile"\n'
DOCKERFILE = f"FROM {BASE_IMAGE}\nCOPY note /note\nRUN cat /note > /opt/built\n"


def project(lab: Lab, name: str, dockerfile: str, files: dict[str, str] | None = None, **more: str) -> Path:
    text = environment(name=name, more=BUILD, **more)
    return lab.project(
        name, text, {"Dockerfile": dockerfile, "note": "one\n", ".dockerignore": "README\n", **(files or {})}
    )


def notices(lab: Lab, task: str) -> str:
    return "\n".join(e["text"] for e in lab.events(task) if e["type"] == "notice")


def own_images(lab: Lab, name: str) -> list[str]:
    return [
        n for i in lab.json("image", "list")["images"] for n in i["names"] if n.startswith(f"fumehood/build-{name}-")
    ]


def test_it_is_built_when_its_files_changed_and_not_otherwise(lab: Lab) -> None:
    folder = project(lab, "made", DOCKERFILE, setup="date +%N > /opt/when", command="cat /opt/built; cat /opt/when")
    assert "is not there yet" in lab.json("cache", "explain", "--env", str(folder))["reason"]
    first = lab.task(folder)
    assert first["status"] == "ready", first["error"]
    said = notices(lab, first["id"])
    assert "building the image from Dockerfile" in said
    assert "LABEL" not in said
    assert "step 3: RUN cat /note" in said
    assert lab.output(first["id"], "agent").startswith("one\n")
    assert len(own_images(lab, "made")) == 1

    # What .dockerignore leaves out has no part in it.
    (folder / "README").write_text("changed\n")
    second = lab.task(folder)
    assert second["cache"]["result"] == "hit"
    assert "building" not in notices(lab, second["id"])

    # A file that no step uses comes to the same image: nothing is set up again.
    (folder / "other").write_text("x")
    third = lab.task(folder)
    assert third["cache"]["result"] == "hit"
    assert len(own_images(lab, "made")) == 1

    (folder / "note").write_text("two\n")
    fourth = lab.task(folder)
    assert (fourth["cache"]["result"], fourth["cache"]["changed"]) == ("miss", ["image changed"])
    assert lab.output(fourth["id"], "agent").startswith("two\n")


def test_a_build_has_no_network(lab: Lab) -> None:
    folder = project(
        lab, "offline", f"FROM {BASE_IMAGE}\nRUN tail -n +3 /proc/net/dev; tail -n +2 /proc/net/route; false\n"
    )
    done = lab.run("exec", "--env", str(folder), "--wait", "go")
    told = done.stdout + done.stderr
    assert done.returncode == 1
    assert "failed at step 2: RUN tail" in told
    assert "RUN has no network here" in told
    printed = told.split("returned a non-zero code: 1")[1].split("RUN has no network")[0]
    assert [line.split(":")[0].strip() for line in printed.splitlines() if line.strip()] == ["lo"]
    # Every attempt to build says so again; nothing is left.
    assert own_images(lab, "offline") == []


@pytest.mark.parametrize(
    ("name", "dockerfile", "said"),
    [
        ("adds", "FROM scratch\nADD http://127.0.0.1/x /x\n", "ADD with an address"),
        ("nothing", "", "cannot be empty"),
        ("wrong", "FRO scratch\n", "unknown instruction: FRO"),
        ("missing", "FROM scratch\nCOPY none /\n", "COPY failed"),
        ("ignored", "FROM scratch\nCOPY README /\n", "COPY failed"),
        ("nowhere", "FROM localhost:1/no/where:x\n", "localhost:1"),
    ],
)
def test_builds_that_cannot_be_done_say_why(lab: Lab, name: str, dockerfile: str, said: str) -> None:
    done = lab.run("exec", "--env", str(project(lab, name, dockerfile)), "--wait", "go")
    told = done.stdout + done.stderr
    assert done.returncode in (1, 2), told
    assert said in told
    assert "Traceback" not in told


def test_a_cancelled_build_ends_at_once(lab: Lab) -> None:
    folder = project(lab, "slow", f"FROM {BASE_IMAGE}\nRUN echo begun-{lab.home.name}; sleep 300\n")
    task = lab.json("exec", "--env", str(folder), "go")["id"]
    while "begun" not in notices(lab, task):
        assert lab.json("status", task)["status"] != "error", lab.json("status", task)
        time.sleep(0.1)
    lab.run("cancel", task)
    while (status := lab.json("status", task)["status"]) == "in_progress":
        time.sleep(0.1)
    assert status == "cancelled"
    running = "{{.ID}} {{.Command}}"
    while (
        f"begun-{lab.home.name}"
        in subprocess.run(
            ["docker", "ps", "--no-trunc", "--format", running], check=True, capture_output=True, text=True
        ).stdout
    ):
        time.sleep(0.1)


def test_the_list_says_who_uses_an_image(lab: Lab) -> None:
    folder = lab.project("lists", environment(name="lists"))
    assert lab.task(folder)["status"] == "ready"
    listed = lab.json("image", "list", cwd=folder)["images"]
    base = next(i for i in listed if BASE_IMAGE in i["names"])
    assert base["environments"] == ["lists"]
    assert "lists" in base["snapshots"]
    # Snapshots stand in `cache show`, with what they add alone.
    assert not [n for i in listed for n in i["names"] if n.startswith("fumehood/lists-")]
    shown = next(s for s in lab.json("cache", "show")["snapshots"] if s["environment"] == "lists")
    assert 0 < shown["size_bytes"] < base["size_bytes"] / 10
    assert "snapshot of" in lab.run("image", "list", cwd=folder).stdout


VARIANTS = {
    "entry": ['ENTRYPOINT ["false"]', 'CMD ["nothing"]'],
    "user": ["RUN useradd --create-home --uid 1000 dev", "USER 1000"],
    "workdir": ["WORKDIR /not/there", 'RUN ["rmdir", "/not/there"]'],
    "health": ["HEALTHCHECK --interval=1s CMD touch /tmp/asked"],
    "volume": ["VOLUME /data"],
}


@pytest.fixture(scope="module")
def variants(lab: Lab) -> Iterator[dict[str, str]]:
    """Images that are odd in one way each."""
    names = {}
    for name, lines in VARIANTS.items():
        names[name] = f"fumehood-test/{name}-{uuid.uuid4().hex[:8]}"
        text = "\n".join([f"FROM {BASE_IMAGE}", *lines])
        subprocess.run(
            ["docker", "build", "-q", "--network", "none", "-t", names[name], "-"],
            input=text, text=True, check=True, capture_output=True, env={**lab.variables, "DOCKER_BUILDKIT": "0"},
        )  # fmt: skip
    yield names
    lab.clean_up()
    subprocess.run(["docker", "rmi", *names.values()], check=True, capture_output=True)


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_odd_images_work(lab: Lab, variants: dict[str, str], name: str) -> None:
    text = environment(
        name=f"odd-{name}",
        setup="mkdir -p ~/made && touch ~/made/here",
        command="ls -d ~/made/here; ls /tmp/asked; id -u; touch new",
        more=f'[image]\nname = "{variants[name]}"\n',
    )
    state = lab.task(lab.project(f"odd-{name}", text))
    assert state["status"] == "ready", json.dumps(state)
    assert state["attempts"][0]["diff"]["files_changed"] == 1
    assert "made/here\n" in lab.output(state["id"], "agent")


def archive(architecture: str, name: str) -> bytes:
    """An image with nothing in it, as `docker load` takes it."""
    layer = io.BytesIO()
    tarfile.open(fileobj=layer, mode="w").close()
    data = layer.getvalue()
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(data).hexdigest()}"]},
        }
    ).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for path, content in {"config.json": config, "layer.tar": data, "manifest.json": manifest}.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return whole.getvalue()


@pytest.mark.parametrize(("architecture", "said"), [("arm64", "is made for arm64"), ("amd64", "has no ")])
def test_images_in_which_nothing_runs_are_named(lab: Lab, architecture: str, said: str) -> None:
    name = f"fumehood-test/empty-{uuid.uuid4().hex[:8]}:1"
    subprocess.run(["docker", "load"], input=archive(architecture, name), check=True, capture_output=True)
    try:
        text = environment(name=architecture, more=f'[image]\nname = "{name}"\n')
        done = lab.run("exec", "--env", str(lab.project(architecture, text)), "--wait", "go")
        assert done.returncode == 1
        told = done.stdout + done.stderr
        assert f"image {name} {said}" in told
        assert "has no git" not in told
    finally:
        subprocess.run(["docker", "rmi", "-f", name], check=True, capture_output=True)


def test_a_snapshot_removed_while_they_are_listed_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that lost its name is looked at once more: the cleaning of another task may have been faster."""
    gone = images.Image(f"sha256:{0:064}", (), 1, 0.0, {"fumehood": "1"})
    monkeypatch.setattr(images, "labelled", lambda *_: [gone])
    assert snapshots.of_environment(connect(), "any") == []
