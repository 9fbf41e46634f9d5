"""From a save to the start of maintenance, against what is left of it without us, in the same run.

    python tests/bench/watch.py [--runs 10]

ours    a watched file is saved → the maintenance script has started, while `fumehood watch` runs
floor   the same file is saved → watchfiles has told a callback → `docker exec` has started `true` in a container

Both write the time inside the container's first line of output as it arrives here. Medians and their ratio are printed.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from pathlib import Path

from ends.lab import TRUE, container, laboratory, run
from start import Watched

MAINTENANCE = """[maintenance]
script = "echo started"
watch = ["deps.lock"]
"""


def floor(container: str, folder: Path) -> float:
    """Seconds from the save to the output of a command that a watchfiles callback ran."""
    from watchfiles import watch

    file, stop = folder / "deps.lock", threading.Event()
    threading.Timer(0.3, lambda: file.write_text(str(time.time()))).start()
    for _ in watch(folder, stop_event=stop):
        run(["docker", "exec", container, "bash", "-lc", "echo started"])
        return time.time() - float(file.read_text())
    raise RuntimeError("watchfiles told nothing")


def ours(project: Path, state: Path, number: int) -> float:
    """Seconds from the save to the first output of the maintenance script."""
    jobs = state / "fumehood/keeper/jobs"
    known = {path for path in jobs.glob("*/output/*.log") if path.stat().st_size}
    began = time.time()
    (project / "deps.lock").write_text(str(number))
    while True:
        for path in jobs.glob("*/output/*.log"):
            if path not in known and path.stat().st_size:
                return path.stat().st_mtime - began
        if time.time() - began > 60:
            raise RuntimeError("maintenance did not start")
        time.sleep(0.002)


def main() -> None:
    """Run and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=10)
    runs = options.parse_args().runs
    floors, times = [], []
    files = {"deps.lock": "start"}
    with container() as beside, laboratory() as lab, lab.project(TRUE + MAINTENANCE, files) as project:
        other = lab.folder / "other"
        other.mkdir()
        lab.task(project)
        watched = Watched(lab, project)
        watched.stands_by()
        for number in range(runs):
            time.sleep(4)
            floors.append(floor(beside, other))
            times.append(ours(project, lab.folder / "state", number))
        watched.close()
    base, median = statistics.median(floors), statistics.median(times)
    print(f"{'watchfiles + docker exec':<26} median {base * 1000:6.0f} ms  x 1.00  (n={runs})")
    print(
        f"{'save to maintenance':<26} median {median * 1000:6.0f} ms  x {median / base:.2f}  (n={runs}, max {max(times) * 1000:.0f})"
    )


if __name__ == "__main__":
    main()
