"""A connection lost while an agent works; `make faults` loses one in each (SPEC T4, SECURITY-CASES C03)."""

from __future__ import annotations

import random

import pytest

from tests.faults.matrix import PLACES
from tests.faults.ssh_cuts import cuts
from tests.terminal.test_ssh import SSHD

pytestmark = [
    pytest.mark.docker,
    pytest.mark.terminal,
    pytest.mark.timeout(300),
    pytest.mark.skipif(SSHD is None, reason="openssh is not installed"),
]


def test_a_second_login_shows_the_task_and_the_task_ends_well() -> None:
    (found,) = cuts([place for place in PLACES if place.phase == "agent"], random.Random(7))
    assert found.verdict.good, found
