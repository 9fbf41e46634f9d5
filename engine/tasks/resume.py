"""Getting a container going: one of the snapshot, one that stood by, or the one the last turn left (SPEC T2, T5)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

from engine.agents import agent, agent_settings
from engine.containers.container import Boot, Container
from engine.errors import NetworkError
from engine.network.policy import Mode
from engine.repository import into
from engine.state import write_atomic
from engine.tasks import events as ev
from engine.tasks.maintenance import maintenance
from engine.tasks.prepare import Base
from engine.tasks.recorder import phase, skipped
from engine.tasks.registries import keep as keep_registries
from engine.tasks.scripts import SELF_TEST_OFF
from engine.tasks.turns import Turn
from engine.tasks.work import Work

# What only a container that runs has use for; imported while docker starts it.
_LATER = ("engine.agents.drive", "engine.repository.out", "engine.repository.diff")


def from_snapshot(work: Work, turn: Turn, base: Base, container: Container, run: int) -> bytes:
    """Bring a container of the snapshot to where the turn begins.

    Returns the record of what setup and maintenance left in the work tree, as it was before an agent could change it.

    Raises:
        PhaseFailed: it cannot be done.
    """
    at = base.standby.sha if base.standby and base.standby.container is container else ""
    # While the engine starts the container (0.2 s), everything is done that does not need it to run.
    with ThreadPoolExecutor(2, thread_name_prefix="resume") as beside:
        with phase(work.recorder, "resume", run, "a container of it stood by" if at else ""):
            boot = Boot(container)
            starting = None if at else beside.submit(container.start)
            work.fetch()
            record = beside.submit(container.get, into.LEFTOVERS)
            if work.environment.network.agent != "off":
                keep_registries(work, container, run)
            for name in _LATER:
                import_module(name)
            agent(work.agent or work.environment.agent.use).warm(agent_settings(work.environment))
            if starting:
                starting.result()
        _checkout(work, turn, boot, at or base.snapshot.sha, run, there=bool(at))
        leftovers = record.result()
    if maintenance(work, base, container, run):
        leftovers = container.get(into.LEFTOVERS)
    if turn.result_sha:
        # After maintenance: what an agent left must not become part of a snapshot.
        _restore(work, turn, container)
    write_atomic(_record_path(work, run), leftovers)
    return leftovers


def from_last_turn(work: Work, container: Container, run: int) -> bytes:
    """Start the container that the last turn left. Returns as `from_snapshot`.

    Raises:
        PhaseFailed: it cannot be done, or its network is not as the policy says.
    """
    with phase(work.recorder, "resume", run, "in the container of the turn before"):
        boot = Boot(container)
        container.start()
        work.fetch()
        if work.environment.network.agent == "off":
            prove(work, boot.bash(SELF_TEST_OFF).out.decode("utf-8", "replace"), run)
        else:
            boot.bash(":")
    skipped(work.recorder, "maintenance", "it ran before the first turn", run)
    return _record_path(work, run).read_bytes()


def _record_path(work: Work, run: int) -> Path:
    return work.folder / "attempts" / str(run) / "setup-files"


def _checkout(work: Work, turn: Turn, boot: Boot, have: str, run: int, *, there: bool) -> None:
    """Bring the repository to the task's commit, and prove in the same process that a network that is off is off.

    Args:
        have: the commit the container's repository is at; `there`: its work tree too, as it is checked out.
    """
    with phase(work.recorder, "checkout", run) as current:
        off = work.environment.network.agent == "off"
        checkout = work.checkout
        target = checkout.target
        if run == 1 and turn.number == 1:
            work.recorder.emit(ev.TaskBase(branch=target.branch, base_sha=target.sha, workdir=work.workdir))
        test = SELF_TEST_OFF if off else ":"
        if target.sha != have:
            current.reason = f"{target.sha[:9]}, the snapshot is at {have[:9]}"
        elif there:
            current.reason = "it stood by at this commit"
        if there and target.sha == have:
            report = boot.bash(test).out
        else:
            report = into.bring(boot, checkout.mirror.git_dir, work.repository_dir, have, target.sha, test, work.folder)
        if off:
            prove(work, report.decode("utf-8", "replace"), run)


def _restore(work: Work, turn: Turn, container: Container) -> None:
    """Let the work tree be as the attempt's last turn left it."""
    from engine.repository.out import Results

    base = work.checkout.target.sha
    into.restore(
        container,
        Results(work.checkout.mirror).git_dir,
        work.repository_dir,
        base=base,
        result=turn.result_sha,
        head=turn.head_sha or base,
        folder=work.folder,
    )


def prove(work: Work, report: str, run: int, mode: Mode | None = None) -> None:
    """Journal the self-test; an agent never starts in a container that failed it (SPEC T2, N2).

    Raises:
        NetworkError: it failed.
    """
    findings = [line for line in report.splitlines() if line.startswith(("ok ", "bad "))]
    ok = bool(findings) and all(line.startswith("ok ") for line in findings)
    work.recorder.emit(ev.NetworkProven(mode=mode or work.environment.network.agent, ok=ok, checks=findings, run=run))
    if not ok:
        raise NetworkError(
            f"the network is not as the policy says, so no agent starts: {'; '.join(findings) or 'no answer'}"
        )
