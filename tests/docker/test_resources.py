"""What containers use is sampled while they work, and kept for tasks that have ended (SPEC W6)."""

from __future__ import annotations

import time

import pytest

from engine.containers.container import Limits, Spec, create
from engine.containers.endpoint import connect
from engine.containers.gauge import Gauge, from_stats
from engine.tasks import resources
from tests.docker.conftest import BASE_IMAGE, Lab, environment

pytestmark = pytest.mark.docker

BUSY = """
python3 -c '
import time
held = bytearray(96 << 20)
end = time.time() + 5
while time.time() < end: pass
open("/opt/written", "wb").write(bytes(20_000_000))
time.sleep(2)
'
"""


def used(lab: Lab, task: str) -> resources.Resources:
    """What was recorded of the first attempt of a task."""
    found = resources.read(resources.path_of(lab.home / "state" / "fumehood" / "tasks" / task, 1))
    assert found is not None
    return found


def test_setup_and_agent_are_sampled_within_their_limits(lab: Lab) -> None:
    text = environment("sleep 3", command=BUSY, more='[resources]\ncpus = 1\nmemory = "512m"\npids = 64\ndisk = "1g"\n')
    state = lab.task(lab.project("busy", text))
    assert state["status"] == "ready", state["error"]
    found = used(lab, state["id"])
    assert found.limits == resources.Limits(1, 512 << 20, 64, 1 << 30)
    assert [s.at for s in found.samples] == sorted(s.at for s in found.samples)
    assert max(sample.memory for sample in found.samples) > 96 << 20
    assert max(sample.pids for sample in found.samples) > 1
    assert 0.2 < max(sample.cpus for sample in found.samples) < 1.5
    assert max(sample.disk or 0 for sample in found.samples) > 1000
    assert len(found.samples) <= 4 + (found.samples[-1].at - found.samples[0].at) / 2


def test_the_engine_and_the_kernel_say_the_same() -> None:
    api = connect()
    image = api.image(BASE_IMAGE)["Id"]
    container = create(
        api, Spec(image, f"fumehood-gauge-{time.monotonic_ns()}", BASE_IMAGE, {}, Limits(1, 1 << 28, 64))
    )
    try:
        gauge = Gauge(container)
        assert gauge.read() is None
        container.start()
        read = gauge.read()
        told = from_stats(api.stats(container.id))
        assert read is not None
        assert told is not None
        assert gauge.quick
        assert 0 < read.cpu_seconds <= told.cpu_seconds + 0.01
        assert abs(read.memory - told.memory) < 16 << 20
        assert read.pids >= 1
        container.stop()
        assert gauge.read() is None
        assert from_stats(api.stats(container.id)) is None
    finally:
        container.remove()
