"""Faults in a few phases of a task; `make faults` lets all of them happen in every phase (SPEC T8)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.matrix import FAULTS, PLACES, Ground, cell, missing, ordinary, with_small_disk

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

QUICK = (
    ("setup", "supervisor"),
    ("snapshot", "container"),
    ("checkout", "hangup"),
    ("maintenance", "relay"),
    ("collect", "supervisor"),
)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ordinary(tmp_path_factory.mktemp("matrix")) as made:
        yield made


def happens(ground: Ground, phase: str, fault: str) -> None:
    place = next(place for place in PLACES if place.phase == phase)
    found = cell(ground, place, next(one for one in FAULTS if one.name == fault), random.Random(7))
    assert found.verdict.good, found


@pytest.mark.parametrize(("phase", "fault"), QUICK)
def test_nothing_is_lost_left_or_called_done(ground: Ground, phase: str, fault: str) -> None:
    happens(ground, phase, fault)


@pytest.mark.skipif(bool(missing("disk")), reason=missing("disk"))
def test_a_full_disk_ends_a_task_that_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with with_small_disk(tmp_path) as ground:
        happens(ground, "agent", "disk-full")
