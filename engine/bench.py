"""The front desk: the one object that the command line and the screens talk to.

It is cheap to make: docker, git and the environment loader are imported when a call needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.errors import EngineError, EnvironmentInvalid, UsageError
from engine.state import Lock, tasks_dir, write_atomic

if TYPE_CHECKING:
    from engine.agents.listing import AgentEntry
    from engine.cache.decision import Explanation, Snapshot
    from engine.cache.effect import Effect
    from engine.environment.model import Environment
    from engine.environment.problem import Problem
    from engine.environment.rewrite import Change
    from engine.environment.trust import Review
    from engine.keeper.clients import Client
    from engine.network.check import Checked, CheckedPhase, Entry
    from engine.repository.diff import DiffStat
    from engine.repository.publish import ApplyOutcome
    from engine.repository.source import Source
    from engine.setup.effective import Effective
    from engine.tasks.comments import DiffReview
    from engine.tasks.events import AnyEvent, Kept
    from engine.tasks.garbage import Report
    from engine.tasks.image import Listed
    from engine.tasks.model import TaskState


class EnvironmentEntry(NamedTuple):
    """An environment file within reach: loaded, or with what is wrong with it (SPEC E2)."""

    path: Path
    name: str
    environment: Environment | None
    problems: tuple[Problem, ...]


class CacheEntry(NamedTuple):
    """A snapshot, when it expires (Unix seconds), the tasks that use it, and the bytes it adds to what it stands on."""

    snapshot: Snapshot
    expires_at: float
    in_use_by: tuple[str, ...]
    size_bytes: int


class Edited(NamedTuple):
    """The text of an environment file before it is saved: what it says, its problems, what it does to the snapshot.

    `effect` is None when there is nothing to compare: one of the two contents has errors.
    """

    environment: Environment | None
    problems: tuple[Problem, ...]
    effect: Effect | None


class SecretEntry(NamedTuple):
    """A secret of an environment: whether its file declares it, when its value was set (Unix seconds), None if not."""

    name: str
    declared: bool
    set_at: float | None


def agent_names() -> tuple[str, ...]:
    """The agents this version has."""
    from engine.agents import NAMES

    return NAMES


class Bench:
    """Environments, cache and tasks of this user, seen from the folder `cwd`."""

    def __init__(self, cwd: Path | None = None) -> None:
        self.cwd = cwd or Path.cwd()

    # Environments

    def environments(self) -> list[EnvironmentEntry]:
        """Every environment file within reach; a bad one has its problems and does not hide the others."""
        from engine.environment.find import known
        from engine.environment.load import load

        entries = []
        for path in known(self.cwd):
            try:
                environment = load(path)
                entries.append(EnvironmentEntry(path, environment.name, environment, ()))
            except EnvironmentInvalid as error:
                entries.append(EnvironmentEntry(path, path.stem, None, error.problems))
        return entries

    def environment(self, reference: str | None = None) -> Environment:
        """The environment of this path or name; None means the nearest one.

        Raises:
            UsageError: there is none, or several; EnvironmentInvalid: its file has problems.
        """
        from engine.environment.find import find
        from engine.environment.load import load

        return load(find(reference, self.cwd))

    def effective(self, environment: Environment) -> Effective:
        """The scripts that run for an environment, with those of automatic setup for its default branch.

        Raises:
            RepositoryError: automatic setup is wanted and the repository cannot be read.
        """
        from engine.repository.source import Source
        from engine.repository.tree import CommitTree
        from engine.setup.effective import effective

        source = Source.of(environment)
        return effective(environment, lambda: CommitTree(*_default_commit(environment, source)), source.subdirectory)

    def write_environment(self, path: Path, data: Mapping[str, Any], *, force: bool = False) -> None:
        """Write an environment file, which is trusted then: what the user had made here needs no question.

        Raises:
            UsageError: the file exists and `force` is not given.
        """
        from engine.environment.init import write
        from engine.environment.load import load
        from engine.environment.trust import trust

        write(path, data, force=force)
        trust(load(path))

    # Trust

    def review(self, environment: Environment) -> Review:
        """What the user agrees to by trusting the environment, and whether that was done (SPEC E7)."""
        from engine.environment.trust import review

        return review(environment)

    def trust(self, environment: Environment) -> None:
        """Agree to run what the environment's file says, as long as its content stays."""
        from engine.environment.trust import trust

        trust(environment)

    def editing(self, path: Path) -> Callable[[], None]:
        """What to call when the user has edited the file: the trust in what it said goes over to what it says then."""
        from engine.environment.load import read
        from engine.environment.trust import trust, trusted

        before = read(path)[0]
        may_go_over = before is not None and trusted(before)

        def edited() -> None:
            after = read(path)[0]
            if after is not None and may_go_over:
                trust(after)

        return edited

    # Editing environments

    def environment_text(self, path: Path) -> bytes:
        """The bytes of an environment file, valid or not.

        Raises:
            EngineError: it cannot be read.
        """
        from engine.environment.save import content

        return content(path)

    def environment_edited(self, path: Path, data: bytes) -> Edited:
        """What the file would be with this content; nothing is stored."""
        from engine.cache.effect import effect
        from engine.environment.load import parse, read

        environment, problems = parse(data, path)
        before = read(path)[0]
        return Edited(environment, tuple(problems), effect(before, environment) if before and environment else None)

    def environment_save(self, path: Path, data: bytes, *, before: str | None) -> None:
        """Store what the user edited; see `engine.environment.save.save`, and `editing` for the trust in it."""
        from engine.environment.save import save

        trusted = self.editing(path)
        save(path, data, before=before)
        trusted()

    def environment_change(self, path: Path, changes: Sequence[Change]) -> Edited:
        """Change single values of an environment file, and not another byte of it.

        Raises:
            EnvironmentInvalid: with these values it cannot be used; it stays as it was.
            EngineError: the file cannot be edited safely, or not be written.
        """
        from engine.environment.rewrite import changed
        from engine.environment.save import save, sha256

        text = self.environment_text(path)
        after = changed(text, changes)
        edited = self.environment_edited(path, after)
        if edited.environment is None:
            first = next(problem for problem in edited.problems if problem.severity == "error")
            raise EnvironmentInvalid(f"{first.key}: {first.message}", first.hint, edited.problems)
        trusted = self.editing(path)
        save(path, after, before=sha256(text))
        trusted()
        return edited

    def environment_init(self, folder: Path) -> Path:
        """Write a first environment file that fits the project in `folder` (SPEC E3)."""
        from engine.environment.init import initial
        from engine.environment.model import FILE_NAME

        path = folder / FILE_NAME
        self.write_environment(path, initial(folder))
        return path

    # Tasks

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
        import time

        from engine.agents import agent as agent_named
        from engine.agents import agent_settings
        from engine.containers.endpoint import connect
        from engine.environment.trust import require
        from engine.tasks import events as ev
        from engine.tasks.journal import Journal
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
        spec.save()
        journal = Journal(spec.folder)
        journal.append(
            ev.TaskCreated(
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
        )
        journal.append(ev.TaskStatus(status="pending"))
        journal.close()
        _detach(spec.folder, environment, fork=fork)
        return spec.id

    def follow_up(self, reference: str, prompt: str, *, attempt: int = 1, fork: bool = False) -> str:
        """Ask the agent of a task that has ended for more, in the state it left (SPEC T5); returns the task's id.

        Raises:
            UsageError: the task still works, has no such attempt, or the prompt is empty.
            DockerUnavailable: no container engine answers.
        """
        from engine.containers.endpoint import connect
        from engine.environment.trust import require
        from engine.tasks import events as ev
        from engine.tasks import turns
        from engine.tasks.journal import Journal
        from engine.tasks.spec import CANCEL

        state = self.task(reference)
        folder = self.folder(state.id)
        environment = self.environment(state.environment_path)
        require(environment)
        connect()
        turns.ask(folder, state, prompt, attempt)
        # What ended the turn before does not end this one.
        (folder / CANCEL).unlink(missing_ok=True)
        journal = Journal(folder)
        journal.append(ev.TaskStatus(status="pending"))
        journal.close()
        _detach(folder, environment, fork=fork)
        return state.id

    def tasks(self) -> list[TaskState]:
        """The state of every task, newest first, from the journals alone."""
        try:
            folders = [entry for entry in tasks_dir().iterdir() if entry.is_dir()]
        except FileNotFoundError:
            return []
        states = [state for folder in folders if (state := self._state(folder)).created_at]
        return sorted(states, key=lambda state: state.created_at, reverse=True)

    def task(self, reference: str) -> TaskState:
        """The state of the task with this id or beginning of an id.

        Raises:
            UsageError: there is none, or several.
        """
        return self._state(self.folder(reference))

    def _state(self, folder: Path) -> TaskState:
        from engine.tasks.journal import read_all
        from engine.tasks.model import fold
        from engine.tasks.recovery import abandoned, mark_interrupted

        state = fold(folder.name, read_all(folder))
        if state.created_at and abandoned(folder, state):
            mark_interrupted(folder, state)
            state = fold(folder.name, read_all(folder))
        return state

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
        state = self.task(reference)
        if state.finished:
            raise UsageError(f"task {state.id} has ended already: {state.status}")
        from engine.tasks.spec import CANCEL

        write_atomic(self.folder(state.id) / CANCEL, "")
        return state

    # Results

    def patch(self, reference: str, attempt: int = 1) -> Path:
        """The file that holds the diff of an attempt; it is there once the attempt was collected."""
        return self.folder(reference) / "attempts" / str(attempt) / "diff.patch"

    def diff(self, reference: str, attempt: int = 1, turn: int = 0) -> bytes:
        """The diff of an attempt, as `git apply` takes it; of one of its turns alone when `turn` is given.

        Raises:
            UsageError: there is no such attempt or turn, or it has no result (yet).
        """
        state = self.task(reference)
        if turn:
            from engine.repository.diff import diff_bytes

            return diff_bytes(*self._span(state, attempt, turn))
        if not 1 <= attempt <= len(state.attempts):
            raise UsageError(f"task {state.id} has no attempt {attempt}", f"it has 1 to {len(state.attempts)}")
        try:
            return self.patch(state.id, attempt).read_bytes()
        except FileNotFoundError:
            hint = "wait for it: `fumehood logs -f`" if not state.finished else f"see `fumehood status {state.id}`"
            raise EngineError(f"task {state.id} has no diff: it is {state.status}", hint) from None

    def export(self, reference: str, path: Path, attempt: int = 1) -> str:
        """Write the diff of an attempt to a new file; returns what happened in one line.

        Raises:
            UsageError: there is something at `path` already; EngineError: it cannot be written, or there is no diff.
        """
        data = self.diff(reference, attempt)
        try:
            with (self.cwd / path.expanduser()).open("xb") as file:
                file.write(data)
        except FileExistsError:
            raise UsageError(f"{path} is there already", "give another name, or remove it") from None
        except OSError as error:
            raise EngineError(f"cannot write {path}: {error.strerror}", "give another name") from error
        return f"{path}: {len(data):,} bytes written"

    def diff_review(self, reference: str, attempt: int = 1) -> DiffReview:
        """The comments on the diff of an attempt, and which of its files were marked as viewed (SPEC W5).

        Raises:
            EngineError: the file that holds them is damaged.
        """
        from engine.tasks import comments

        return comments.read(self.folder(reference), attempt)

    def change_diff_review(self, reference: str, attempt: int, how: Callable[[DiffReview], DiffReview]) -> DiffReview:
        """Change comments or marks, as in `lambda review: review.put(comment)`; returns the review as it is then.

        Raises:
            EngineError: the file that holds them is damaged, or cannot be written.
        """
        from engine.tasks import comments

        return comments.change(self.folder(reference), attempt, how)

    def diff_stat(self, reference: str, attempt: int = 1, turn: int = 0) -> DiffStat:
        """Which files an attempt changed, and by how much; `turn` as in `diff`."""
        from engine.repository.diff import stat

        state = self.task(reference)
        self.diff(state.id, attempt)
        return stat(*self._span(state, attempt, turn))

    def _span(self, state: TaskState, attempt: int, turn: int) -> tuple[Path, str, str]:
        """The repository with the results, and the commits between which the work of an attempt (or turn) lies."""
        from engine.repository.mirror import Mirror
        from engine.repository.out import Results
        from engine.repository.source import Source

        results = state.attempts[attempt - 1].results if 1 <= attempt <= len(state.attempts) else {}
        if turn and turn not in results:
            known = ", ".join(str(number) for number in results) or "none"
            raise UsageError(f"attempt {attempt} of task {state.id} has no result of turn {turn}", f"it has: {known}")
        before = [results[number] for number in sorted(results) if number < turn]
        git_dir = Results(Mirror(Source.of(self.environment(state.environment_path)))).git_dir
        return git_dir, before[-1] if before else state.base_sha, results[turn or max(results)]

    def apply(self, reference: str, attempt: int = 1, *, preflight: bool = False) -> ApplyOutcome:
        """Apply the diff of an attempt to the local checkout of its environment (SPEC T10).

        Raises:
            EngineError: the repository is not a local checkout, or there is no diff.
        """
        from engine.repository.publish import apply
        from engine.repository.source import Source
        from engine.tasks import events as ev
        from engine.tasks.journal import Journal

        state = self.task(reference)
        self.diff(state.id, attempt)
        environment = self.environment(state.environment_path)
        source = Source.of(environment)
        if source.kind != "local":
            raise EngineError(f"{source.url} is not a local checkout", f"pipe it: fumehood diff {state.id} | git apply")
        self._refuse_secrets(environment, state.id, attempt)
        outcome = apply(self.patch(state.id, attempt), Path(source.url), preflight=preflight)
        if outcome.applied and state.status == "ready":
            journal = Journal(self.folder(state.id))
            journal.append(ev.TaskStatus(status="applied"))
            journal.close()
        return outcome

    def _refuse_secrets(self, environment: Environment, task: str, attempt: int) -> None:
        """A diff that holds the value of a secret is not published (SPEC S4)."""
        from engine.secrets.diff_scan import scan_diff
        from engine.tasks.secrets import secret_values

        found = [f for f in scan_diff(self.diff(task, attempt), secret_values(environment)) if f.known]
        if found:
            listed = ", ".join(f"{f.path} line {f.line} ({f.what})" for f in found[:5])
            raise EngineError(f"the diff holds secrets: {listed}", f"look at it: fumehood diff {task}")

    # Cache

    def cache_explain(self, environment: Environment) -> Explanation:
        """What a start now would find in the cache, and why (SPEC C3); starts nothing."""
        from engine.cache import snapshots
        from engine.cache.decision import Explanation as Decided
        from engine.cache.key import cache_key
        from engine.containers.endpoint import connect
        from engine.repository.source import Source
        from engine.repository.tree import CommitTree
        from engine.repository.watched import at_commit
        from engine.setup.effective import effective
        from engine.tasks.image import present
        from engine.tasks.secrets import secret_values

        api = connect()
        image = present(api, environment)
        if image is None:
            return Decided("miss", f"image {environment.image.title} is not there yet", "")
        source = Source.of(environment)
        place = cache(lambda: _default_commit(environment, source))
        runs = effective(environment, lambda: CommitTree(*place()), source.subdirectory)
        key = cache_key(
            environment,
            image_id=image,
            repository=source.identity,
            secrets=secret_values(environment),
            automatic=runs.plan_text,
        )
        watched = at_commit(*place(), source.subdirectory, runs.watch) if runs.watch else None
        return snapshots.explain(api, environment, key, watched)

    def cache_list(self) -> list[CacheEntry]:
        """Every snapshot of this user, newest first."""
        from engine.cache import snapshots
        from engine.containers import images
        from engine.containers.endpoint import connect

        api = connect()
        found = snapshots.everything(api)
        using = snapshots.users(api, found)
        added = {image.id: image.added for image in images.everything(api)}
        ttls = self._ttls()
        return [
            CacheEntry(
                snapshot=snapshot,
                expires_at=snapshot.created_at + ttls.get(snapshot.environment, 12 * 3600),
                in_use_by=tuple(using[snapshot.image]),
                size_bytes=added.get(snapshot.image, 0),
            )
            for snapshot in found
        ]

    def _ttls(self) -> dict[str, float]:
        """How long the snapshots of each environment within reach live, by its id."""
        return {entry.environment.id: entry.environment.cache.ttl for entry in self.environments() if entry.environment}

    def cache_gc(self, *, max_size: str | None = None, max_age: str | None = None, dry_run: bool = False) -> Report:
        """Remove snapshots and images that nothing needs, and what dead processes left (SPEC C9).

        Args:
            max_size: all that is kept together is to be no larger, such as `20g`; the default when not given.
            max_age: snapshots of this age go in any case, such as `6h`.
            dry_run: only say what would go.

        Raises:
            UsageError: the size or the age cannot be read; ContainerError: the engine cannot be asked.
        """
        from engine.containers.endpoint import connect
        from engine.environment.kinds import BadValue
        from engine.environment.values import parse_duration
        from engine.tasks import garbage

        limit = garbage.limit_bytes(max_size)
        try:
            age = parse_duration(max_age) if max_age is not None else None
        except BadValue as error:
            raise UsageError(f"--max-age: {error.message}", error.hint) from error
        return garbage.collect(connect(), max_bytes=limit, max_age=age, dry_run=dry_run, ttls=self._ttls())

    def cache_use(self) -> tuple[int, int]:
        """Bytes that all images of this user add to the disk, and those they may (SPEC C9).

        Raises:
            EngineError: the engine cannot be asked, or the limit is unreadable.
        """
        from engine.containers.endpoint import connect
        from engine.tasks import garbage

        return garbage.used_bytes(connect()), garbage.limit_bytes()

    def cache_reset(self, environment: Environment) -> str:
        """Invalidate the environment's snapshots (SPEC C4); returns what happened in one line."""
        from engine.cache import snapshots
        from engine.containers.endpoint import connect

        api = connect()
        snapshots.reset(environment.id)
        found = snapshots.of_environment(api, environment.id)
        lock = Lock(snapshots.lock_path(environment.id))
        # A task that is just starting from a snapshot has the lock; what it leaves goes with the next snapshot made.
        removed = [s for s in found if snapshots.remove(api, s.image)] if lock.try_acquire() else []
        lock.release()
        if not found:
            return f"{environment.name}: there was no snapshot; the next start sets it up"
        kept = len(found) - len(removed)
        still = f", {kept} kept until the tasks that use it end" if kept else ""
        return f"{environment.name}: {len(removed)} snapshot{'s' * (len(removed) != 1)} removed{still}"

    def cache_rebuild(self, environment: Environment) -> str:
        """Have the keeper run setup again in the background; the snapshot there is holds until the new one does.

        Raises:
            UsageError: the cache is off, or no keeper takes care of the environment.
            Untrusted: the user has not agreed to the content of the environment's file.
        """
        from engine.environment.trust import require
        from engine.keeper import rebuilds
        from engine.keeper.clients import open_environments

        require(environment)
        if not environment.cache.enabled:
            raise UsageError(f"the cache is off for {environment.name}", "set enabled = true in [cache]")
        if not self.keeper_lives() or environment.path not in open_environments():
            raise UsageError(
                f"nobody takes care of {environment.name}", "open it with `fumehood watch`, or wait a moment"
            )
        rebuilds.ask(environment.id)
        return f"{environment.name}: setup runs again; the snapshot there is holds until the new one does"

    # The keeper

    def open(self, environments: Iterable[Path]) -> Client:
        """Let the keeper take care of these environment files until the client that is returned is closed (SPEC C5).

        Trust is not given by this: a file that is not trusted is only waited for.
        """
        from engine.keeper.clients import Client

        client = Client(environments)
        client.ensure_keeper()
        return client

    def kept(self, offset: int = 0) -> tuple[list[Kept], int]:
        """What the keeper did, after byte `offset` of its journal, and the offset to go on from."""
        from engine.keeper.clients import keeper_dir
        from engine.tasks.events import Kept
        from engine.tasks.journal import read

        events, after = read(keeper_dir(), offset)
        return [event for event in events if isinstance(event, Kept)], after

    def keeper_size(self) -> int:
        """The size of the keeper's journal: while it stays, `kept` has nothing new."""
        from engine.keeper.clients import keeper_dir
        from engine.tasks.journal import JOURNAL

        try:
            return (keeper_dir() / JOURNAL).stat().st_size
        except FileNotFoundError:
            return 0

    def keeper_lives(self) -> bool:
        """Whether there is a keeper: what its journal says has begun goes on."""
        from engine.keeper.clients import keeper_dir

        return Lock(keeper_dir() / "lock").held_elsewhere()

    def stands_by(self, environment: Environment) -> bool:
        """Whether a container stands by for the environment's next task."""
        from engine.tasks.standby import folder

        return (folder() / environment.id).exists()

    def job_folder(self, job: str) -> Path:
        """The folder of a refresh or rebuild, with a journal and the output of its commands, as a task's."""
        from engine.keeper.clients import keeper_dir

        return keeper_dir() / "jobs" / job

    # Network

    def network_check(
        self,
        environment: Environment,
        hosts: Sequence[str],
        *,
        phase: CheckedPhase = "agent",
        method: str | None = None,
    ) -> list[Checked]:
        """What the gateway would say to these hosts (SPEC L3); see `engine.network.check`."""
        from engine.network.check import check

        return check(environment, hosts, phase, method, self._registries(environment) if phase == "agent" else None)

    def network_entries(self, environment: Environment) -> list[Entry]:
        """The entries of the environment's lists as they are stored, or why they are refused (SECURITY-CASES B11)."""
        from engine.network.check import entries

        return entries(environment.network, self._registries(environment))

    def _registries(self, environment: Environment) -> tuple[str, ...] | None:
        """What presets hold of the package registries of the environment's snapshot; None while there is none."""
        from engine.network.check import needs_registries

        if not needs_registries(environment):
            return None
        from engine.cache import snapshots
        from engine.containers.endpoint import connect
        from engine.tasks.registries import of_image

        api = connect()
        newest = next(iter(snapshots.of_environment(api, environment.id)), None)
        return of_image(api, newest.image).entries if newest else None

    def network_entry(self, host: str, port: int) -> str:
        """The narrowest entry of a list that lets through what the request log names so.

        Raises:
            UsageError: no entry can.
        """
        from engine.network.allow import entry_for

        return entry_for(host, port)

    def network_allow(self, environment: Environment, entry: str) -> tuple[str, bool]:
        """Let the environment's agents reach one more entry (SPEC N6): as stored, and whether the file changed.

        Raises:
            EngineError: the entry is unusable or would have no effect, or the file cannot be edited.
        """
        from engine.network.allow import allow_in_file

        return allow_in_file(environment, entry)

    def network_allow_task(self, reference: str, entry: str) -> str:
        """Ask a running task to let its agent reach one more host; returns the entry as stored.

        Raises:
            UsageError: the entry is unusable, or the task has ended.
        """
        from engine.network.allow import one_rule
        from engine.tasks.requests import ask_to_allow

        state = self.task(reference)
        if state.finished:
            raise UsageError(f"task {state.id} has ended already: {state.status}", "allow it with --env instead")
        stored = str(one_rule(entry))
        if state.network_mode == "off":
            file = state.environment_path
            raise UsageError(
                f"the network of task {state.id} is off: it has no way out, and cannot get one while it runs",
                f'set agent = "limited" and allow = ["{stored}"] in [network] of {file}, then start a new task',
            )
        if state.network_mode == "full":
            raise UsageError(
                f"the network of task {state.id} is full: it reaches every public host",
                f"only what deny in [network] of {state.environment_path} names is refused",
            )
        ask_to_allow(self.folder(state.id), stored)
        return stored

    # Secrets

    def secret_set(self, environment: Environment, name: str, value: bytes) -> list[str]:
        """Keep the value of a secret, encrypted (SPEC S1); returns warnings, each a sentence.

        Raises:
            UsageError: name or value cannot be those of an environment variable.
        """
        from engine.secrets.store import Store

        warning = Store(environment).set(name, value)
        warnings = [warning] if warning else []
        if name not in environment.secrets:
            warnings.append(f"{environment.path} does not declare it: add `{name} = {{}}` to [secrets] there")
        return warnings

    def secret_list(self, environment: Environment) -> list[SecretEntry]:
        """The secrets that the environment declares or that have a value, by name; nothing is decrypted."""
        from engine.secrets.store import Store

        kept = Store(environment).names()
        names = sorted({*environment.secrets, *kept})
        return [SecretEntry(name, name in environment.secrets, kept.get(name)) for name in names]

    def secret_remove(self, environment: Environment, name: str) -> None:
        """Forget the value of a secret.

        Raises:
            UsageError: it has none.
        """
        from engine.secrets.store import Store

        Store(environment).remove(name)

    # Agents

    def agent_list(self) -> list[AgentEntry]:
        """Every agent, those whose command line can be installed included, with what each needs to start."""
        from engine.agents.listing import listing

        return listing()

    def agent_install(self, name: str, progress: Callable[[str], None], *, version: str = "") -> Path:
        """Install the command line of an agent with npm; returns its program.

        Raises:
            UsageError: it cannot be installed; EngineError: npm or the program failed.
        """
        from engine.agents.install import install

        return install(name, version, progress).program

    # Images and the demo

    def demo_environment(self) -> Environment:
        """The sample that `fumehood demo` works on, in a git repository of its own in the data folder; trusted."""
        from engine.data import sample_envs_dir
        from engine.repository.create import from_folder
        from engine.state import data_dir

        sample = "python-pip"
        environment = self.environment(str(from_folder(sample_envs_dir() / sample, data_dir() / "demo" / sample)))
        self.trust(environment)
        return environment

    def image_list(self) -> list[Listed]:
        """The images of the engine that are no snapshots, newest first, each with who uses it."""
        from engine.containers.endpoint import connect
        from engine.tasks.image import listed

        return listed(connect(), [entry.environment for entry in self.environments() if entry.environment])

    def image_bootstrap(self, progress: Callable[[str], None], *, suite: str | None, packages: Sequence[str]) -> str:
        """Make the base image on this machine (SPEC E8); returns its id."""
        from engine.containers.bootstrap import bootstrap

        return bootstrap(progress, suite=suite, extra_packages=packages)


def _default_commit(environment: Environment, source: Source) -> tuple[Path, str]:
    """The mirror of a repository, brought up to date, and the commit that snapshots are made from."""
    from engine.repository.mirror import Mirror

    mirror = Mirror(source)
    mirror.update()
    return mirror.git_dir, mirror.resolve(None, environment.repository.default_branch).sha


def _detach(folder: Path, environment: Environment | None, *, fork: bool) -> None:
    """Give the task in `folder` a supervisor, in the quickest way there is."""
    from engine.tasks import detach, starter
    from engine.tasks.supervisor import supervise

    if starter.ask(folder):
        return
    if fork:
        detach.fork(lambda: supervise(folder, environment))
    else:
        detach.spawn(folder)
