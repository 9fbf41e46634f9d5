"""Cancelling in a few places on a task's way; `make faults` does it a hundred times in all of them (SPEC T7)."""

from __future__ import annotations

import random

import pytest

from tests.docker.conftest import Lab, lab
from tests.faults.cancel import PLACES, make_project, trial

__all__ = ["lab"]

pytestmark = [pytest.mark.docker, pytest.mark.timeout(200)]

QUICK = ("pending", "setup, stubborn", "snapshot", "checkout", "command, stubborn", "collect")


def test_a_cancelled_task_ends_and_leaves_nothing(lab: Lab) -> None:
    project, chance = make_project(lab), random.Random(7)
    places = [place for place in PLACES if place.name in QUICK]
    assert len(places) == len(QUICK)
    results = [trial(lab, project, place, chance) for place in places]
    assert [result for result in results if not result.good] == []
    assert sum(not result.late for result in results) >= 4
