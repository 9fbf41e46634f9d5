"""Attacks on the gateway as raw bytes (SPEC N3, N4): whatever is sent, only the listed names are reached.

All of them run without and with inspection, against the real program, in namespaces of their own. The one difference is
asserted: without it, a request inside TLS may name another site behind the same address (domain fronting), and its
method is not seen. `python -m tests.faults.proxy_lab` prints each case.
"""

from __future__ import annotations

import os
import pickle

import pytest

from engine.state import locked
from tests.faults.proxy_lab.cases import CASES, Case
from tests.faults.proxy_lab.inside import Outcome
from tests.faults.proxy_lab.lab import MODES, Mode, missing, outcomes

Outcomes = dict[str, dict[str, Outcome]]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """What became of each case; tried once, however many processes run these tests."""
    if reason := missing():
        pytest.skip(reason)
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    kept = shared / "proxy_lab.pickle"
    with locked(shared / "proxy_lab.lock"):
        if not kept.exists():
            kept.write_bytes(pickle.dumps(outcomes(tmp_path_factory.mktemp("lab"))))
        found: Outcomes = pickle.loads(kept.read_bytes())
    return found


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_only_what_is_listed_is_reached(lab: Outcomes, case: Case, mode: Mode) -> None:
    outcome = lab[mode][case.name]
    assert not outcome.broken, outcome
    assert bool(outcome.leaks) == (case.hidden and mode == "spliced"), outcome


def test_only_what_tls_hides_leaks_and_only_without_inspection(lab: Outcomes) -> None:
    leaking = {mode: {name for name, outcome in lab[mode].items() if outcome.leaks} for mode in MODES}
    assert leaking["spliced"] == {"fronting", "fronting-absolute", "fronting-second", "method-in-tls"}
    assert leaking["inspected"] == set()


def test_no_case_stands_for_another() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
