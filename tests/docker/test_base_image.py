from __future__ import annotations

import docker
import pytest

from engine.containers.bootstrap import BASE_IMAGE, current_image
from engine.containers.endpoint import sdk
from engine.containers.host_ca import extra_certificates

pytestmark = pytest.mark.docker

TOOLS = ("bash", "curl", "git", "less", "node", "npm", "pip", "ps", "python", "python3", "rg", "update-ca-certificates")


@pytest.fixture(scope="module")
def client() -> docker.APIClient:
    return sdk()


def run(client: docker.APIClient, script: str) -> str:
    container = client.create_container(
        BASE_IMAGE, ["bash", "-c", script], host_config=client.create_host_config(network_mode="none")
    )
    try:
        client.start(container)
        code = client.wait(container)["StatusCode"]
        output = client.logs(container).decode()
    finally:
        client.remove_container(container, force=True)
    assert code == 0, output
    return output


def test_the_image_is_of_todays_recipe() -> None:
    assert current_image() is not None


def test_the_tools_are_there_and_installed_whole(client: docker.APIClient) -> None:
    assert run(client, f"for tool in {' '.join(TOOLS)}; do command -v $tool >/dev/null || echo $tool; done") == ""
    assert run(client, "dpkg --audit") == ""


def test_pip_installs_outside_a_venv(client: docker.APIClient) -> None:
    script = r"""
    mkdir /tmp/p && cd /tmp/p && echo 'value = 42' > answer.py
    printf '[project]\nname = "answer"\nversion = "1"\n[tool.setuptools]\npy-modules = ["answer"]\n' > pyproject.toml
    pip install -q --no-index --no-build-isolation --root-user-action ignore . && cd /
    python -c 'import answer; print(answer.value)'
    """
    assert run(client, script) == "42\n"


def test_nothing_of_this_machine_but_mirror_and_authorities_is_inside(client: docker.APIClient) -> None:
    script = "ls /debootstrap /var/cache/apt/archives/*.deb /var/lib/apt/lists/* 2>/dev/null; stat -c %a / /root /tmp"
    assert run(client, script).split() == ["755", "700", "1777"]


def test_added_authorities_survive_an_update_of_the_store(client: docker.APIClient) -> None:
    script = """
    count() { grep -c BEGIN /etc/ssl/certs/ca-certificates.crt; }
    before=$(count); update-ca-certificates --fresh >/dev/null 2>&1; echo $before $(count)
    ls /usr/local/share/ca-certificates | wc -l
    """
    before, after, added = run(client, script).split()
    assert before == after
    assert int(added) == len(extra_certificates())
