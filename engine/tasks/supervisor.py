"""The supervisor: the detached process that runs one task to its end and writes its journal (DESIGN decision 1)."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine.crash import no_core_files
from engine.errors import Cancelled, ContainerError, EngineError, NoRoom, PhaseFailed, interrupts
from engine.state import Lock, is_full
from engine.tasks import events as ev
from engine.tasks import queue, turns
from engine.tasks.journal import Journal, read_all
from engine.tasks.model import fold
from engine.tasks.recorder import Recorder
from engine.tasks.spec import LOCK, PLAYBACK, TaskSpec, load
from engine.tasks.stop import Stop
from engine.tasks.turns import Turn

if TYPE_CHECKING:
    from engine.containers.container import Container
    from engine.environment.model import Environment
    from engine.tasks.prepare import Base
    from engine.tasks.work import Work

LOG = "supervisor.log"


def supervise(folder: Path, environment: Environment | None = None) -> None:
    """Run the task in `folder` to its end; returns when its journal says how it ended.

    `environment` is the task's, when the caller has it loaded.

    Another process that has the task already is left alone.
    """
    lock = Lock(folder / LOCK)
    if not lock.try_acquire():
        return
    if (folder / PLAYBACK).exists():
        from engine.tasks.recording import play

        play(folder)
        lock.release()
        return
    no_core_files()
    spec = load(folder)
    state = fold(spec.id, read_all(folder))
    if state.finished:
        # Two were started for one request, and the other was quicker.
        lock.release()
        return
    journal = Journal(folder, reserve=True)
    recorder = Recorder(folder, journal)
    stop = Stop(folder, tick=partial(_tick, recorder), force=partial(_settle, folder))
    try:
        turn = turns.pending(folder, state) or turns.first(spec)
        status, reason = _run(spec, turn, state.base_sha, environment, recorder, stop)
    except Exception as error:
        status, reason = _fault(error, recorder)
    finally:
        stop.end()
    recorder.emit(ev.TaskStatus(status=status, reason=reason))
    journal.close()
    lock.release()
    _clear_up(engine_away=status == "interrupted")


def _tick(recorder: Recorder) -> str:
    """Why a task cannot go on, if it cannot; see `Stop`."""
    recorder.flush()
    return NoRoom(recorder.folder).message if recorder.out_of_room else ""


def _fault(error: Exception, recorder: Recorder) -> tuple[ev.Status, str]:
    """Record a fault that nobody expected, unless it is that of a full disk."""
    if is_full(error):
        return "interrupted", NoRoom(recorder.folder).message
    told, log = traceback.format_exc(), recorder.folder / LOG
    log.write_text(recorder.masker.text(told) if recorder.masker else told)
    recorder.emit(ev.Error(text=f"internal fault: {error}", kind="workbench", hint=f"see {log}"))
    return "error", f"internal fault: {error}"


def _clear_up(*, engine_away: bool) -> None:
    """See to what this task and others left behind; the task itself has ended, whatever becomes of this."""
    from engine.tasks import garbage, recovery

    try:
        if engine_away:
            recovery.wait_for_engine()
        else:
            recovery.reconcile()
        garbage.after_task()
    except Exception as error:
        # Not its text: nobody masks it here.
        print(f"{time.strftime('%F %T')} clearing up failed: {type(error).__name__}", file=sys.stderr, flush=True)


def _run(
    spec: TaskSpec, turn: Turn, base_sha: str, environment: Environment | None, recorder: Recorder, stop: Stop
) -> tuple[ev.Status, str]:
    """The way of a turn; returns the task's last status and why."""
    clean_up: list[Callable[[], object]] = []
    try:
        with _place(spec, turn, recorder, stop):
            recorder.emit(ev.TaskStatus(status="in_progress"))
            work = _work_of(spec, turn, base_sha, environment, recorder, stop)
            completed, reason = _run_turn(work, spec, turn, clean_up)
        return ("ready", "") if completed else ("error", reason)
    except Cancelled:
        return _stopped(spec, stop)
    except EngineError as error:
        if stop.event.is_set():
            return _stopped(spec, stop)
        if interrupts(error):
            return _interrupted(spec, error.message)
        if isinstance(error, PhaseFailed):
            return "error", error.message
        mine = not isinstance(error, ContainerError)
        recorder.emit(ev.Error(text=error.message, kind="workbench" if mine else "container", hint=error.hint))
        return "error", error.message
    finally:
        for step in clean_up:
            step()
        _settle(spec.folder)


def _stopped(spec: TaskSpec, stop: Stop) -> tuple[ev.Status, str]:
    return _interrupted(spec, stop.reason) if stop.status == "interrupted" else (stop.status, stop.reason)


def _interrupted(spec: TaskSpec, reason: str) -> tuple[ev.Status, str]:
    """The end of a task that something else kept from its own, with what can be done about its files."""
    from engine.tasks.recovery import files_kept

    return "interrupted", f"{reason}{files_kept(spec.id, _settle(spec.folder))}"


def _place(spec: TaskSpec, turn: Turn, recorder: Recorder, stop: Stop) -> AbstractContextManager[None]:
    """Room for the attempts of a turn among all that work on this machine; what it waits for is told as it changes."""
    told: list[int] = []

    def waiting(before: int, most: int) -> None:
        stop.check()
        if told[-1:] != [before]:
            told.append(before)
            first = f"{before} before it, " if before else ""
            text = f"waiting for a place: {first}at most {most} at once ({queue.VARIABLE})"
            recorder.emit(ev.Notice(level="info", text=text))

    asked_at = time.time() if turn.attempt else spec.created_at
    return queue.places(spec.id, 1 if turn.attempt else spec.attempts, asked_at, waiting)


def _work_of(
    spec: TaskSpec, turn: Turn, base_sha: str, environment: Environment | None, recorder: Recorder, stop: Stop
) -> Work:
    """What the phases share; a follow-up works on the commit of the first turn, wherever its branch is now."""
    from engine.agents import agent as agent_named
    from engine.agents import agent_settings
    from engine.containers.endpoint import connect
    from engine.environment.load import load as load_environment
    from engine.environment.trust import require
    from engine.repository.source import Source
    from engine.tasks.secrets import secret_values
    from engine.tasks.work import Work

    if environment is None:
        environment = load_environment(Path(spec.environment))
        # It may have been changed since the user's agreement was looked at.
        require(environment)
    source = Source.of(environment)
    secrets = secret_values(environment)
    if hidden := {**secrets, **agent_named(spec.agent).secrets(agent_settings(environment))}:
        from engine.secrets.masker import Masker

        recorder.masker = Masker(hidden)
    branch = base_sha if turn.attempt and base_sha else spec.branch
    return Work(environment, source, spec.id, spec.folder, branch, recorder, connect(), stop, secrets, agent=spec.agent)


def _run_turn(work: Work, spec: TaskSpec, turn: Turn, clean_up: list[Callable[[], object]]) -> tuple[bool, str]:
    """Get the containers of a turn and run its attempts; whether one completed, and why not."""
    from engine.agents.base import Ended
    from engine.tasks.attempt import attempt

    base, containers = _containers(work, spec, turn)
    if base and not base.kept:
        from engine.containers import images

        clean_up.append(lambda: images.remove(work.api, base.image))
    outcomes: list[Ended | Exception] = []

    def one(run: int) -> None:
        try:
            outcomes.append(attempt(work, spec, turn, base, containers[run], run))
        except Exception as error:
            outcomes.append(error)

    first_run, *others = containers
    threads = [threading.Thread(target=one, args=(run,)) for run in others]
    for thread in threads:
        thread.start()
    one(first_run)
    for thread in threads:
        thread.join()
    ended = [outcome for outcome in outcomes if isinstance(outcome, Ended)]
    if any(outcome.status == "completed" for outcome in ended):
        return True, ""
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
    told = "the agent was stopped" if ended[0].status == "limit" else "the agent failed"
    return False, f"{told}: {ended[0].reason}" if ended[0].reason else told


def _containers(work: Work, spec: TaskSpec, turn: Turn) -> tuple[Base | None, dict[int, Container]]:
    """The container of each attempt that works, and the snapshot they are of, unless the last turn left it."""
    from engine.containers.container import create
    from engine.tasks import kept
    from engine.tasks.prepare import prepared

    if turn.attempt:
        left = kept.take(work, turn.attempt)
        if left:
            return None, {turn.attempt: left}
        if turn.collects:
            raise ContainerError("the container with the files is gone", "go on with a follow-up, or start again")
        text = "the container of the turn before is gone: a new one gets the files as that turn left them"
        work.recorder.emit(ev.Notice(level="info", text=text, run=turn.attempt))
    runs = [turn.attempt] if turn.attempt else list(range(1, spec.attempts + 1))
    with prepared(work) as base:
        standing_by = [base.standby.container] if base.standby else []
        containers = dict(zip(runs, standing_by, strict=False))
        for run in runs[len(containers) :]:
            containers[run] = create(work.api, work.agent_container_spec(base.image, "task", run), work.stop.event)
    return base, containers


def _settle(folder: Path) -> list[int]:
    """As `recovery.settle`, imported at the end of a task; while the engine is away it waits."""
    from engine.containers.endpoint import connect
    from engine.tasks.recovery import settle

    with suppress(ContainerError):
        return settle(connect(), folder)
    return []
