"""From a save to the start of maintenance, against what is left of it without us, in the same run.

    python tests/bench/watch.py [--runs 10]

ours    a watched file is saved → the maintenance script has started, while `fumehood watch` runs
floor   the same file is saved → watchfiles has told a callback → `docker exec` has started `true` in a container

Both write the time inside the container's first line of output as it arrives here. Medians and their ratio are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from start import FUMEHOOD, IMAGE, ROOT, Watched, make_project, run

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
    beside = run(["docker", "run", "-d", "--init", "--network", "none", IMAGE, "sleep", "infinity"]).strip()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            home = Path(scratch)
            names = ("CONFIG", "STATE", "CACHE", "DATA")
            variables = {**os.environ, **{f"XDG_{n}_HOME": str(home / n.lower()) for n in names}}
            project, other = home / "project", home / "other"
            other.mkdir()
            agent = 'use = "command"\ncommand = ["true"]\n'
            make_project(project, f"{agent}{MAINTENANCE}", {"deps.lock": "start"})
            json.loads(
                run([*FUMEHOOD, "exec", "--env", str(project), "--wait", "--json", "go"], env=variables, cwd=ROOT)
            )
            watched = Watched(project, variables)
            watched.stands_by()
            floors, times = [], []
            for number in range(runs):
                time.sleep(4)
                floors.append(floor(beside, other))
                times.append(ours(project, home / "state", number))
            watched.close()
            run([*FUMEHOOD, "cache", "reset", "--env", str(project)], env=variables, cwd=ROOT)
    finally:
        subprocess.run(["docker", "rm", "-f", beside], check=True, stdout=subprocess.DEVNULL)
    base, median = statistics.median(floors), statistics.median(times)
    print(f"{'watchfiles + docker exec':<26} median {base * 1000:6.0f} ms  x 1.00  (n={runs})")
    print(
        f"{'save to maintenance':<26} median {median * 1000:6.0f} ms  x {median / base:.2f}  (n={runs}, max {max(times) * 1000:.0f})"
    )


if __name__ == "__main__":
    main()
