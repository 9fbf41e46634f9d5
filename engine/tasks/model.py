"""A task as its journal tells it: folding the events gives the state that CLI and screens show."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field
from msgspec.structs import asdict

from engine.tasks import events as ev
from engine.tasks.checks import is_test

FINISHED: frozenset[str] = frozenset({"ready", "applied", "error", "cancelled", "interrupted"})
_AT_WORK = ("start", "agent", "collect")


class PhaseState(Struct):
    """One phase of one attempt; `seconds` is 0 while it runs."""

    name: str
    attempt: int
    status: str = "running"
    reason: str = ""
    seconds: float = 0.0
    started_at: float = 0.0


class DiffSize(Struct):
    """How much an attempt changed."""

    files_changed: int = 0
    lines_added: int = 0
    lines_removed: int = 0


class CheckRun(Struct):
    """A command of an agent that runs tests; `exit_code` is None while it runs, and when nobody saw it end."""

    command: str
    exit_code: int | None = None


class AttemptState(Struct):
    """One attempt: its container's run of the agent and what came of it; `results` by turn, `result_sha` the last.

    `seconds` and `tokens` are those of all its turns, `tests` the agent's test runs by the id of the command.
    `collected_at`: when the last result was taken out, Unix seconds.
    """

    number: int
    status: str = "pending"
    exit_code: int | None = None
    answer: str = ""
    reason: str = ""
    session: str = ""
    commands: int = 0
    diff: DiffSize = field(default_factory=DiffSize)
    result_sha: str = ""
    collected_at: float = 0.0
    commits: list[tuple[str, str]] = field(default_factory=list)
    turns: int = 0
    results: dict[int, str] = field(default_factory=dict)
    network_lost: bool = False
    seconds: float = 0.0
    tokens: int = 0
    tokens_before: int = 0
    tests: dict[str, CheckRun] = field(default_factory=dict)

    @property
    def last_tests(self) -> list[CheckRun]:
        """Each test command once, as it ended last, in the order of those last runs."""
        last = {test.command: number for number, test in enumerate(self.tests.values())}
        return [test for number, test in enumerate(self.tests.values()) if last[test.command] == number]

    def use(self, usage: ev.Usage) -> None:
        """Count tokens; totals that an agent tells later are not added to the steps it told before."""
        told = usage.input + usage.output
        if usage.scope == "step":
            self.tokens += told
        else:
            self.tokens = max(self.tokens, told + (self.tokens_before if usage.scope == "run" else 0))


class TurnState(Struct):
    """One prompt of the task, and what came of it in the attempt it went to (all of them, for the first)."""

    number: int
    prompt: str
    attempt: int
    status: str = "in_progress"
    answer: str = ""
    result_sha: str = ""
    diff: DiffSize = field(default_factory=DiffSize)


class Failure(Struct):
    """What ended a task that did not reach its result."""

    phase: str
    message: str
    exit_code: int | None = None
    tail: str = ""
    hint: str = ""


_RUN_STATUS = {"completed": "completed", "failed": "failed", "stopped": "cancelled", "limit": "failed"}


class TaskState(Struct):
    """The state of one task; `apply` moves it on by one event.

    `asked_branch` is the branch, tag or sha that was asked for; `branch` is the one that turned out to be meant.
    """

    id: str
    environment: str = ""
    environment_path: str = ""
    repository: str = ""
    branch: str = ""
    asked_branch: str = ""
    base_sha: str = ""
    workdir: str = ""
    prompt: str = ""
    agent: str = ""
    recording: str = ""
    status: str = "pending"
    phase: str = ""
    created_at: float = 0.0
    updated_at: float = 0.0
    cache: ev.CacheDecision | None = None
    phases: list[PhaseState] = field(default_factory=list)
    attempts: list[AttemptState] = field(default_factory=list)
    turns: list[TurnState] = field(default_factory=list)
    network_mode: str = ""
    network_proven: bool | None = None
    network_allowed: int = 0
    network_denied: int = 0
    usage: ev.Usage | None = None
    published: list[ev.Published] = field(default_factory=list)
    error: Failure | None = None
    last_seq: int = 0
    picked: int = 0

    @property
    def chosen(self) -> int:
        """The number of the attempt that is meant where none is named: the one picked, else the first."""
        return self.picked or 1

    @property
    def network_lost(self) -> bool:
        """Whether an attempt has no way out of its container although its policy gives it one."""
        return any(attempt.network_lost for attempt in self.attempts)

    @property
    def finished(self) -> bool:
        """Whether nothing more happens unless a follow-up is sent."""
        return self.status in FINISHED

    def attempt(self, number: int) -> AttemptState:
        """The state of attempt `number`, made when it is first spoken of."""
        while len(self.attempts) < number:
            self.attempts.append(AttemptState(len(self.attempts) + 1))
        return self.attempts[number - 1]

    def has_work(self, number: int) -> bool:
        """Whether a container made for an attempt's last turn holds what its agent, or a service, may have done."""
        last = next((phase.name for phase in reversed(self.phases) if phase.attempt == number), "")
        return last in _AT_WORK

    def has_worked(self, number: int) -> bool:
        """Whether an agent, or a service beside it, began in any turn of an attempt."""
        return any(phase.attempt == number and phase.name in _AT_WORK for phase in self.phases)

    @property
    def left_in(self) -> int:
        """The first attempt of an ended task with work of its agent that was not brought out; 0 when there is none."""
        if not self.finished:
            return 0
        numbers = (a.number for a in self.attempts if self.has_worked(a.number) and a.turns not in a.results)
        return next(numbers, 0)

    def apply(self, event: ev.AnyEvent) -> None:
        """Take one event in; events come in the order of their `seq`."""
        self.last_seq = event.seq
        self.updated_at = event.ts
        match event:
            case ev.CommandOutput():
                # By far the most of a journal; the state has nothing of it.
                pass
            case ev.TaskCreated():
                self.environment, self.prompt = event.environment, event.prompt
                self.environment_path, self.repository = event.environment_path, event.repository
                self.agent, self.branch, self.created_at = event.agent, event.branch, event.ts
                self.asked_branch = event.branch
                self.network_mode, self.recording = event.network, event.recording
                self.attempt(event.attempts)
            case ev.TaskBase():
                self.branch, self.base_sha, self.workdir = event.branch, event.base_sha, event.workdir
            case ev.TaskStatus():
                self._status(event)
            case ev.PhaseStarted() | ev.PhaseFinished():
                self._phase(event)
            case ev.CacheDecision():
                self.cache = event
            case ev.NetworkProven():
                self.network_mode, self.network_proven = event.mode, event.ok
                self.attempt(event.run).network_lost = False
            case ev.NetworkRequest():
                self.network_allowed += event.decision == "allowed"
                self.network_denied += event.decision == "denied"
            case ev.Usage():
                self.usage = event
                self.attempt(event.run).use(event)
            case ev.AttemptPicked():
                self.picked = event.run
            case ev.Published():
                others = [p for p in self.published if (p.remote, p.branch) != (event.remote, event.branch)]
                self.published = [*others, event]
            case ev.Error():
                self.error = Failure(self.phase, event.text, None, "", event.hint)
            case _:
                self._run(event)

    def _status(self, event: ev.TaskStatus) -> None:
        self.status = event.status
        if event.status in ("in_progress", "ready", "applied"):
            self.error = None
        if event.status in FINISHED:
            for phase in self.phases:
                if phase.status == "running":
                    phase.status, phase.seconds = "failed", event.ts - phase.started_at
            for attempt in self.attempts:
                if attempt.status in ("pending", "in_progress"):
                    attempt.status = "cancelled" if event.status == "cancelled" else "failed"
            # What a phase failed with is only how the loss of its container showed.
            if event.reason and event.status == "interrupted":
                self.error = Failure(self.phase, event.reason)
            # No phase failed: the agent said so of its work, which was collected before the task ended.
            elif event.reason and event.status == "error" and self.error is None:
                self.error = Failure("agent", event.reason)

    def _phase(self, event: ev.PhaseStarted | ev.PhaseFinished) -> None:
        self.phase = event.phase
        current = next((p for p in reversed(self.phases) if p.name == event.phase and p.attempt == event.run), None)
        if current is None or isinstance(event, ev.PhaseStarted):
            current = PhaseState(event.phase, event.run, started_at=event.ts)
            self.phases.append(current)
        current.reason = event.reason or current.reason
        if isinstance(event, ev.PhaseFinished):
            current.status, current.seconds = event.status, event.seconds
            if event.status == "failed":
                self.error = Failure(event.phase, event.reason, event.exit_code, event.tail)

    def _run(self, event: ev.AnyEvent) -> None:
        attempt = self.attempt(event.run)
        match event:
            case ev.RunStarted():
                attempt.status, attempt.session, attempt.turns = "in_progress", event.session, event.turn
                attempt.tokens_before = attempt.tokens
                if len(self.turns) < event.turn:
                    self.turns.append(TurnState(event.turn, event.prompt, event.run))
            case ev.NetworkLost() | ev.NetworkRestored():
                attempt.network_lost = isinstance(event, ev.NetworkLost)
            case ev.CommandStarted(phase="agent"):
                attempt.commands += 1
                if is_test(event.command):
                    attempt.tests[event.id] = CheckRun(event.command)
            case ev.CommandFinished() if event.id in attempt.tests:
                attempt.tests[event.id].exit_code = event.exit_code
            case ev.RunFinished():
                attempt.seconds += event.seconds
                attempt.status, attempt.answer = _RUN_STATUS[event.status], event.answer
                attempt.reason, attempt.exit_code = event.reason, event.exit_code
                attempt.session = event.session or attempt.session
                if turn := self._turn(event.run):
                    turn.status, turn.answer = attempt.status, event.answer
            case ev.DiffReady():
                attempt.diff = DiffSize(event.files_changed, event.lines_added, event.lines_removed)
                attempt.result_sha, attempt.commits = event.result_sha, event.commits
                attempt.results[attempt.turns], attempt.collected_at = event.result_sha, event.ts
                if turn := self._turn(event.run):
                    turn.result_sha, turn.diff = event.result_sha, attempt.diff
            case _:
                pass

    def _turn(self, run: int) -> TurnState | None:
        """The last turn, when it is of this attempt."""
        return self.turns[-1] if self.turns and self.turns[-1].attempt == run else None


def fold(task_id: str, journal: Iterable[ev.AnyEvent]) -> TaskState:
    """The state of task `task_id` after all events of `journal`."""
    state = TaskState(task_id)
    for event in journal:
        state.apply(event)
    return state


def status_json(state: TaskState, *, answers: bool = True) -> dict[str, object]:
    """`fumehood status --json` (SPEC L3): plain data, stable names; `answers=False` for lists."""
    cache = state.cache
    return {
        "v": 1,
        "id": state.id,
        "environment": state.environment,
        "repository": state.repository,
        "branch": state.branch,
        "base_sha": state.base_sha,
        "prompt": state.prompt,
        "agent": state.agent,
        "recording": state.recording,
        "status": state.status,
        "phase": state.phase,
        "created_at": state.created_at,
        "updated_at": state.updated_at,
        "cache": None
        if cache is None
        else {
            "result": cache.result,
            "reason": cache.reason,
            "changed": cache.changed,
            "age_seconds": cache.age_seconds,
            "key": cache.key,
        },
        "phases": [
            {
                "name": phase.name,
                "attempt": phase.attempt,
                "status": phase.status,
                "reason": phase.reason,
                "seconds": round(phase.seconds, 3),
            }
            for phase in state.phases
        ],
        "attempts": [attempt_json(a, answers=answers) for a in state.attempts],
        "picked": state.picked or None,
        "turns": [_turn_json(turn, answers) for turn in state.turns],
        "network": {
            "mode": state.network_mode,
            "proven": state.network_proven,
            "lost": state.network_lost,
            "allowed": state.network_allowed,
            "denied": state.network_denied,
        },
        "published": [
            {
                "attempt": event.run,
                "remote": event.remote,
                "branch": event.branch,
                "sha": event.sha,
                "url": event.url,
                "number": event.number,
                "forge": event.forge,
            }
            for event in state.published
        ],
        "error": None
        if state.error is None
        else {
            "phase": state.error.phase,
            "message": state.error.message,
            "exit_code": state.error.exit_code,
            "tail": state.error.tail,
            "hint": state.error.hint,
        },
    }


def _turn_json(turn: TurnState, answers: bool) -> dict[str, object]:
    answer = {"answer": turn.answer} if answers else {}
    return {
        "number": turn.number,
        "attempt": turn.attempt,
        "prompt": turn.prompt,
        "status": turn.status,
        **answer,
        "diff": asdict(turn.diff),
    }


def attempt_json(attempt: AttemptState, *, answers: bool = True) -> dict[str, object]:
    """An attempt as in `status --json`: plain data, stable names."""
    answer = {"answer": attempt.answer} if answers else {}
    return {
        "number": attempt.number,
        "status": attempt.status,
        "exit_code": attempt.exit_code,
        **answer,
        "commands": attempt.commands,
        "diff": {
            "files_changed": attempt.diff.files_changed,
            "lines_added": attempt.diff.lines_added,
            "lines_removed": attempt.diff.lines_removed,
        },
        "commits": [{"sha": sha, "subject": subject} for sha, subject in attempt.commits],
        "seconds": round(attempt.seconds, 3),
        "tokens": attempt.tokens,
        "tests": [asdict(test) for test in attempt.last_tests],
    }
