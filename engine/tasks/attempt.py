"""One attempt: from the snapshot to the agent's result (SPEC T2), the phases in their order."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec.structs import replace

from engine.agents import agent as agent_named
from engine.agents import agent_settings
from engine.agents.base import Ended
from engine.cache.snapshots import KEPT
from engine.containers.container import Container
from engine.errors import ContainerError, EngineError, interrupts
from engine.repository import into
from engine.tasks import events as ev
from engine.tasks.disk import DiskWatch, watched
from engine.tasks.kept import REFUSED, keep
from engine.tasks.limits import limits_hit
from engine.tasks.prepare import Base
from engine.tasks.recorder import phase, skipped
from engine.tasks.resume import from_last_turn, from_snapshot, prove
from engine.tasks.sampler import sampled
from engine.tasks.scripts import SELF_TEST_FULL, SELF_TEST_LIMITED
from engine.tasks.work import Work, undisturbed

if TYPE_CHECKING:
    from engine.agents.base import Agent
    from engine.agents.route import Route
    from engine.network.check import Entry
    from engine.tasks.outlet import Outlet
    from engine.tasks.spec import TaskSpec
    from engine.tasks.turns import Turn

_SELF_TEST_SECONDS = 15.0
# A larger diff says nothing to an agent that its work tree does not say better.
_SHOWN_PATCH = 256 << 10


def attempt(work: Work, spec: TaskSpec, turn: Turn, base: Base | None, container: Container, run: int) -> Ended:
    """Run one turn of an attempt in its container to its result. Returns how the agent ended.

    Args:
        base: the snapshot the container was made of, when it was made for this turn; None when the attempt's last turn
            left it.

    Raises:
        PhaseFailed, Cancelled: the turn has no result.
    """
    agent = agent_named(spec.agent)
    # What it is left as: there is no place but this container where the agent's work is.
    left, collecting = "" if base else KEPT, False
    try:
        with undisturbed(work, container):
            with sampled(work, container, run):
                if base:
                    leftovers = from_snapshot(work, turn, base, container, run)
                    left = KEPT if base.kept else ""
                else:
                    leftovers = from_last_turn(work, container, run)
                ended = _turn(work, turn, container, agent, run) if not turn.collects else Ended("completed")
            collecting = True
            _collect(work, turn, container, leftovers, run)
        return ended
    except EngineError as error:
        if collecting and not (work.stop.event.is_set() or interrupts(error)):
            left = REFUSED
        raise
    finally:
        _leave(work, container, run, left)


def _leave(work: Work, container: Container, run: int, role: str) -> None:
    """Stop the container and keep its files under a role, or remove it if that is empty."""
    try:
        if role:
            keep(container, work.id, run, role)
        else:
            container.remove()
    except ContainerError as error:
        # Recovery sees to it: what counts here is how the attempt ended.
        work.recorder.emit(ev.Notice(level="warning", text=error.message, run=run))


def _turn(work: Work, turn: Turn, container: Container, agent: Agent, run: int) -> Ended:
    """Start the services, let the agent work beside them, both within the agent's network policy (SPEC T2)."""
    over = threading.Event()
    with ExitStack() as beside:
        route = agent.route(agent_settings(work.environment))
        network: AbstractContextManager[Outlet | None] = _agent_network(work, container, route, run)
        if work.environment.start.script.strip():
            from engine.tasks.services import services

            with phase(work.recorder, "start", run):
                # They live on beside the agent: nothing is open to them that is not open to it.
                way_out = beside.enter_context(network)
                beside.enter_context(services(work, container, _variables(way_out), run, over))
            network = nullcontext(way_out)
        else:
            skipped(work.recorder, "start", "no start script", run)
        with phase(work.recorder, "agent", run), network as way_out:
            ended, restart = _agent(work, turn, container, agent, way_out, run, over)
    if restart:
        container.restart()
    return ended


def _agent(
    work: Work,
    turn: Turn,
    container: Container,
    agent: Agent,
    way_out: Outlet | None,
    run: int,
    over: threading.Event,
) -> tuple[Ended, bool]:
    """Let the agent work; its end is journalled once, whatever happens. `over` is set when a limit ends it.

    Returns how it ended, and whether something is left running that has to be ended.
    """
    from engine.agents.base import Job
    from engine.agents.drive import ContainerTerminal, drive
    from engine.agents.limits import Watch

    started = time.monotonic()
    job = Job(
        prompt=turn.prompt,
        workdir=work.workdir,
        terminal=ContainerTerminal(container, work.stop.event, _variables(way_out)),
        home=work.folder / "agent" / str(run),
        environment_dir=work.environment.directory,
        settings=agent_settings(work.environment),
        session=turn.session,
        before=_before(work, run) if turn.number > 1 else "",
        turn=turn.number,
    )
    ended = Ended("failed", reason="the container went away")
    try:
        with watched(work, container) as disk:
            watch = Watch(work.environment.agent, passed=lambda: _passed(disk, way_out), over=over)
            stop = work.stop.event
            ended = drive(agent, job, work.recorder, run=run, watch=watch, container=container, stop=stop)
        try:
            strain, told = limits_hit(work, container)
        except ContainerError:
            # Whatever its agent made of that: it worked in a container that is not there any more.
            ended = msgspec.structs.replace(ended, status="failed", reason="the container went away")
            raise
        if told and ended.status == "failed":
            ended = msgspec.structs.replace(ended, reason=f"{ended.reason}; {told}")
        elif told:
            work.recorder.emit(ev.Notice(level="warning", text=told, run=run))
    finally:
        _finished(work, ended, run, time.monotonic() - started)
    # Services and what the agent left would change files while they are collected, or leave no process to do it with.
    return ended, bool(strain.running or strain.forks)


def _before(work: Work, run: int) -> str:
    """The earlier turns of an attempt, for an agent that does not remember them."""
    from engine.agents.earlier import summary
    from engine.tasks.journal import read_all
    from engine.tasks.model import fold

    patch = work.folder / "attempts" / str(run) / "diff.patch"
    text = patch.read_text("utf-8", "replace") if patch.is_file() and patch.stat().st_size < _SHOWN_PATCH else ""
    return summary(fold(work.id, read_all(work.folder)), run, text)


def _passed(disk: DiskWatch, way_out: Outlet | None) -> str:
    """Which of the limits that are seen from outside of the agent it has passed, in words."""
    if disk.exceeded:
        return f"it {disk.exceeded}"
    spent = way_out is not None and way_out.budget is not None and way_out.budget.spent
    return "its requests are used up, see [agent] max_requests" if spent else ""


@contextmanager
def _agent_network(work: Work, container: Container, route: Route | None, run: int) -> Iterator[Outlet | None]:
    """What the agent may reach (SPEC N1): nothing unless the environment says so; no relay exists then.

    An agent whose programs ask their model from the container gets there, and where the policy is `off` nowhere else
    (SPEC N5). A policy that lets it out is proven to hold before the agent starts (SPEC T2).
    """
    network = work.environment.network
    if network.agent == "off" and route is None:
        yield None
        return
    from engine.network.check import entries, needs_registries, phase_policy, proof_target
    from engine.network.policy import ModelRules, Policy
    from engine.network.rules import parse_rules
    from engine.tasks.outlet import outlet

    policy = Policy("limited")
    found: list[Entry] = []
    if network.agent != "off":
        from engine.tasks.registries import kept

        registries = kept(work, run).entries if needs_registries(work.environment) else None
        policy, found = phase_policy(work.environment, "agent", registries), entries(network, registries)
    allow, deny = (
        [(entry.written, list(entry.stored)) for entry in found if entry.list == name] for name in ("allow", "deny")
    )
    if route:
        rules = parse_rules(route.entries, inspect=True)
        policy = replace(policy, model=ModelRules(rules))
        allow += [(entry, [str(rule)]) for entry, rule in zip(route.entries, rules, strict=True)]
    mode: Literal["limited", "full"] = "full" if policy.mode == "full" else "limited"
    event = ev.NetworkPolicy(mode=mode, allow=allow, deny=deny, methods=list(network.methods), run=run)
    work.recorder.emit(event)
    test = SELF_TEST_LIMITED if mode == "limited" else SELF_TEST_FULL
    with outlet(work, container, "agent", policy, run=run, route=route) as way_out:
        way_out.counted_from = math.inf
        report = container.bash(test, proof_target(policy), timeout=_SELF_TEST_SECONDS).out
        way_out.counted_from = time.monotonic()
        prove(work, report.decode("utf-8", "replace"), run, mode)
        yield way_out


def _variables(way_out: Outlet | None) -> Mapping[str, str]:
    return way_out.variables if way_out else {}


def _finished(work: Work, ended: Ended, run: int, seconds: float) -> None:
    stopped = work.stop.event.is_set()
    if ended.answer:
        work.recorder.emit(ev.Message(text=ended.answer, final=True, run=run))
    work.recorder.emit(
        ev.RunFinished(
            status="stopped" if stopped else ended.status,
            reason=work.stop.reason if stopped else ended.reason,
            answer=ended.answer,
            session=ended.session,
            seconds=round(seconds, 3),
            exit_code=ended.exit_code,
            commands=work.recorder.agent_commands(run),
            run=run,
        )
    )


def _collect(work: Work, turn: Turn, container: Container, leftovers: bytes, run: int) -> None:
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
        message = turn.prompt.strip().splitlines()[0][:72]
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
        result = results.receive(bundle, task=work.id, attempt=run, base=base, turn=turn.number)
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
