"""Tasks: starting them, asking for more, reading what they did, ending them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import EngineError, NoRoom, UsageError
from engine.state import locked, state_dir, tasks_dir, write_atomic

if TYPE_CHECKING:
    from engine.bench.environments import Environments
    from engine.environment.model import Environment
    from engine.tasks.events import AnyEvent
    from engine.tasks.model import TaskState


class Tasks:
    """Every task of this user, read from its journal."""

    def __init__(self, environments: Environments) -> None:
        self._environments = environments

    def start(
        self,
        environment: Environment,
        prompt: str,
        *,
        branch: str = "",
        agent: str = "",
        attempts: int = 1,
        fork: bool = False,
    ) -> str:
        """Start a task in a supervisor of its own and return its id at once.

        Args:
            branch: branch, tag or sha to work on; empty for the environment's default branch.
            agent: the agent's name; empty for the environment's.
            fork: this process has one thread, and the supervisor may be a fork of it, which is faster.

        Raises:
            Untrusted: the user has not agreed to the content of the environment's file.
            UsageError: the agent, the number of attempts or the prompt is unusable.
            DockerUnavailable: no container engine answers.
        """
        import shutil
        import time

        from engine.agents import agent as agent_named
        from engine.agents import agent_settings
        from engine.containers.endpoint import connect
        from engine.environment.trust import require
        from engine.tasks import events as ev
        from engine.tasks.journal import append_to
        from engine.tasks.spec import TaskSpec, new_id

        require(environment)
        agent = agent or environment.agent.use
        missing = agent_named(agent).check(agent_settings(environment), environment.directory)
        if missing:
            hint = "`fumehood agent list` shows every agent and what it needs; --agent takes another"
            raise UsageError(f"agent {agent} cannot start: {'; '.join(missing)}", hint)
        connect()
        if not 1 <= attempts <= 4:
            raise UsageError(f"--attempts {attempts} is out of range", "use 1 to 4")
        if not prompt.strip():
            raise UsageError("the prompt is empty", 'say what to do: fumehood exec "fix the failing test"')
        spec = TaskSpec(new_id(), str(environment.path), prompt, agent, branch, attempts, time.time())
        created = ev.TaskCreated(
            id=spec.id,
            environment=environment.name,
            environment_path=str(environment.path),
            repository=environment.repository.url,
            prompt=prompt,
            agent=agent,
            branch=branch,
            attempts=attempts,
            network=environment.network.agent,
        )
        try:
            spec.save()
            append_to(spec.folder, created, ev.TaskStatus(status="pending"))
        except EngineError:
            shutil.rmtree(spec.folder)
            raise
        _detach(spec.folder, environment, fork=fork)
        return spec.id

    def replay(self, recording: str, *, speed: float = 1.0, fork: bool = False) -> str:
        """Play a recording, a task's id or a folder that `save_recording` made, as a new task; returns its id.

        Raises:
            UsageError: there is no such recording, or it cannot be played at this speed.
        """
        from engine.tasks import recording as recordings

        place = self._environments.cwd / Path(recording).expanduser()
        there = "/" in recording or place.is_dir()
        folder = recordings.prepare(place if there else self.folder(recording), speed)
        _detach(folder, None, fork=fork)
        return folder.name

    def save_recording(self, reference: str, target: Path) -> int:
        """Make a recording of a task in a new folder; returns its bytes. See `engine.tasks.recording.save`."""
        from engine.tasks import recording as recordings

        return recordings.save(self.folder(reference), self._environments.cwd / target.expanduser())

    def follow_up(self, reference: str, prompt: str, *, attempt: int = 0, fork: bool = False) -> str:
        """Ask the agent of a task that has ended for more, in the state it left (SPEC T5); returns the task's id.

        `attempt` is the one picked, or the first, unless given.

        Raises:
            UsageError: the task still works, has no such attempt, or the prompt is empty.
            DockerUnavailable: no container engine answers.
        """
        from engine.tasks import turns

        return self._go_on(
            reference, lambda folder, state: turns.ask(folder, state, prompt, attempt or state.chosen), fork=fork
        )

    def collect(self, reference: str, *, attempt: int = 0, fork: bool = False) -> str:
        """Bring out the files of an attempt that was interrupted or stopped (SPEC T8); returns the task's id.

        Raises:
            UsageError: the task still works, or there is nothing to bring out.
            DockerUnavailable: no container engine answers.
        """
        from engine.tasks import turns

        return self._go_on(
            reference, lambda folder, state: turns.collect(folder, state, attempt or state.chosen), fork=fork
        )

    def _go_on(self, reference: str, ask: Callable[[Path, TaskState], object], *, fork: bool) -> str:
        from engine.containers.endpoint import connect
        from engine.environment.trust import require
        from engine.tasks import events as ev
        from engine.tasks.journal import append_to
        from engine.tasks.spec import CANCEL

        state = self.get(reference)
        if state.recording:
            raise UsageError(f"task {state.id} is a recording: there is nobody to ask", "start a task of your own")
        folder = self.folder(state.id)
        environment = self._environments.load(state.environment_path)
        require(environment)
        connect()
        with locked(_changes()):
            ask(folder, self.get(state.id))
            # What ended the turn before does not end this one.
            (folder / CANCEL).unlink(missing_ok=True)
            append_to(folder, ev.TaskStatus(status="pending"))
        # Not while the lock is held: a fork would hold it on.
        _detach(folder, environment, fork=fork)
        return state.id

    def list(self) -> Sequence[TaskState]:
        """The state of every task, newest first, from the journals alone."""
        try:
            folders = [entry for entry in tasks_dir().iterdir() if entry.is_dir()]
        except FileNotFoundError:
            return []
        states = [state for folder in folders if (state := self._readable(folder)).created_at]
        return sorted(states, key=lambda state: state.created_at, reverse=True)

    def get(self, reference: str) -> TaskState:
        """The state of the task with this id or beginning of an id.

        Raises:
            UsageError: there is none, or several; EngineError: its journal cannot be read.
        """
        return self._state(self.folder(reference))

    def _state(self, folder: Path) -> TaskState:
        from engine.tasks import events as ev
        from engine.tasks.reading import state_of
        from engine.tasks.recovery import abandoned, mark_interrupted

        state = state_of(folder)
        if state.created_at and abandoned(folder, state):
            try:
                mark_interrupted(folder, state)
                state = state_of(folder)
            except NoRoom as error:
                # It is over all the same; whoever looks when there is room again writes that down.
                state.apply(ev.TaskStatus(status="interrupted", reason=f"its supervisor ended; {error.message}"))
        return state

    def _readable(self, folder: Path) -> TaskState:
        """As `_state`; a task whose files are damaged beyond that takes no other down."""
        from engine.tasks.reading import unreadable

        try:
            return self._state(folder)
        except EngineError as error:
            return unreadable(folder, error)

    def folder(self, reference: str) -> Path:
        """The folder of the task with this id or beginning of an id."""
        exact = tasks_dir() / reference
        if reference and "/" not in reference and not reference.startswith(".") and exact.is_dir():
            return exact
        found = [f for f in tasks_dir().glob("*") if reference and f.name.startswith(reference)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(f"{reference!r} is the beginning of {len(found)} tasks", "give more of the id")
        raise UsageError(f"there is no task {reference!r}", "`fumehood list` shows them")

    def events(self, reference: str, *, follow: bool = False) -> Iterator[AnyEvent]:
        """The events of a task, with the text of output; with `follow`, until the task has finished."""
        import time

        from engine.tasks.journal import read, with_text
        from engine.tasks.model import TaskState

        folder = self.folder(reference)
        state, offset, quiet = TaskState(folder.name), 0, 0
        while True:
            events, offset = read(folder, offset)
            for event in events:
                state.apply(event)
                yield with_text(folder, event)
            quiet = 0 if events else quiet + 1
            if not events and (not follow or state.finished):
                return
            if not events:
                time.sleep(0.02)
            if quiet and quiet % 100 == 0:
                self._state(folder)

    def cancel(self, reference: str) -> TaskState:
        """Ask a task to end; its containers are gone within seconds (SPEC T7).

        Raises:
            UsageError: it has ended already.
        """
        state = self.get(reference)
        if state.finished:
            raise UsageError(f"task {state.id} has ended already: {state.status}")
        from engine.tasks.spec import CANCEL

        write_atomic(self.folder(state.id) / CANCEL, "")
        return state

    def remove(self, reference: str, *, for_good: bool = False) -> str:
        """Remove a task that has ended; returns its id. It can be brought back for an hour, unless `for_good`.

        Raises:
            UsageError: it still works; EngineError: it cannot be moved or, for good, not be removed.
        """
        from engine.tasks import trash

        with locked(_changes()):
            state = self.get(reference)
            if not state.finished:
                raise UsageError(f"task {state.id} still works", f"stop it first: fumehood cancel {state.id}")
            trash.put(self.folder(state.id))
        if for_good:
            trash.empty(older=0, only=lambda task: task == state.id)
        return state.id

    def bring_back(self, task: str) -> str:
        """Undo `remove`, given the whole id; returns it.

        Raises:
            UsageError: it is gone for good.
        """
        from engine.tasks import trash

        trash.restore(task)
        return task

    def pick(self, reference: str, attempt: int) -> TaskState:
        """Prefer an attempt: it is meant from now on where none is named (SPEC T6).

        Raises:
            UsageError: the task still works, or there is no such attempt.
        """
        from engine.tasks import events as ev
        from engine.tasks.journal import append_to

        with locked(_changes()):
            state = self.get(reference)
            if not state.finished:
                raise UsageError(f"task {state.id} still works", f"pick when it has ended: fumehood logs -f {state.id}")
            if not 1 <= attempt <= len(state.attempts):
                raise UsageError(f"task {state.id} has no attempt {attempt}", f"it has 1 to {len(state.attempts)}")
            append_to(self.folder(state.id), ev.AttemptPicked(run=attempt))
        return self.get(state.id)

    def branches(self, environment: Environment) -> Sequence[str]:
        """The branches a task may work on, then the tags, as they are at the source now.

        Raises:
            RepositoryError: the source cannot be read.
            Untrusted: it is elsewhere, and the user has not agreed to the file that names it.
        """
        from engine.environment.trust import require
        from engine.repository.mirror import Mirror
        from engine.repository.source import Source

        source = Source.of(environment)
        if source.kind == "remote":
            require(environment)
        mirror = Mirror(source)
        mirror.update()
        return mirror.names()


def _changes() -> Path:
    """The lock under which a task that has ended is looked at and changed: of two who do so at once, one is told."""
    return state_dir() / "locks" / "changes.lock"


def _detach(folder: Path, environment: Environment | None, *, fork: bool) -> None:
    """Give the task in `folder` a supervisor, in the quickest way there is."""
    from engine import detached
    from engine.tasks import starter
    from engine.tasks.spec import supervisors_log

    if starter.ask(folder):
        return
    if fork:
        from engine.tasks.supervisor import supervise

        detached.fork(lambda: supervise(folder, environment), supervisors_log())
    else:
        detached.spawn("engine.tasks", str(folder), log=supervisors_log())
