"""The agent's network as the environment says: limited hosts get through, others are told why not (SPEC N1, N3, N6)."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.docker.conftest import Lab, environment
from tests.docker.test_control import start, supervisor_of, wait_for

pytestmark = pytest.mark.docker

REGISTRIES = '[network]\nagent = "limited"\nallow = ["preset:registries"]\n'


def test_a_limited_agent_reaches_the_registries_and_nothing_else(lab: Lab) -> None:
    command = """
python3 -m pip download -q --no-deps -d /tmp/p iniconfig && echo pip works
curl -s -o /dev/null -w '%{http_code} %header{x-proxy-error}\\n' http://refused.test/
curl -s https://refused.test/ || echo tunnel refused
timeout 3 bash -c 'exec 3<>/dev/tcp/198.51.100.1/443' 2>/dev/null || echo no way around
"""
    state = lab.task(lab.project("limited", environment("true", command=command, more=REGISTRIES)))
    assert state["status"] == "ready", state["error"]
    printed = lab.output(state["id"], "agent")
    assert "pip works" in printed
    assert "403 blocked-by-allowlist" in printed
    assert "tunnel refused" in printed
    assert "no way around" in printed
    assert (state["network"]["mode"], state["network"]["proven"], state["network"]["denied"]) == ("limited", True, 2)
    events = lab.events(state["id"])
    denied = [e for e in events if e["type"] == "network.request" and e["decision"] == "denied"]
    commands = [e["id"] for e in events if e["type"] == "command.started" and e["phase"] == "agent"]
    assert [(e["host"], e["command"], e["sure"]) for e in denied] == [("refused.test", commands[0], True)] * 2
    assert "refused" in lab.run("status", state["id"]).stdout or state["network"]["denied"] == 2


def test_an_agent_with_full_internet_still_reaches_no_private_address(lab: Lab) -> None:
    command = "curl -s -o /dev/null -m 5 -w '%{http_code}\\n' http://169.254.169.254/; curl -s -o /dev/null -m 5 -w '%{http_code}\\n' http://172.17.0.1/"
    state = lab.task(lab.project("full", environment(command=command, more='[network]\nagent = "full"\n')))
    assert lab.output(state["id"], "agent").split() == ["403", "403"]
    assert state["network"]["mode"] == "full"


def test_a_host_can_be_allowed_while_the_task_runs(lab: Lab) -> None:
    command = """
for i in $(seq 100); do
  code=$(curl -s -o /dev/null -m 5 -w '%{http_code}' http://allowed-later.invalid/)
  echo $code; [ $code = 403 ] || break; sleep 0.2
done
"""
    more = '[network]\nagent = "limited"\nallow = ["example.org"]\n'
    task = start(lab, lab.project("later", environment(command=command, more=more)))
    wait_for(lab, task, "command.output")
    assert lab.run("network", "allow", "allowed-later.invalid", "--task", task).returncode == 0
    wait_for(lab, task, "task.status", seconds=60, status="ready")
    printed = lab.output(task, "agent").split()
    assert (printed[0], printed[-1]) == ("403", "502")


def by_hand(*arguments: str) -> str:
    """What docker printed, told to do something by its user and not by us."""
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout


def test_a_snapshot_run_by_hand_has_no_network_of_ours(lab: Lab) -> None:
    """Neither the way out nor anything that leads to it; what docker itself gives to a container is docker's."""
    inspected = f"{REGISTRIES}inspect = true\n"
    assert lab.task(lab.project("byhand", environment("true", more=inspected, name="byhand")))["status"] == "ready"
    image = next(s["image"] for s in lab.json("cache", "show")["snapshots"] if s["environment"] == "byhand")
    config = by_hand("image", "inspect", "-f", "{{json .Config}}", image).lower()
    assert not [word for word in ("proxy", "3128", "node_options", "gateway", "relay") if word in config]
    script = """
env | grep -ciE 'proxy|NODE_OPTIONS'
(exec 3<>/dev/tcp/127.0.0.1/3128) 2>/dev/null && echo relay
find / -xdev -type s
ls /run/fumehood
"""
    for network in ((), ("--network", "none")):
        printed = by_hand("run", "--rm", *network, "--entrypoint", "bash", image, "-c", script)
        # The last is the empty folder that the repository was mounted on.
        assert printed.split() == ["0", "mirror"]


@pytest.mark.parametrize("phase", ["maintenance", "agent"])
def test_a_resumed_task_whose_gateway_was_killed_has_no_network(lab: Lab, phase: str) -> None:
    waits = "[ ! -e wait ] || { curl -s -o /dev/null -w '%{http_code}\\n' http://refused.invalid/; sleep 1000; }"
    scripts = {"maintenance" if phase == "maintenance" else "command": waits}
    project = lab.project(phase, environment("true", more=REGISTRIES, name=phase, **scripts))
    assert lab.task(project)["status"] == "ready"
    (project / "wait").touch()
    lab.git(project, "add", "wait")
    lab.git(project, "commit", "-qm", "wait")
    task = start(lab, project)
    wait_for(lab, task, "command.output", seconds=120)
    containers = lab.containers(task)
    assert len(containers) == 2
    os.kill(supervisor_of(lab, task), signal.SIGKILL)
    role = '{{index .Config.Labels "fumehood.role"}}'
    relay = next(c for c in containers if by_hand("inspect", "-f", role, c).strip() == "relay")
    (container,) = set(containers) - {relay}
    look = """
ls /sys/class/net; tail -n +2 /proc/net/route | wc -l
curl -s -m 5 -x http://127.0.0.1:3128 http://refused.invalid/ || echo no answer
"""
    for again in ((), ("restart", "-t", "0", relay), ("restart", "-t", "0", container)):
        if again:
            by_hand(*again)
        assert by_hand("exec", container, "bash", "-c", look).split("\n") == ["lo", "0", "no answer", ""]
    state = lab.json("status", task)
    assert state["cache"]["result"] == "hit"
    assert (state["status"], state["error"]["phase"]) == ("interrupted", phase)
    assert lab.containers(task) == []
    assert list(Path(f"/tmp/fumehood-{os.getuid()}").glob(f"{task}-*")) == []
    assert any(e["type"] == "run.started" for e in lab.events(task)) == (phase == "agent")


def test_a_killed_relay_is_replaced_under_the_same_policy(lab: Lab) -> None:
    command = """
curl -s -o /dev/null -w '%{http_code}\n' http://refused.test/
until [ -e /tmp/go ]; do sleep 0.05; done
curl -s -o /dev/null -w '%{http_code} %header{x-proxy-error}\n' http://refused.test/
python3 -m pip download -q --no-deps -d /tmp/p iniconfig && echo pip works
"""
    task = start(lab, lab.project("killed", environment("true", command=command, more=REGISTRIES)))
    wait_for(lab, task, "command.output")
    kill_relay(task)
    wait_for(lab, task, "network.restored")
    subprocess.run(["docker", "exec", containers(task)["task"], "touch", "/tmp/go"], check=True)
    wait_for(lab, task, "task.status", status="ready")
    assert lab.output(task, "agent").splitlines() == ["403", "403 blocked-by-allowlist", "pip works"]
    assert lab.json("status", task)["network"]["lost"] is False
    assert "network lost: the relay container ended" in lab.run("logs", task).stdout
    assert lab.containers(task) == []


def test_a_task_whose_relays_are_killed_again_and_again_has_no_network_and_says_so(lab: Lab) -> None:
    command = "echo up; until [ -e /tmp/go ]; do sleep 0.05; done; curl -s http://refused.test/ || echo nothing"
    task = start(lab, lab.project("lost", environment("true", command=command, more=REGISTRIES)))
    wait_for(lab, task, "command.output")
    for times in range(1, 4):
        kill_relay(task)
        wait_for_count(lab, task, "network.restored", times)
    kill_relay(task)
    wait_for_count(lab, task, "network.lost", 5)
    assert lab.json("status", task)["network"]["lost"] is True
    assert "network lost" in lab.run("status", task).stdout
    subprocess.run(["docker", "exec", containers(task)["task"], "touch", "/tmp/go"], check=True)
    wait_for(lab, task, "task.status", status="ready")
    assert lab.output(task, "agent").split() == ["up", "nothing"]
    lost = [event["reason"] for event in lab.events(task) if event["type"] == "network.lost"]
    assert lost == ["the relay container ended"] * 4 + ["its relay ended 4 times; it stays lost in this phase"]
    assert lab.containers(task) == []


def containers(task: str) -> dict[str, str]:
    """The containers of a task that run, by their role; none has a network of its own."""
    found = {}
    form = '{{index .Config.Labels "fumehood.role"}} {{.HostConfig.NetworkMode}}'
    argv = ["docker", "ps", "-q", "--filter", f"name=^/fumehood-{task}-"]
    for container in subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split():
        inspect = ["docker", "inspect", "-f", form, container]
        role, network = subprocess.run(inspect, check=True, capture_output=True, text=True).stdout.split()
        assert network == "none" or network.startswith("container:")
        found[role] = container
    return found


def kill_relay(task: str) -> None:
    subprocess.run(["docker", "kill", containers(task)["relay"]], check=True, capture_output=True)


def wait_for_count(lab: Lab, task: str, kind: str, count: int) -> None:
    """Until the task's journal has so many such events."""
    deadline = time.monotonic() + 60
    while sum(event["type"] == kind for event in lab.events(task)) < count:
        assert time.monotonic() < deadline, lab.events(task)[-3:]
