"""The file of samples: bounded, its peaks kept, whatever is half written or damaged passed over."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.containers.gauge import Usage, from_stats
from engine.tasks.resources import MOST, Limits, ResourceFile, Resources, Sample, merged, read

LIMITS = Limits(2.0, 4 << 30, 512, 10 << 30)
SAMPLES = st.lists(
    st.builds(
        Sample,
        at=st.integers(0, 10_000).map(float),
        cpus=st.integers(0, 4).map(float),
        memory=st.integers(0, 1 << 40),
        pids=st.integers(0, 9999),
        disk=st.none() | st.integers(0, 1 << 40),
    ),
    max_size=40,
)


@given(SAMPLES)
def test_merging_keeps_peaks_and_the_last_moment(samples: list[Sample]) -> None:
    fewer = merged(samples)
    assert len(fewer) == (len(samples) + 1) // 2
    if samples:
        assert fewer[-1].at == samples[-1].at
    for name in ("cpus", "memory", "pids"):
        assert max((getattr(s, name) for s in fewer), default=0) == max((getattr(s, name) for s in samples), default=0)
    assert max((s.disk or 0 for s in fewer), default=0) == max((s.disk or 0 for s in samples), default=0)


def test_a_day_of_samples_stays_small(tmp_path: Path) -> None:
    path = tmp_path / "attempts" / "1" / "resources"
    file = ResourceFile(path, LIMITS)
    for number in range(3 * MOST):
        file.add(Sample(1e9 + 2 * number, 1.5, 7 if number != 5 else 99, 3, number))
    found = read(path)
    assert found is not None
    assert found.limits == LIMITS
    assert len(found.samples) <= MOST
    assert path.stat().st_size < 40_000
    assert max(sample.memory for sample in found.samples) == 99
    assert found.samples[-1].disk == 3 * MOST - 1


def test_a_file_that_is_there_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "resources"
    first, second = Sample(1.0, 0.5, 1, 1), Sample(2.0, 0.5, 2, 1, 7)
    ResourceFile(path, LIMITS).add(first)
    ResourceFile(path, LIMITS).add(second)
    assert read(path) == Resources(LIMITS, (first, second))


@pytest.mark.parametrize(
    "damage", [b"", b"[1,2", b"[1,2,3]\n", b'{"v":1}\n', b"[1,2,3,4,5]", b'["x",2,3,4,5]\n', b"null\n"]
)
def test_what_is_damaged_is_passed_over(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "resources"
    sample = Sample(1.0, 0.5, 1, 1)
    ResourceFile(path, LIMITS).add(sample)
    path.write_bytes(path.read_bytes() + damage)
    assert read(path) == Resources(LIMITS, (sample,))


@pytest.mark.parametrize("content", [b"", b"{}\n", b"\xff\n", b"[]\n", b'{"v":1,"cpus":null}\n'])
def test_a_file_of_something_else_is_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "resources").write_bytes(content)
    assert read(tmp_path / "resources") is None
    assert read(tmp_path / "missing") is None


def test_the_answers_of_engines() -> None:
    cpu, pids = {"cpu_usage": {"total_usage": 2_500_000_000}}, {"current": 4}
    first = {"memory_stats": {"usage": 100, "stats": {"total_inactive_file": 30, "inactive_file": 10}}}
    second = {"memory_stats": {"usage": 100, "stats": {"inactive_file": 40}}}
    assert from_stats({**first, "cpu_stats": cpu, "pids_stats": pids}) == Usage(2.5, 70, 4)
    assert from_stats({**second, "cpu_stats": cpu, "pids_stats": pids}) == Usage(2.5, 60, 4)
    assert from_stats({"memory_stats": {}, "cpu_stats": cpu}) is None
