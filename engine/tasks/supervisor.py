"""The supervisor: the detached process that runs one task to its end and writes its journal (DESIGN decision 1)."""

from __future__ import annotations

import signal
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import Cancelled, ContainerError, EngineError, PhaseFailed
from engine.state import Lock
from engine.tasks import events as ev
from engine.tasks.journal import Journal
from engine.tasks.recorder import Recorder
from engine.tasks.spec import CANCEL, LOCK, TaskSpec, load

if TYPE_CHECKING:
    from engine.environment.model import Environment

LOG = "supervisor.log"
_TICK = 0.05


def supervise(folder: Path, environment: Environment | None = None) -> None:
    """Run the task in `folder` to its end; returns when its journal says how it ended.

    `environment` is the task's, when the caller has it loaded.

    Another process that has the task already is left alone.
    """
    lock = Lock(folder / LOCK)
    if not lock.try_acquire():
        return
    spec = load(folder)
    journal = Journal(folder)
    recorder = Recorder(folder, journal)
    stop = _Stop(folder, recorder)
    try:
        recorder.emit(ev.TaskStatus(status="in_progress"))
        status, reason = _run(spec, environment, recorder, stop)
    except Exception as error:
        (folder / LOG).write_text(traceback.format_exc())
        recorder.emit(ev.Error(text=f"internal fault: {error}", kind="workbench", hint=f"see {folder / LOG}"))
        status, reason = "error", f"internal fault: {error}"
    finally:
        stop.end()
    recorder.emit(ev.TaskStatus(status=status, reason=reason))
    journal.close()
    lock.release()


class _Stop:
    """Watches for the user's request to cancel, and keeps the journal of a quiet command up to date."""

    def __init__(self, folder: Path, recorder: Recorder) -> None:
        self.event = threading.Event()
        self.reason = ""
        self.status: ev.Status = "cancelled"
        self._ended = threading.Event()
        self._request = folder / CANCEL
        self._recorder = recorder
        self._thread = threading.Thread(target=self._watch, name="stop", daemon=True)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._thread.start()

    def _on_signal(self, number: int, _frame: object) -> None:
        self.status, self.reason = "interrupted", f"the supervisor was told to end ({signal.Signals(number).name})"
        self.event.set()

    def _watch(self) -> None:
        while not self._ended.wait(_TICK):
            self._recorder.flush()
            if not self.event.is_set() and self._request.exists():
                self.reason = "cancelled by the user"
                self.event.set()

    def end(self) -> None:
        """Stop watching."""
        self._ended.set()
        self._thread.join()


def _run(spec: TaskSpec, environment: Environment | None, recorder: Recorder, stop: _Stop) -> tuple[ev.Status, str]:
    """The way of a task; returns its last status and why."""
    from engine.tasks.recovery import remove_containers

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
        remove_containers(spec.id, keep_stopped=True)


def _work(
    spec: TaskSpec,
    environment: Environment | None,
    recorder: Recorder,
    stop: _Stop,
    clean_up: list[Callable[[], object]],
) -> tuple[bool, str]:
    """Prepare the snapshot, run the attempts; whether one completed, and why not."""
    from engine.agents.base import Ended
    from engine.containers.endpoint import connect
    from engine.environment.load import load as load_environment
    from engine.repository.source import Source
    from engine.tasks.attempt import attempt
    from engine.tasks.prepare import prepare
    from engine.tasks.work import Work

    environment = environment or load_environment(Path(spec.environment))
    source = Source.from_url(environment.repository.url, environment.path.parent)
    work = Work(spec, environment, source, recorder, connect(), stop.event)
    base = prepare(work)
    if not base.kept:
        from engine.containers import images

        clean_up.append(lambda: images.remove(work.api, base.image))
    outcomes: list[Ended | Exception] = []

    def one(run: int) -> None:
        try:
            outcomes.append(attempt(work, base, run))
        except Exception as error:
            outcomes.append(error)

    threads = [threading.Thread(target=one, args=(run,)) for run in range(2, spec.attempts + 1)]
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
