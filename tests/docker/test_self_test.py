"""The self-test tells the truth: all well behind a real gateway, bad as soon as anything is open (SPEC T2)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from engine.containers.container import Container, create
from engine.network.check import proof_target
from engine.network.policy import make_policy
from engine.network.registries import DISCOVER, parse
from engine.tasks.scripts import SELF_TEST_FULL, SELF_TEST_LIMITED, SELF_TEST_OFF
from engine.tasks.work import Work
from tests.docker.outlets import agent_outlet, laboratory

pytestmark = pytest.mark.docker

CUT_OFF = {
    "ok only the loopback interface",
    "ok no route",
    "ok a direct connection fails",
    "ok a datagram fails",
    "ok DNS fails",
}
PRIVATE = "ok the proxy refuses an address that is not public"
OUTSIDE = "ok the proxy refuses a name outside the allowlist"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Work, Container]]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CONFIG", "STATE", "CACHE", "DATA"):
            patch.setenv(f"XDG_{name}_HOME", str(tmp_path_factory.mktemp(name.lower())))
        with laboratory(tmp_path_factory.mktemp("lab")) as made:
            yield made


def findings(container: Container, script: str, target: str = "") -> set[str]:
    done = container.bash(script, target, timeout=10)
    lines = done.out.decode().splitlines()
    assert done.err == b""
    assert len(set(lines)) == len(lines)
    return set(lines)


def test_off(lab: tuple[Work, Container]) -> None:
    assert findings(lab[1], SELF_TEST_OFF) == CUT_OFF


def test_limited(lab: tuple[Work, Container]) -> None:
    work, container = lab
    registries = parse(container.bash(DISCOVER, "/", "/dev/null").out.decode()).entries
    policy = make_policy("limited", allow=["preset:registries"], registries=registries)
    target = proof_target(policy)
    assert target
    with agent_outlet(work, container, policy):
        found = findings(container, SELF_TEST_LIMITED, target)
        assert findings(container, SELF_TEST_LIMITED) == {*CUT_OFF, PRIVATE, OUTSIDE}
    # A registry that is slow just now is let through all the same.
    (last,) = found - {*CUT_OFF, PRIVATE, OUTSIDE}
    assert last in (f"ok {target} is reached", f"ok the proxy does not refuse {target}, which has not answered yet")


def test_full(lab: tuple[Work, Container]) -> None:
    work, container = lab
    with agent_outlet(work, container, make_policy("full")):
        assert findings(container, SELF_TEST_FULL) == {*CUT_OFF, PRIVATE}


def test_a_host_that_is_down_is_no_fault_of_the_policy(lab: tuple[Work, Container]) -> None:
    work, container = lab
    with agent_outlet(work, container, make_policy("limited", allow=["down.invalid"])):
        found = findings(container, SELF_TEST_LIMITED, "down.invalid:443")
    assert all(line.startswith("ok ") for line in found)
    assert any("down.invalid" in line for line in found)


def test_a_policy_that_is_not_the_one_meant_is_bad(lab: tuple[Work, Container]) -> None:
    work, container = lab
    with agent_outlet(work, container, make_policy("full")):
        (bad,) = findings(container, SELF_TEST_LIMITED) - {*CUT_OFF, PRIVATE}
        assert bad.startswith("bad the proxy does not refuse a name outside the allowlist: ")
    with agent_outlet(work, container, make_policy("limited", allow=["other.org"])):
        (bad,) = findings(container, SELF_TEST_LIMITED, "x.org:443") - {*CUT_OFF, PRIVATE, OUTSIDE}
        assert bad == "bad x.org:443 is not let through: 403 blocked-by-allowlist"


def test_no_relay_is_bad(lab: tuple[Work, Container]) -> None:
    found = findings(lab[1], SELF_TEST_LIMITED) - CUT_OFF
    assert len(found) == 2
    assert all(line.startswith("bad ") and line.endswith(": no answer") for line in found)


def test_a_listener_in_the_relays_place_is_bad(lab: tuple[Work, Container]) -> None:
    """It never answers: the self-test ends all the same."""
    _, container = lab
    listen = "import socket, time; s = socket.create_server(('127.0.0.1', 3128)); print(1, flush=True); time.sleep(60)"
    container.bash(
        f'coproc exec python3 -c "{listen}" 2>/dev/null; read -r -u "${{COPROC[0]}}"; echo "$COPROC_PID" > /tmp/pid; disown'
    )
    found = findings(container, SELF_TEST_FULL) - CUT_OFF
    container.bash('kill "$(cat /tmp/pid)"')
    assert found == {"bad the proxy does not refuse an address that is not public: no answer"}


def test_a_container_with_a_network_is_bad(lab: tuple[Work, Container]) -> None:
    work, container = lab
    spec = replace(work.container_spec(container.image, "task", 2), network="bridge")
    open_container = create(work.api, spec)
    try:
        open_container.start()
        found = findings(open_container, SELF_TEST_OFF)
    finally:
        open_container.remove()
    assert any(line.startswith("bad interfaces: ") for line in found)
    assert any(line.startswith("bad ") and line.endswith(" routes") for line in found)
    assert "bad a datagram could leave" in found
