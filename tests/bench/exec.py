"""What one command of an agent costs, against `docker exec` of the same command in the same run.

    python tests/bench/exec.py [--runs 20]

A replay agent runs `true` again and again in its container; from `command.started` to `command.finished` is the cost.
Between two of its commands, `docker exec` runs the same in a container of its own. Medians and their ratio are printed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import threading
import time

from ends.lab import container, laboratory, run


def docker_exec(container: str) -> float:
    """Seconds of one `docker exec`."""
    began = time.perf_counter()
    run(["docker", "exec", container, "bash", "-lc", "true"])
    return time.perf_counter() - began


def main() -> None:
    """Run and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=20)
    runs = options.parse_args().runs
    steps = [{"shell": "true", "delay": 0.15} for _ in range(runs)] + [{"final": "done"}]
    agent, files = 'use = "replay"\nplan = "plan.json"\n', {"plan.json": json.dumps({"steps": steps})}
    with container() as beside, laboratory() as lab, lab.project(agent, files) as project:
        floors: list[float] = []
        running = threading.Event()
        running.set()

        def compare() -> None:
            while running.is_set():
                floors.append(docker_exec(beside))
                time.sleep(0.15)

        thread = threading.Thread(target=compare)
        thread.start()
        state = lab.task(project)
        running.clear()
        thread.join()
        events = lab.events(state["id"])
        started = {e["id"]: e["ts"] for e in events if e["type"] == "command.started"}
        ours = [e["ts"] - started[e["id"]] for e in events if e["type"] == "command.finished"]
    floor, median = statistics.median(floors), statistics.median(ours)
    print(f"{'docker exec':<22} median {floor * 1000:6.0f} ms  x 1.00  (n={len(floors)})")
    print(f"{'a command of an agent':<22} median {median * 1000:6.0f} ms  x {median / floor:.2f}  (n={len(ours)})")


if __name__ == "__main__":
    main()
