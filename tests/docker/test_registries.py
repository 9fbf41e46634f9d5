"""Registries of a real image: what its clients say, and enough for them to work when nothing else is allowed (SPEC N3)."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from engine.containers import images
from engine.errors import NetworkError
from engine.network.policy import make_policy
from engine.tasks.registries import discover, of_image, recall
from engine.tasks.scripts import BASHRC, HOME
from tests.docker.outlets import agent_outlet, laboratory, requests, run

pytestmark = pytest.mark.docker

ASK = {
    "pip": "python3 -c 'from pip._internal.cli.cmdoptions import index_url; print(index_url().default)'",
    "npm": "npm config get registry",
    "apt": "grep -hoE 'https?://[^ ]+' -r /etc/apt/sources.list.d /etc/apt/sources.list 2>/dev/null",
}


def test_what_the_clients_are_configured_to_use_is_found(tmp_path: Path) -> None:
    with laboratory(tmp_path) as (_, container):
        found = discover(container, "/")
        assert found.notices == ()
        assert recall(container) == found
        for tool, question in ASK.items():
            urls = [urlsplit(url) for url in container.bash(question).out.decode().split()]
            asked = {(url.hostname, url.port or {"http": 80, "https": 443}[url.scheme]) for url in urls}
            assert asked
            assert asked <= {(one.host, one.port) for one in found.found if one.tool == tool}
        assert {one.tool for one in found.found} == set(ASK)


def test_mirrors_that_setup_configured_take_the_place_of_the_defaults(tmp_path: Path) -> None:
    setup = f"""
pip config --quiet set global.index-url https://me:hunter2@pip.mirror.test/simple/
npm config set registry https://npm.mirror.test/ && npm config set @acme:registry https://npm.acme.test:8443/
rm -f /etc/apt/sources.list.d/* && echo 'deb http://apt.mirror.test/debian x main' > /etc/apt/sources.list
mkdir -p {HOME} && echo 'export PIP_EXTRA_INDEX_URL=http://pip.acme.test/x' > {BASHRC}
"""
    with laboratory(tmp_path) as (_, container):
        assert container.bash(setup).exit_code == 0
        entries = set(discover(container, "/").entries)
    assert entries == {
        "=pip.mirror.test:443",
        "=pip.acme.test:80",
        "=npm.mirror.test:443",
        "=npm.acme.test:8443",
        "=apt.mirror.test:80",
    }


def test_a_snapshot_tells_its_registries(tmp_path: Path) -> None:
    with laboratory(tmp_path) as (work, container):
        with pytest.raises(NetworkError):
            of_image(work.api, container.image)
        found = discover(container, "/")
        image = container.commit("fumehood/registries-test", work.id, work.labels("base", 1))
        try:
            assert of_image(work.api, image) == found
        finally:
            images.remove(work.api, image)


CLIENTS = """
set -e
pip download --quiet --no-deps --dest /tmp/pip iniconfig && ls /tmp/pip | wc -l
npm view is-number name
apt-get update -qq && apt-cache policy tree | grep -c Candidate
curl -s -o /dev/null -w '%{http_connect}\\n' https://elsewhere.invalid/ || true
"""


def test_clients_work_when_nothing_but_registries_is_allowed(tmp_path: Path) -> None:
    with laboratory(tmp_path) as (work, container):
        policy = make_policy("limited", allow=["preset:registries"], registries=discover(container, "/").entries)
        with agent_outlet(work, container, policy) as variables:
            code, output = run(container, CLIENTS, variables)
        assert (code, output.split()) == (0, ["1", "is-number", "1", "403"]), output
        made = requests(work)
    assert {request.host for request in made if request.decision == "denied"} == {"elsewhere.invalid"}
    assert all("preset:registries" in request.rule for request in made if request.decision == "allowed")
