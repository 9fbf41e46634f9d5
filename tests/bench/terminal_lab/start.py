"""From the start of the process to the first bytes, to the panes, to what they show; and the memory then."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from tests.bench.terminal_lab.driver import Program
from tests.bench.terminal_lab.figures import Report, interleaved, ratio
from tests.bench.terminal_lab.inputs import long_lines, small
from tests.bench.terminal_lab.lab import MINIMAL, Lab

SAID = "The small task is open."


def measure(lab: Lab, report: Report) -> None:
    """Each program in turn, again and again."""
    state = lab.state("start")
    small(state, said=SAID)
    log = lab.folder / "small.log"
    log.write_bytes(long_lines(0, 2000))

    def shown(start: Callable[[], Program], *texts: str) -> Callable[[], dict[str, float]]:
        def take() -> dict[str, float]:
            with start() as program:
                found = {text: (program.shows(text) - program.began) * 1000 for text in texts}
                program.rest(0.3)
                assert program.first is not None
                first = (program.first - program.began) * 1000
                return {"first": first, "painted": found[texts[0]], "shown": found[texts[-1]], "memory": program.memory}

        return take

    what = {
        "minimal": shown(lambda: lab.program(*MINIMAL), "a small app is open"),
        "fumehood": shown(lambda: lab.fumehood(state=state), "+ zoom", SAID),
        "less": shown(lambda: lab.program("less", str(log)), "00000001"),
    }
    if lab.toolong:
        what["toolong"] = shown(lambda: lab.program(lab.toolong, str(log)), "00001999")
    found = interleaved(what, 5 if lab.quick else 11)
    theirs = found["minimal"]
    report.title(
        f"start, median of {len(theirs['first'])} starts in turn; x: to the minimal Textual app in the same round"
    )
    for name, figures in found.items():
        times = {key: statistics.median(values) for key, values in figures.items()}
        report.line(
            name,
            f"first bytes {times['first']:5.0f} ms · painted {times['painted']:5.0f} ms"
            f" (min {min(figures['painted']):.0f}) x {ratio(figures['painted'], theirs['painted']):.2f}"
            f" · content {times['shown']:5.0f} ms x {ratio(figures['shown'], theirs['shown']):.2f}"
            f" · {times['memory']:.0f} MB",
        )
    ours = found["fumehood"]
    report.goal("skeleton", statistics.median(ours["first"]), 30, "ms")
    report.goal("first paint, x minimal Textual app", ratio(ours["painted"], theirs["painted"]), 1.3)
    report.goal("content of the task, x minimal Textual app", ratio(ours["shown"], theirs["shown"]), 1.3)
