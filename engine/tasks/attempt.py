"""One attempt: from the snapshot to the agent's result (SPEC T2), the phases in their order."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from importlib import import_module
from typing import TYPE_CHECKING

import msgspec

from engine.agents import agent as agent_named
from engine.agents import agent_settings
from engine.containers.container import Boot, Container
from engine.errors import NetworkError, PhaseFailed
from engine.repository import into
from engine.tasks import events as ev
from engine.tasks.limits import limits_hit
from engine.tasks.maintenance import maintenance
from engine.tasks.prepare import Base
from engine.tasks.recorder import phase, skipped
from engine.tasks.scripts import SELF_TEST_FULL, SELF_TEST_LIMITED, SELF_TEST_OFF
from engine.tasks.work import Work

if TYPE_CHECKING:
    from engine.agents.base import Agent, Ended
    from engine.tasks.spec import TaskSpec

# What only a container that runs has use for; imported while docker starts it.
_SELF_TEST_SECONDS = 15.0
_LATER = ("engine.agents.drive", "engine.repository.out", "engine.repository.diff")


def attempt(work: Work, spec: TaskSpec, base: Base, container: Container, run: int) -> Ended:
    """Run one attempt at the task in its container, which is created, and started if it stood by, to its result.

    Returns how the agent ended.

    Raises:
        PhaseFailed, Cancelled: the attempt has no result.
    """
    agent = agent_named(spec.agent)
    keep = False
    at = base.standby.sha if base.standby and base.standby.container is container else ""
    try:
        # While the engine starts the container (0.2 s), everything is done that does not need it to run.
        with ThreadPoolExecutor(2, thread_name_prefix="resume") as beside:
            with phase(work.recorder, "resume", run, "a container of it stood by" if at else ""):
                boot = Boot(container)
                starting = None if at else beside.submit(container.start)
                work.fetch()
                # What setup left in the work tree, as it was before an agent could change it.
                record = beside.submit(container.get, into.LEFTOVERS)
                for name in _LATER:
                    import_module(name)
                if starting:
                    starting.result()
            _checkout(work, boot, at or base.snapshot.sha, run, there=bool(at))
            leftovers = record.result()
        if maintenance(work, base, container, run):
            leftovers = container.get(into.LEFTOVERS)
        ended = _turn(work, spec, container, agent, run)
        try:
            _collect(work, spec, container, leftovers, run)
        except PhaseFailed:
            keep = True
            raise
        return ended
    finally:
        if keep:
            container.stop()
        else:
            container.remove()


def _checkout(work: Work, boot: Boot, have: str, run: int, *, there: bool) -> None:
    """Bring the repository to the task's commit, and prove in the same process that a network that is off is off.

    Args:
        have: the commit the container's repository is at; `there`: its work tree too, as it is checked out.
    """
    with phase(work.recorder, "checkout", run) as current:
        off = work.environment.network.agent == "off"
        checkout = work.checkout
        target = checkout.target
        if run == 1:
            work.recorder.emit(ev.TaskBase(branch=target.branch, base_sha=target.sha, workdir=work.workdir))
        test = SELF_TEST_OFF if off else ""
        if target.sha != have:
            current.reason = f"{target.sha[:9]}, the snapshot is at {have[:9]}"
        elif there:
            current.reason = "it stood by at this commit"
        if there and target.sha == have:
            report = boot.bash(test).out
        else:
            report = into.bring(boot, checkout.mirror.git_dir, work.repository_dir, have, target.sha, test, work.folder)
        if off:
            _prove(work, report.decode("utf-8", "replace"), run)


def _prove(work: Work, report: str, run: int) -> None:
    """Journal the self-test; an agent never starts in a container that failed it (SPEC T2, N2)."""
    findings = [line for line in report.splitlines() if line.startswith(("ok ", "bad "))]
    ok = bool(findings) and all(line.startswith("ok ") for line in findings)
    work.recorder.emit(ev.NetworkProven(mode=work.environment.network.agent, ok=ok, checks=findings, run=run))
    if not ok:
        raise NetworkError(
            f"the network is not as the policy says, so no agent starts: {'; '.join(findings) or 'no answer'}"
        )


def _turn(work: Work, spec: TaskSpec, container: Container, agent: Agent, run: int) -> Ended:
    """Start the services, let the agent work beside them, both within the agent's network policy (SPEC T2)."""
    has_services = bool(work.environment.start.script.strip())
    with ExitStack() as beside:
        network: AbstractContextManager[Mapping[str, str]] = _agent_network(work, container, run)
        if has_services:
            from engine.tasks.services import services

            with phase(work.recorder, "start", run):
                # They live on beside the agent: nothing is open to them that is not open to it.
                variables = beside.enter_context(network)
                beside.enter_context(services(work, container, variables, run))
            network = nullcontext(variables)
        else:
            skipped(work.recorder, "start", "no start script", run)
        with phase(work.recorder, "agent", run), network as variables:
            ended, restart = _agent(work, spec, container, agent, variables, run)
    # Services would go on changing files while they are collected.
    if restart or has_services:
        container.restart()
    return ended


def _agent(
    work: Work, spec: TaskSpec, container: Container, agent: Agent, variables: Mapping[str, str], run: int
) -> tuple[Ended, bool]:
    """Let the agent work; its end is journalled once, whatever happens.

    Returns how it ended, and whether what it left running has to be ended.
    """
    from engine.agents.base import Ended, Job
    from engine.agents.drive import ContainerTerminal, drive

    started = time.monotonic()
    where = agent.capabilities.where
    work.recorder.emit(ev.RunStarted(agent=agent.name, prompt=spec.prompt, where=where, run=run))
    job = Job(
        prompt=spec.prompt,
        workdir=work.workdir,
        terminal=ContainerTerminal(container, work.stop.event, variables),
        home=work.folder / "agent",
        environment_dir=work.environment.directory,
        settings=agent_settings(work.environment),
    )
    limit = work.environment.agent.timeout
    ended, limited = Ended("failed", reason="the container went away"), False
    try:
        ended, limited = drive(agent, job, work.recorder, run=run, time_limit=limit, stop=work.stop.event)
        exhausted, told = limits_hit(work, container)
        if told and ended.status == "failed":
            ended = msgspec.structs.replace(ended, reason=f"{ended.reason}; {told}")
        elif told:
            work.recorder.emit(ev.Notice(level="warning", text=told, run=run))
    finally:
        _finished(work, ended, limited, run, time.monotonic() - started)
    # What still runs has had its time, or leaves no process for what comes next.
    return ended, limited or bool(exhausted.forks)


@contextmanager
def _agent_network(work: Work, container: Container, run: int) -> Iterator[Mapping[str, str]]:
    """What the agent may reach (SPEC N1): nothing unless the environment says so; no relay exists then.

    A policy that lets it out is proven to hold before the agent starts (SPEC T2).
    """
    if work.environment.network.agent == "off":
        yield {}
        return
    from engine.network.check import entries, needs_registries, phase_policy, proof_target
    from engine.tasks.outlet import outlet
    from engine.tasks.registries import recall

    registries = recall(container).entries if needs_registries(work.environment) else None
    policy = phase_policy(work.environment, "agent", registries)
    found = entries(work.environment.network, registries)
    allow, deny = (
        [(entry.written, list(entry.stored)) for entry in found if entry.list == name] for name in ("allow", "deny")
    )
    methods = list(work.environment.network.methods)
    mode = work.environment.network.agent
    work.recorder.emit(ev.NetworkPolicy(mode=mode, allow=allow, deny=deny, methods=methods, run=run))
    test = SELF_TEST_LIMITED if policy.mode == "limited" else SELF_TEST_FULL
    with outlet(work, container, "agent", policy, run=run) as way_out:
        way_out.counted_from = math.inf
        report = container.bash(test, proof_target(policy), timeout=_SELF_TEST_SECONDS).out
        way_out.counted_from = time.monotonic()
        _prove(work, report.decode("utf-8", "replace"), run)
        yield way_out.variables


def _finished(work: Work, ended: Ended, limited: bool, run: int, seconds: float) -> None:
    stopped = work.stop.event.is_set()
    if ended.answer:
        work.recorder.emit(ev.Message(text=ended.answer, final=True, run=run))
    work.recorder.emit(
        ev.RunFinished(
            status="stopped" if stopped else "limit" if limited else ended.status,
            reason=work.stop.reason if stopped else ended.reason,
            answer=ended.answer,
            session=ended.session,
            seconds=round(seconds, 3),
            exit_code=ended.exit_code,
            commands=work.recorder.agent_commands(run),
            run=run,
        )
    )


def _collect(work: Work, spec: TaskSpec, container: Container, leftovers: bytes, run: int) -> None:
    """Bring the result out and make its diff against the host's base (DESIGN decision 5)."""
    from engine.repository import diff, out

    folder = work.folder / "attempts" / str(run)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    bundle, patch = folder / "result.bundle", folder / "diff.patch"
    with phase(work.recorder, "collect", run) as current:
        checkout = work.checkout
        base = checkout.target.sha
        # The agent could have changed the record; ours is from before it began.
        container.put(into.LEFTOVERS, leftovers)
        message = spec.prompt.strip().splitlines()[0][:72]
        notices = out.collect(container, bundle, workspace=work.repository_dir, base=base, message=message)
        if notices is None:
            current.reason = "nothing changed"
            patch.touch()
            work.recorder.emit(
                ev.DiffReady(base_sha=base, result_sha=base, files_changed=0, lines_added=0, lines_removed=0, run=run)
            )
            return
        for text in notices:
            work.recorder.emit(ev.Notice(level="warning", text=text, run=run))
        results = out.Results(checkout.mirror)
        result = results.receive(bundle, task=work.id, attempt=run, base=base)
        bundle.unlink()
        diff.write_patch(results.git_dir, base, result.sha, patch)
        size = diff.stat(results.git_dir, base, result.sha)
        work.recorder.emit(
            ev.DiffReady(
                base_sha=base,
                result_sha=result.sha,
                files_changed=size.files_changed,
                lines_added=size.lines_added,
                lines_removed=size.lines_removed,
                commits=list(result.commits),
                run=run,
            )
        )
