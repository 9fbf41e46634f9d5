"""The supervisor: the detached process that runs one task to its end and writes its journal (DESIGN decision 1)."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.crash import no_core_files
from engine.errors import Cancelled, ContainerError, EngineError, PhaseFailed
from engine.state import Lock
from engine.tasks import events as ev
from engine.tasks.journal import Journal
from engine.tasks.recorder import Recorder
from engine.tasks.spec import LOCK, TaskSpec, load
from engine.tasks.stop import Stop

if TYPE_CHECKING:
    from engine.environment.model import Environment

LOG = "supervisor.log"


def supervise(folder: Path, environment: Environment | None = None) -> None:
    """Run the task in `folder` to its end; returns when its journal says how it ended.

    `environment` is the task's, when the caller has it loaded.

    Another process that has the task already is left alone.
    """
    lock = Lock(folder / LOCK)
    if not lock.try_acquire():
        return
    no_core_files()
    spec = load(folder)
    journal = Journal(folder)
    recorder = Recorder(folder, journal)
    stop = Stop(folder, tick=recorder.flush, force=lambda: _remove_containers(spec.id))
    try:
        recorder.emit(ev.TaskStatus(status="in_progress"))
        status, reason = _run(spec, environment, recorder, stop)
    except Exception as error:
        told = traceback.format_exc()
        (folder / LOG).write_text(recorder.masker.text(told) if recorder.masker else told)
        recorder.emit(ev.Error(text=f"internal fault: {error}", kind="workbench", hint=f"see {folder / LOG}"))
        status, reason = "error", f"internal fault: {error}"
    finally:
        stop.end()
    recorder.emit(ev.TaskStatus(status=status, reason=reason))
    journal.close()
    lock.release()


def _run(spec: TaskSpec, environment: Environment | None, recorder: Recorder, stop: Stop) -> tuple[ev.Status, str]:
    """The way of a task; returns its last status and why."""
    clean_up: list[Callable[[], object]] = []
    try:
        completed, reason = _work(spec, environment, recorder, stop, clean_up)
        return ("ready", "") if completed else ("error", reason)
    except Cancelled:
        return stop.status, stop.reason
    except PhaseFailed as error:
        return (stop.status, stop.reason) if stop.event.is_set() else ("error", error.message)
    except EngineError as error:
        if stop.event.is_set():
            return stop.status, stop.reason
        mine = not isinstance(error, ContainerError)
        recorder.emit(ev.Error(text=error.message, kind="workbench" if mine else "container", hint=error.hint))
        return "error", error.message
    finally:
        for step in clean_up:
            step()
        _remove_containers(spec.id, keep_stopped=True)


def _work(
    spec: TaskSpec,
    environment: Environment | None,
    recorder: Recorder,
    stop: Stop,
    clean_up: list[Callable[[], object]],
) -> tuple[bool, str]:
    """Prepare the snapshot, run the attempts; whether one completed, and why not."""
    from engine.agents.base import Ended
    from engine.containers.container import create
    from engine.containers.endpoint import connect
    from engine.environment.load import load as load_environment
    from engine.environment.trust import require
    from engine.repository.source import Source
    from engine.tasks.attempt import attempt
    from engine.tasks.prepare import prepared
    from engine.tasks.secrets import secret_values
    from engine.tasks.work import Work

    if environment is None:
        environment = load_environment(Path(spec.environment))
        # It may have been changed since the user's agreement was looked at.
        require(environment)
    source = Source.of(environment)
    secrets = secret_values(environment)
    if secrets:
        from engine.secrets.masker import Masker

        recorder.masker = Masker(secrets)
    work = Work(spec.id, spec.folder, spec.branch, environment, source, recorder, connect(), stop, secrets)
    runs = range(1, spec.attempts + 1)
    with prepared(work) as base:
        containers = [base.standby.container] if base.standby else []
        for run in runs[len(containers) :]:
            containers.append(create(work.api, work.container_spec(base.image, "task", run, boots=True)))
    if not base.kept:
        from engine.containers import images

        clean_up.append(lambda: images.remove(work.api, base.image))
    outcomes: list[Ended | Exception] = []

    def one(run: int) -> None:
        try:
            outcomes.append(attempt(work, spec, base, containers[run - 1], run))
        except Exception as error:
            outcomes.append(error)

    threads = [threading.Thread(target=one, args=(run,)) for run in runs[1:]]
    for thread in threads:
        thread.start()
    one(1)
    for thread in threads:
        thread.join()
    ended = [outcome for outcome in outcomes if isinstance(outcome, Ended)]
    if any(outcome.status == "completed" for outcome in ended):
        return True, ""
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
    return False, f"the agent failed: {ended[0].reason}" if ended[0].reason else "the agent failed"


def _remove_containers(task: str, *, keep_stopped: bool = False) -> None:
    """As `recovery.remove_containers`, imported at the end of a task, not on its way to the start."""
    from engine.tasks.recovery import remove_containers

    remove_containers(task, keep_stopped=keep_stopped)
