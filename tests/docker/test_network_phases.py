"""What each phase can reach: setup the public internet through the gateway, the agent nothing (SPEC N1, N2)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.docker.conftest import Lab, environment

pytestmark = pytest.mark.docker

LOOK = r"""
tail -n +2 /proc/net/route | wc -l
ls /sys/class/net
env | grep -ci proxy
for t in 198.51.100.66/80 172.17.0.1/22 169.254.169.254/80; do
  timeout 3 bash -c "exec 3<>/dev/tcp/$t" 2>/dev/null && echo "REACHED $t"
done
getent hosts example.org || echo no name
"""


def test_the_agent_has_loopback_only(lab: Lab) -> None:
    state = lab.task(lab.project("offline", environment(command=LOOK)))
    assert lab.output(state["id"], "agent").split("\n") == ["0", "lo", "0", "no name", ""]
    assert state["network"] == {"mode": "off", "proven": True, "lost": False, "allowed": 0, "denied": 0}


@pytest.fixture
def host_service() -> Iterator[int]:
    """A server on all addresses of this host that notes every connection."""
    with socket.create_server(("0.0.0.0", 0)) as server:
        server.settimeout(0.2)
        done = threading.Event()

        def serve() -> None:
            while not done.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nHOST")
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        done.set()
        thread.join()


def test_setup_reaches_no_address_of_the_host(lab: Lab, host_service: int) -> None:
    setup = f"""
for address in 127.0.0.1 172.17.0.1 169.254.169.254 localhost '[::1]' 0.0.0.0 2130706433; do
  curl -s -m 5 --noproxy '' -o /dev/null -w "%{{http_code}} $address\\n" "http://$address:{host_service}/" >> /opt/seen
  curl -s -m 5 --noproxy '*' "http://$address:{host_service}/" >> /opt/seen
done; true
"""
    state = lab.task(lab.project("host", environment(setup, command="cat /opt/seen")))
    seen = lab.output(state["id"], "agent")
    assert "HOST" not in seen
    assert "200" not in seen
    assert state["network"]["denied"] > 0
    refused = [e for e in lab.events(state["id"]) if e["type"] == "network.request" and e["decision"] == "denied"]
    assert {e["phase"] for e in refused} == {"setup"}
    assert all(e["reason"] for e in refused)


def test_setup_installs_from_pip_npm_and_apt(lab: Lab) -> None:
    setup = """
set -eu
python3 -m venv /opt/venv && /opt/venv/bin/pip install -q iniconfig
mkdir -p /opt/node && cd /opt/node && npm install --silent --no-audit --no-fund is-number
apt-get update -qq && apt-get install -y -qq --no-install-recommends tree >/dev/null
"""
    command = "/opt/venv/bin/python -c 'import iniconfig'; node -p 'require(\"/opt/node/node_modules/is-number\")(7)'; tree --version | cut -c1-4"
    state = lab.task(lab.project("installs", environment(setup, command=command)), timeout=280)
    assert state["status"] == "ready", state["error"]
    assert lab.output(state["id"], "agent").split() == ["true", "tree"]
    assert state["network"]["allowed"] >= 3
    assert not any(e["type"] == "network.request" and e["phase"] == "agent" for e in lab.events(state["id"]))


def test_maintenance_reaches_the_internet_again(lab: Lab) -> None:
    maintenance = "curl -s -o /dev/null -m 20 -w '%{http_code}\\n' http://example.org/ || true"
    project = lab.project("maintains", environment("true", maintenance))
    lab.task(project)
    state = lab.task(project)
    requests = [e for e in lab.events(state["id"]) if e["type"] == "network.request"]
    assert [e["phase"] for e in requests] == ["maintenance"]


def test_containers_are_locked_down(lab: Lab) -> None:
    command = "grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status; mknod /tmp/d b 8 0; mount -t tmpfs x /mnt; unshare -Ur true; ls /var/run/docker.sock /run/docker.sock; ulimit -c; true"
    state = lab.task(lab.project("locked", environment(command=command)))
    output = lab.output(state["id"], "agent")
    assert "CapEff:\t00000000000000cb" in output
    assert "NoNewPrivs:\t1" in output
    assert "Seccomp:\t2" in output
    assert output.lower().count("not permitted") + output.lower().count("permission denied") == 3
    assert output.count("No such file") == 2
