"""Faults in every phase of a task: nothing is lost, nothing is left, nothing is called done that is not (SPEC T8).

    python -m tests.faults.matrix [--phases setup,agent] [--faults engine-killed] [--seed 1]
    python -m tests.faults.matrix --kills 200 [--seed 1]

A cell brings a task into a phase, holds its supervisor still, lets the fault happen, and then does what a user would do
next: list the tasks. It is judged from outside, see `traces`. Prints a table, phases by faults, and what went wrong.
With `--kills`, processes and containers are killed at random moments instead (see `kills`).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.docker.conftest import Lab
from tests.docker.engine_lab import Engine, engine
from tests.faults import traces
from tests.faults.small_disk import MISSING, fill, small_disk
from tests.faults.traces import Verdict, docker, journal, until
from tests.screens.terminal import Terminal

# Seconds that a script takes in the phase that the fault is for.
_LONG = 1.5
# Seconds to the end of a task after a fault; where an engine has to come back first, its supervisor may wait a minute.
_SOON, _LATER = 30.0, 90.0
_TRIES = 3


@dataclass(frozen=True)
class Place:
    """A phase, and the environment of a task that stays in it for a moment."""

    phase: str
    fresh: bool = False
    setup: str = "true"
    maintenance: str = ""
    agent: str = "true"
    more: str = ""

    @property
    def container(self) -> str:
        """The role of the container that the phase is in."""
        return "setup" if self.phase in ("clone", "setup", "snapshot") else "task"


_SLOWLY = f"echo up; sleep {_LONG}"
PLACES = (
    Place("clone", fresh=True),
    Place("setup", fresh=True, setup=_SLOWLY),
    Place("snapshot", fresh=True, setup="head -c 60000000 /dev/urandom > /opt/large"),
    Place("resume"),
    Place("checkout"),
    Place("maintenance", maintenance=_SLOWLY),
    Place("agent", agent=_SLOWLY, more='[network]\nagent = "limited"\nallow = ["example.org"]\n'),
    Place("collect", agent="head -c 40000000 /dev/urandom > large"),
)


def environment(place: Place, chance: random.Random) -> str:
    """The text of the place's environment file; its agent makes a file in two steps, to tell a part from the whole."""
    setup = place.setup + (f"\n# {chance.random()}" if place.fresh else "")
    agent = f"echo half > made.txt; {place.agent}; echo whole >> made.txt"
    return (
        f"name = 'faults'\n[resources]\npids = 200\n[setup]\nscript = '''{setup}'''\n"
        f"[maintenance]\nscript = '''{place.maintenance}'''\n{place.more}"
        f"[agent]\nuse = 'command'\ncommand = ['bash', '-c', '''{agent}''']\n"
    )


@dataclass
class Ground:
    """Where trials take place: a laboratory, its projects, and what is special about its engine or its disk."""

    lab: Lab
    engine: Engine | None = None
    disk: Path | None = None
    projects: dict[str, Path] = field(default_factory=dict)

    def project(self, place: Place, chance: random.Random) -> Path:
        """A project with the place's environment file; places that build no snapshot share one, and so their snapshot."""
        name = f"faults-{place.phase if place.fresh else 'shared'}"
        if name not in self.projects:
            self.projects[name] = self.lab.project(name, "name = 'faults'\n")
        (self.projects[name] / "fumehood.toml").write_text(environment(place, chance))
        return self.projects[name]


@dataclass
class Trial:
    """One task on its way, and who watches it."""

    ground: Ground
    place: Place
    project: Path
    task: str
    watcher: subprocess.Popen[bytes]
    terminal: Terminal | None
    held: int = 0

    def hold(self) -> bool:
        """Stop the supervisor in its tracks; whether the task is in the phase."""
        self.held = traces.supervisor(self.ground.lab, self.task)
        if self.held:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.held, signal.SIGSTOP)
        return bool(self.held) and self.in_phase()

    def release(self) -> None:
        """Let the supervisor go on, if it lives."""
        if self.held:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.held, signal.SIGCONT)

    def in_phase(self) -> bool:
        """Whether the phase has begun and not ended."""
        of_phase = [e["type"] for e in journal(self.ground.lab, self.task) if e.get("phase") == self.place.phase]
        return [kind for kind in of_phase if kind.startswith("phase.")][-1:] == ["phase.started"]

    def over(self) -> bool:
        """Whether the task has ended."""
        last = [e["status"] for e in journal(self.ground.lab, self.task) if e["type"] == "task.status"][-1:]
        return bool(last) and last[0] in traces.ENDED

    def close(self) -> None:
        """End those who watch."""
        self.release()
        self.watcher.kill()
        self.watcher.wait()
        if self.terminal:
            self.terminal.close()


def begin(ground: Ground, place: Place, chance: random.Random, *, prompt: str = "go", workbench: bool = False) -> Trial:
    """Start a task, watched by the command line, and by the workbench too if asked for."""
    lab, project = ground.lab, ground.project(place, chance)
    folder = traces.state_home(lab) / "tasks"
    before = set(folder.glob("*"))
    terminal = None
    if workbench:
        inside = ["env", f"--chdir={project}"]
        terminal = Terminal([*inside, sys.executable, "-m", "tui", "--no-watch"], variables=lab.variables)
        terminal.until("faults", seconds=60)
    argv = [*lab.program, "exec", "--env", str(project), "--wait", prompt]
    quiet = subprocess.DEVNULL
    watcher = subprocess.Popen(argv, env=lab.variables, cwd=lab.home, stdin=quiet, stdout=quiet, stderr=quiet)
    made = until(lambda: [f for f in set(folder.glob("*")) - before if journal(lab, f.name)], 30, every=0.005)
    assert made, "no task began"
    return Trial(ground, place, project, made[0].name, watcher, terminal)


# -- faults ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """Something that happens to a task.

    Attributes:
        ends: how the task may end then.
        where: the phases it can happen in; all when empty.
        ground: what it takes: `engine` one of its own, `disk` a small one; `workbench` somebody who has that open.
        reached: when the phase is far enough for it.
        mend: puts things right again, before the user's next command.
        seconds: how long the task may take to its end.
        spares: whether the container with the agent's files is still there afterwards.
    """

    name: str
    strike: Callable[[Trial], None]
    ends: tuple[str, ...]
    where: tuple[str, ...] = ()
    ground: str = ""
    reached: Callable[[Trial], Any] = lambda trial: True
    mend: Callable[[Trial], None] = lambda trial: None
    seconds: float = _SOON
    spares: bool = True


def _kill_watcher(trial: Trial) -> None:
    trial.watcher.kill()


def _kill_workbench(trial: Trial) -> None:
    assert trial.terminal
    os.kill(trial.terminal.pid, signal.SIGKILL)


def _kill_supervisor(trial: Trial) -> None:
    os.kill(trial.held, signal.SIGKILL)


def _hang_up(trial: Trial) -> None:
    os.killpg(os.getsid(trial.held), signal.SIGHUP)


def _container(trial: Trial, role: str = "") -> list[str]:
    name = f"fumehood-{trial.task}-{role or trial.place.container}-1"
    return docker(trial.ground.lab, "ps", "-aq", "--filter", f"name=^/{name}$")


def _has_container(trial: Trial) -> bool:
    """Only a clone begins without; to ask in a phase of a few milliseconds would be too late."""
    return trial.place.phase != "clone" or bool(_container(trial))


def _remove_container(trial: Trial) -> None:
    docker(trial.ground.lab, "rm", "-f", *_container(trial))


def _kill_relay(trial: Trial) -> None:
    docker(trial.ground.lab, "kill", *_container(trial, "relay"))


def _engine_ends(how: signal.Signals) -> Callable[[Trial], None]:
    def strike(trial: Trial) -> None:
        assert trial.ground.engine
        # It has to see the engine go.
        threading.Timer(0.05, trial.release).start()
        trial.ground.engine.end(how)

    return strike


def _reboot(trial: Trial) -> None:
    """What a restart of the machine comes to: nobody is there any more, and only files are left."""
    assert trial.ground.engine
    trial.watcher.kill()
    os.kill(trial.held, signal.SIGKILL)
    trial.ground.engine.end(signal.SIGKILL)


def _engine_starts(trial: Trial) -> None:
    assert trial.ground.engine
    trial.ground.engine.start()


def _fill(trial: Trial) -> None:
    assert trial.ground.disk
    fill(trial.ground.disk)


def _make_room(trial: Trial) -> None:
    """Once the task has met the full disk: what a user sees then is read, too, before there is room again."""
    until(lambda: not traces.supervisor(trial.ground.lab, trial.task), 20)
    _, wrong = traces.readable(trial.ground.lab, trial.task)
    refused = trial.ground.lab.run("exec", "--env", str(trial.project), "another")
    assert trial.ground.disk
    (trial.ground.disk / "ballast").unlink()
    assert not wrong, f"while the disk was full: {wrong}"
    assert "Traceback" not in refused.stderr, f"another task while the disk was full: {refused.stderr[-300:]}"


FAULTS = (
    Fault("watcher", _kill_watcher, ("ready",)),
    Fault("workbench", _kill_workbench, ("ready",), ground="workbench"),
    Fault("hangup", _hang_up, ("ready",)),
    Fault("supervisor", _kill_supervisor, ("interrupted",)),
    Fault("container", _remove_container, ("interrupted",), reached=_has_container, spares=False),
    Fault(
        "relay",
        _kill_relay,
        ("ready",),
        where=("setup", "maintenance", "agent"),
        reached=lambda trial: any(e["type"] == "command.output" for e in journal(trial.ground.lab, trial.task)),
    ),
    Fault(
        "engine-killed",
        _engine_ends(signal.SIGKILL),
        ("interrupted",),
        ground="engine",
        mend=_engine_starts,
        seconds=_LATER,
    ),
    Fault(
        "engine-stopped",
        _engine_ends(signal.SIGTERM),
        ("interrupted",),
        ground="engine",
        mend=_engine_starts,
        seconds=_LATER,
    ),
    Fault("reboot", _reboot, ("interrupted",), ground="engine", mend=_engine_starts, seconds=_LATER),
    # What still fits into the last block of a file may be all that was to be written.
    Fault("disk-full", _fill, ("interrupted", "ready"), ground="disk", mend=_make_room),
)


# -- trials ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """What became of a task; `hit` is whether the fault met it in the phase."""

    phase: str
    fault: str
    hit: bool
    verdict: Verdict

    @property
    def word(self) -> str:
        """For the table."""
        found = self.verdict
        named = (("lost", found.lost), ("left", found.orphans), ("WRONG", found.wrong), ("state", found.state))
        return next((word for word, text in named if text), "ok" if self.hit else "missed")


def cell(ground: Ground, place: Place, fault: Fault, chance: random.Random) -> Cell:
    """Let a fault happen in a phase; again when the phase was over before it could."""
    for _ in range(_TRIES):
        found = _once(ground, place, fault, chance)
        if found.hit or not found.verdict.good:
            break
    return found


def _once(ground: Ground, place: Place, fault: Fault, chance: random.Random) -> Cell:
    trial = begin(ground, place, chance, workbench=fault.ground == "workbench")
    wrong = ""
    try:
        until(lambda: trial.in_phase() or trial.over(), 60, every=0.001)
        until(lambda: fault.reached(trial) or not trial.in_phase(), 10, every=0.001)
        time.sleep(chance.uniform(0, 0.3 if _LONG and "sleep" in environment(place, chance) else 0.02))
        hit = trial.hold() and bool(fault.reached(trial))
        if hit:
            try:
                fault.strike(trial)
                trial.release()
            finally:
                try:
                    fault.mend(trial)
                except AssertionError as error:
                    wrong = str(error)
    finally:
        trial.close()
    verdict = judge(ground, trial.task, fault.ends if hit else ("ready",), fault.seconds, spared=fault.spares)
    return Cell(place.phase, fault.name, hit, replace(verdict, state=verdict.state or wrong))


def judge(
    ground: Ground,
    task: str,
    ends: tuple[str, ...],
    seconds: float = _SOON,
    *,
    spared: bool = True,
    collected: bool = False,
) -> Verdict:
    """Do what a user does next, and look at what is there then.

    Args:
        spared: the container with the agent's files has to be there still; else a follow-up has to go on without.
        collected: somebody asked for the files of an agent that did not end.
    """
    lab = ground.lab
    # Most tasks end by themselves; for those that cannot, somebody has to look.
    until(lambda: not traces.supervisor(lab, task), seconds)
    until(lambda: _ended(lab, task), seconds, every=0.5)
    state, wrong_state = traces.readable(lab, task)
    status, reason = str(state.get("status", "")), str((state.get("error") or {}).get("message", ""))
    left = until(lambda: not traces.leftovers(lab, task), seconds, every=0.2) or traces.leftovers(lab, task)
    events = journal(lab, task)
    lost = traces.unended(events)
    if status not in traces.ENDED:
        lost = lost or f"it has no end: {status}"
    wrong = ""
    if status == "ready":
        wrong = _not_brought_out(lab, task, events) if collected else _not_done(lab, task, events)
    elif not lost:
        lost = _out_of_reach(lab, task, events, spared)
    if not (lost or wrong) and status not in ends:
        wrong = f"it is {status}, not {' or '.join(ends)}"
    orphans = "" if left is True else str(left)
    if unlisted := traces.unlisted_images(lab):
        orphans += f"; images not in the list: {', '.join(unlisted)}"
    return Verdict(status, reason, lost, orphans.lstrip("; "), wrong, wrong_state)


def _ended(lab: Lab, task: str) -> bool:
    state, _ = traces.readable(lab, task)
    return state.get("status") in traces.ENDED and not traces.supervisor(lab, task)


def _not_done(lab: Lab, task: str, events: list[dict[str, Any]]) -> str:
    """Why a task that says it is done is not."""
    codes = [e["exit_code"] for e in events if e["type"] == "run.finished"]
    if codes != [0]:
        return f"done with exit codes {codes}"
    diff = lab.run("diff", task).stdout
    return "" if "+half\n+whole\n" in diff else f"done with the diff {diff[:200]!r}"


def _not_brought_out(lab: Lab, task: str, events: list[dict[str, Any]]) -> str:
    """Why a task whose files were asked for, and are said to be there, does not have them."""
    agents = {e["id"] for e in events if e["type"] == "command.started" and e["phase"] == "agent"}
    printed = any(e["type"] == "command.output" and e["id"] in agents for e in events)
    diff = lab.run("diff", task).stdout
    # Its agent may have been about to begin.
    return "" if "+half" in diff or not (diff or printed) else f"brought out is {diff[:200]!r}"


def _out_of_reach(lab: Lab, task: str, events: list[dict[str, Any]], spared: bool) -> str:
    """Why what the agent did before the end cannot be had; empty when it can, or when there was nothing."""
    if any(e["type"] == "diff.ready" for e in events):
        return "" if "+half" in lab.run("diff", task).stdout else "its diff is not there"
    if not any(e["type"] == "run.started" for e in events):
        return ""
    collected = lab.run("collect", task, "--wait")
    if "+half" in lab.run("diff", task).stdout:
        return ""
    if not spared and "the container with the files is gone" in collected.stdout + collected.stderr:
        again = lab.run("follow-up", task, "--wait", "go")
        return "" if "+half" in lab.run("diff", task).stdout else f"a follow-up does not go on: {again.stderr[-300:]}"
    # Its agent may have been about to begin.
    nothing = collected.returncode == 0 and not lab.run("diff", task).stdout
    return "" if nothing else f"nothing is brought out: {(collected.stdout + collected.stderr)[-300:]}"


# -- grounds -----------------------------------------------------------------------------------------------------------


@contextmanager
def ordinary(scratch: Path) -> Iterator[Ground]:
    """A laboratory at the engine of this machine."""
    lab = Lab(Path(tempfile.mkdtemp(dir=scratch)) / "ordinary")
    lab.home.mkdir()
    try:
        yield Ground(lab)
    finally:
        lab.clean_up()


@contextmanager
def with_engine(scratch: Path) -> Iterator[Ground]:
    """A laboratory at an engine of its own, which may be ended."""
    with engine() as own:
        lab = Lab(scratch / "engine")
        lab.home.mkdir()
        lab.variables["DOCKER_HOST"] = own.address
        yield Ground(lab, engine=own)


@contextmanager
def with_small_disk(scratch: Path) -> Iterator[Ground]:
    """A laboratory whose state and cache are on a disk of 100 MB."""
    lab = Lab(scratch / "disk")
    with small_disk(lab.home / "small", 100) as disk:
        lab.variables |= {f"XDG_{name}_HOME": str(disk / name.lower()) for name in ("STATE", "CACHE")}
        yield Ground(lab, disk=disk)
        lab.clean_up()


GROUNDS = {"": ordinary, "workbench": ordinary, "disk": with_small_disk, "engine": with_engine}


def missing(ground: str) -> str:
    """Why a ground cannot be had here; empty when it can."""
    if ground in ("", "workbench"):
        return ""
    if ground == "disk":
        return MISSING
    able = os.geteuid() == 0 and all(map(shutil.which, ("dockerd", "ip", "nsenter")))
    return "" if able else "an engine of its own takes root, dockerd, ip and nsenter"


def run(places: list[Place], faults: list[Fault], chance: random.Random, say: Callable[[Cell], None]) -> list[Cell]:
    """Every fault in every phase that it can happen in."""
    cells = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in dict.fromkeys(GROUNDS[fault.ground].__name__ for fault in faults):
            with ExitStack() as stack:
                made = globals()[name](Path(scratch))
                ground = stack.enter_context(made)
                for fault in faults:
                    for place in places:
                        if GROUNDS[fault.ground].__name__ == name and (not fault.where or place.phase in fault.where):
                            cells.append(cell(ground, place, fault, chance))
                            say(cells[-1])
    return cells


def table(cells: list[Cell]) -> list[str]:
    """Phases by faults, and a line that counts."""
    phases = list(dict.fromkeys(place.phase for place in PLACES if any(c.phase == place.phase for c in cells)))
    faults = list(dict.fromkeys(c.fault for c in cells))
    words = {(c.phase, c.fault): c.word for c in cells}
    width = max(map(len, faults)) + 2
    rows = ["".join([f"{'':<13}", *(f"{fault:<{width}}" for fault in faults)])]
    rows += [
        "".join([f"{phase:<13}", *(f"{words.get((phase, fault), '-'):<{width}}" for fault in faults)])
        for phase in phases
    ]
    return [row.rstrip() for row in [*rows, counted([c.verdict for c in cells])]]


def counted(verdicts: list[Verdict]) -> str:
    """How many of the verdicts are bad, and in what."""
    lost, left = sum(bool(v.lost) for v in verdicts), sum(bool(v.orphans) for v in verdicts)
    wrong, loads = sum(bool(v.wrong) for v in verdicts), sum(not v.state for v in verdicts)
    return f"{lost} lost, {left} with orphans, {wrong} wrongly done; state loads {loads} of {len(verdicts)}"


def main() -> int:
    """Run and print; 1 when something is not as it has to be."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--phases", default=",".join(place.phase for place in PLACES))
    options.add_argument("--faults", default=",".join(fault.name for fault in FAULTS))
    options.add_argument("--kills", type=int, default=0)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    chance = random.Random(chosen.seed)
    if chosen.kills:
        from tests.faults.kills import kills

        return 0 if kills(chosen.kills, chosen.seed) else 1
    places = [place for place in PLACES if place.phase in chosen.phases.split(",")]
    wanted = [fault for fault in FAULTS if fault.name in chosen.faults.split(",")]
    for fault in wanted:
        if why := missing(fault.ground):
            print(f"{fault.name} is left out: {why}")
    cells = run(places, [fault for fault in wanted if not missing(fault.ground)], chance, say)
    print("\n".join(table(cells)))
    return 0 if all(c.word == "ok" for c in cells) else 1


def say(found: Cell) -> None:
    """A line about a cell as soon as it is known; more when it is bad."""
    print(f"{found.phase}, {found.fault}: {found.word} ({found.verdict.status}: {found.verdict.reason})", flush=True)
    if not found.verdict.good:
        print(f"  NOT AS IT HAS TO BE: {found.verdict}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
