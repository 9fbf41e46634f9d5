"""What setup leaves for later shells, in images whose shells start in different ways (SPEC E5)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.docker.conftest import BASE_IMAGE, Lab, environment

pytestmark = pytest.mark.docker

# Debian's and Ubuntu's for users: it returns at once in a shell that is not interactive.
EARLY = r"printf 'case $- in\n *i*) ;;\n *) return;;\nesac\n' > ~/.bashrc"
RESET = r"printf 'PATH=/usr/bin:/bin\nexport PATH\n' > /etc/profile"
IMAGES = {
    "returns-early": f"RUN {EARLY}",
    "no-files": "RUN rm -f ~/.bashrc ~/.profile ~/.bash_profile",
    "other-user": f"RUN useradd -m -s /bin/bash dev\nUSER dev\nRUN {EARLY}",
    "profile-resets-path": f"RUN {RESET}",
    "profile-without-bashrc": "RUN echo 'export FROM_PROFILE=1' > ~/.bash_profile",
}
TOOL = "/opt/image-tool/bin"
DOCKERFILE = f"FROM {BASE_IMAGE}\nENV PATH={TOOL}:$PATH\nRUN mkdir -p {TOOL} && printf '#!/bin/sh\\necho tool' > {TOOL}/tool && chmod 755 {TOOL}/tool\n"

SETUP = """
export GONE=1
mkdir -p ~/added/bin && printf '#!/bin/sh\\necho mine' > ~/added/bin/mine && chmod 755 ~/added/bin/mine
echo 'export KEPT="from setup"' >> ~/.bashrc
echo 'export PATH="$HOME/added/bin:$PATH"' >> ~/.bashrc
"""
# What a shell sees: of setup's exports, of ~/.bashrc, of the PATH of the image and of setup; and its children.
LOOK = 'echo "${GONE:-gone} $KEPT ${LATER:-} $(tool) $(mine) $(bash -c mine) $(bash -lc "tool; mine" | tr -d "\\n") $(sh -c mine) $(id -un):$HOME"'
SEEN = "gone from setup {later} tool mine mine toolmine mine {who}\n"


@pytest.fixture(params=IMAGES)
def image(request: pytest.FixtureRequest, lab: Lab) -> Iterator[str]:
    """A variant of the base image, for one test."""
    name = f"fumehood-test/{request.param}-{lab.home.name}"
    text = f"{DOCKERFILE}{IMAGES[request.param]}\n"
    subprocess.run(
        ["docker", "build", "-q", "--network", "none", "-t", name, "-"],
        input=text,
        text=True,
        check=True,
        capture_output=True,
    )
    yield name
    lab.clean_up()
    subprocess.run(["docker", "rmi", name], check=True, capture_output=True)


def test_what_setup_leaves_holds_in_every_shell(lab: Lab, image: str) -> None:
    kind = image.split("/")[1].removesuffix(f"-{lab.home.name}")
    who = "dev:/home/dev" if kind == "other-user" else "root:/root"
    start = f"{LOOK}\necho 'export LATER=\"$LATER, from start\"' >> ~/.bashrc\necho up; sleep infinity"
    more = f"[image]\nname = '{image}'\n[start]\nscript = '''{start}'''\nready = '''{LOOK} >> /tmp/ready; grep -q LATER ~/.bashrc && grep -q start ~/.bashrc'''\n"
    maintenance = f"{LOOK}\necho 'export LATER=\"from maintenance\"' >> ~/.bashrc"
    text = environment(SETUP, maintenance, f"{LOOK}; echo ready:; tail -1 /tmp/ready", more, name=kind)
    project = lab.project(kind, text, {"plan.json": json.dumps({"steps": [{"shell": LOOK}, {"final": "done"}]})})
    state = lab.task(project)
    assert state["status"] == "ready", (state["error"], lab.output(state["id"]))

    maintained, started = (SEEN.format(later=later, who=who) for later in ("", "from maintenance"))
    worked = SEEN.format(later="from maintenance, from start", who=who)
    assert lab.output(state["id"], "maintenance") == maintained
    assert lab.output(state["id"], "start") == f"{started}up\n"
    assert lab.output(state["id"], "agent") == f"{worked}ready:\n{started}"

    # Another commit is brought along.
    (project / "fumehood.toml").write_text(text.replace('use = "command"', 'use = "replay"\nplan = "plan.json"'))
    lab.git(project, "commit", "-qam", "another agent")
    state = lab.task(project)
    assert (state["status"], state["cache"]["result"]) == ("ready", "hit")
    assert lab.output(state["id"], "agent") == worked


def test_the_images_path_holds_without_any_script(lab: Lab, image: str) -> None:
    kind = image.split("/")[1].removesuffix(f"-{lab.home.name}")
    text = environment(command='tool; printf "%s\\n" "$PATH"', more=f"[image]\nname = '{image}'\n", name=f"bare-{kind}")
    tool, path, _ = lab.output(lab.task(lab.project(f"bare-{kind}", text))["id"], "agent").split("\n")
    assert tool == "tool"
    # Nothing twice, the image's own first.
    entries = path.split(":")
    assert entries[0] == TOOL
    assert len(set(entries)) == len(entries)
