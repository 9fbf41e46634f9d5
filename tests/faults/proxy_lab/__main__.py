"""`python -m tests.faults.proxy_lab`: every case, what became of it without and with inspection, and the totals."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.faults.proxy_lab.cases import CASES
from tests.faults.proxy_lab.inside import Outcome
from tests.faults.proxy_lab.lab import MODES, LabFailed, missing, outcomes


def main() -> int:
    """The command: 1 when more leaks than what is hidden in TLS without inspection, or something is broken."""
    if reason := missing():
        print(f"the lab cannot run: {reason}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = outcomes(Path(folder))
        except LabFailed as fault:
            print(fault, file=sys.stderr)
            return 2
    print("Who may be reached, and what was answered without inspection and with it.\n")
    width = max(len(case.name) for case in CASES)
    for case in CASES:
        cells = (_cell(found[mode][case.name]) for mode in MODES)
        print(f"{case.name:{width}}  {case.reaches or 'nobody':14} {'   '.join(cells)}".rstrip())
    bad = False
    for mode in MODES:
        leaks = {name for name, outcome in found[mode].items() if outcome.leaks}
        broken = {name: outcome.broken for name, outcome in found[mode].items() if outcome.broken}
        print(f"\n{mode}: {len(CASES)} cases, {len(leaks)} leaks {sorted(leaks)}, {len(broken)} broken {broken or ''}")
        bad = bad or bool(broken) or leaks != {case.name for case in CASES if case.hidden and mode == "spliced"}
    return int(bad)


def _cell(outcome: Outcome) -> str:
    text = outcome.answer
    if outcome.broken:
        text = f"BROKEN {outcome.broken}"
    if outcome.leaks:
        text = f"LEAK {', '.join(outcome.leaks)}"
    return f"{text:32}"


if __name__ == "__main__":
    sys.exit(main())
