"""The events of a task's journal: what happened, in order, as typed records (SPEC L3, `"v": 1`).

Every event carries `seq` (1, 2, 3 … without gap), `ts` (Unix seconds) and `run` (the attempt, from 1).
"""

from __future__ import annotations

from typing import Literal

import msgspec

Status = Literal["pending", "in_progress", "ready", "applied", "error", "cancelled", "interrupted"]
Phase = Literal[
    "clone", "setup", "snapshot", "resume", "checkout", "maintenance", "start", "agent", "collect", "publish"
]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What all events have; `seq` and `ts` are given by the journal when the event is appended."""

    v: int = 1
    seq: int = 0
    ts: float = 0.0
    run: int = 1


class TaskCreated(Event, frozen=True, kw_only=True, tag="task.created"):
    """The first event: what was asked for; `network` is the mode the agent will have.

    `recording` is the task that is only played again here; empty for one that works.
    """

    id: str
    environment: str
    environment_path: str
    repository: str
    prompt: str
    agent: str
    branch: str = ""
    attempts: int = 1
    network: str = ""
    recording: str = ""


class TaskBase(Event, frozen=True, kw_only=True, tag="task.base"):
    """The commit the host chose; every diff of the task is made against it (SPEC T9)."""

    branch: str
    base_sha: str
    workdir: str = ""


class TaskStatus(Event, frozen=True, kw_only=True, tag="task.status"):
    """The task as a whole moved to `status`; the last of these is the task's end unless a follow-up comes."""

    status: Status
    reason: str = ""


class PhaseStarted(Event, frozen=True, kw_only=True, tag="phase.started"):
    """A phase began; `reason` says why it runs when that is not self-evident."""

    phase: Phase
    reason: str = ""


class PhaseFinished(Event, frozen=True, kw_only=True, tag="phase.finished"):
    """A phase ended or was skipped; a failed one carries its exit code and its last 50 lines (SPEC T3)."""

    phase: Phase
    status: Literal["done", "skipped", "failed"]
    reason: str = ""
    seconds: float = 0.0
    exit_code: int | None = None
    tail: str = ""


class CacheDecision(Event, frozen=True, kw_only=True, tag="cache"):
    """Why this start hit or missed the cache (SPEC C3)."""

    result: Literal["hit", "miss", "off", "standby"]
    reason: str
    key: str
    changed: list[str] = []
    age_seconds: float | None = None
    image: str = ""


class NetworkPolicy(Event, frozen=True, kw_only=True, tag="network.policy"):
    """The agent's policy as it is put in force: each entry as written, and the rules it stands for here.

    A preset's rules hold the package registries that were found for the snapshot (SPEC N3). With
    `off` there is no such event: there is no way out then.
    """

    mode: Literal["limited", "full"]
    allow: list[tuple[str, list[str]]] = []
    deny: list[tuple[str, list[str]]] = []
    methods: list[str] = []


class NetworkRequest(Event, frozen=True, kw_only=True, tag="network.request"):
    """One request the gateway decided (SPEC N6), and the command that caused it as far as can be told.

    `sure`: it was the only command that ran at that time.
    """

    phase: Phase
    host: str
    port: int
    method: str
    decision: Literal["allowed", "denied", "failed"]
    path: str = ""
    rule: str = ""
    reason: str = ""
    bytes_up: int = 0
    bytes_down: int = 0
    seconds: float = 0.0
    command: str = ""
    sure: bool = False


class NetworkProven(Event, frozen=True, kw_only=True, tag="network.proven"):
    """The self-test before the agent (SPEC T2): what was tried and whether the policy held."""

    mode: Literal["off", "limited", "full"]
    ok: bool
    checks: list[str] = []


class NetworkLost(Event, frozen=True, kw_only=True, tag="network.lost"):
    """Part of the way out ended unasked: nothing leaves the container unless `network.restored` follows (SPEC N2)."""

    phase: Phase
    reason: str


class NetworkRestored(Event, frozen=True, kw_only=True, tag="network.restored"):
    """The way out is there again, under the policy it had."""

    phase: Phase


class RunStarted(Event, frozen=True, kw_only=True, tag="run.started"):
    """An agent begins to work on `prompt`; `turn` counts the prompts of the task from 1."""

    agent: str
    prompt: str = ""
    turn: int = 1
    version: str = ""
    model: str = ""
    session: str = ""
    where: Literal["host", "container"] = "container"


class Instructions(Event, frozen=True, kw_only=True, tag="instructions"):
    """What the project tells its agents (AGENTS.md): the files, each with whether setup made or changed it, and the
    commands for tests and linters that they name, as far as they can be made out."""

    files: list[tuple[str, bool]] = []
    commands: list[tuple[Literal["test", "lint"], str]] = []


class Message(Event, frozen=True, kw_only=True, tag="message"):
    """Text of the agent for the user."""

    text: str
    final: bool = False


class Reasoning(Event, frozen=True, kw_only=True, tag="reasoning"):
    """The agent's thinking; folded by default."""

    text: str


class Plan(Event, frozen=True, kw_only=True, tag="plan"):
    """The agent's plan: pairs of text and pending | in_progress | completed."""

    items: list[tuple[str, str]]


class CommandStarted(Event, frozen=True, kw_only=True, tag="command.started"):
    """A command began, of the agent or (`phase` other than "agent") of a script of the environment."""

    id: str
    command: str
    cwd: str = ""
    phase: Phase = "agent"


class CommandOutput(Event, frozen=True, kw_only=True, tag="command.output"):
    """`size` bytes of output at `offset` of `output/ID.log`.

    On disk `text` is empty (the output is kept once, in its file); `fumehood logs` fills it in.
    """

    id: str
    stream: Literal["out", "err", "both"]
    offset: int = 0
    size: int = 0
    text: str = ""


class CommandFinished(Event, frozen=True, kw_only=True, tag="command.finished"):
    """A command ended; `bytes` counts all its output, `truncated` says that not all of it was kept."""

    id: str
    exit_code: int | None
    duration: float
    status: Literal["completed", "failed", "killed", "timeout", "lost"]
    bytes: int = 0
    truncated: bool = False


class FileChanged(Event, frozen=True, kw_only=True, tag="file.changed"):
    """The agent (or git) says that a file changed."""

    path: str
    kind: Literal["add", "update", "delete"]
    source: Literal["agent", "git"] = "agent"


class ToolStarted(Event, frozen=True, kw_only=True, tag="tool.started"):
    """A tool of the agent that is neither a command nor a file change."""

    id: str
    name: str
    summary: str = ""


class ToolFinished(Event, frozen=True, kw_only=True, tag="tool.finished"):
    """The end of such a tool."""

    id: str
    ok: bool
    summary: str = ""


class Usage(Event, frozen=True, kw_only=True, tag="usage"):
    """Tokens, as the agent reports them."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0
    cost_usd: float | None = None
    scope: Literal["step", "run", "session"] = "run"


class Notice(Event, frozen=True, kw_only=True, tag="notice"):
    """Something the user should know that is no failure."""

    level: Literal["info", "warning"]
    text: str


class Error(Event, frozen=True, kw_only=True, tag="error"):
    """A fault, and whose it is."""

    text: str
    kind: Literal["model", "auth", "container", "agent", "workbench"]
    hint: str = ""


class RunFinished(Event, frozen=True, kw_only=True, tag="run.finished"):
    """The agent's turn is over: exactly one of these follows each `run.started`."""

    status: Literal["completed", "failed", "stopped", "limit"]
    reason: str = ""
    answer: str = ""
    session: str = ""
    seconds: float = 0.0
    commands: int = 0
    exit_code: int | None = None


class DiffReady(Event, frozen=True, kw_only=True, tag="diff"):
    """The result was collected: base (the host's) to result, numbers of the whole attempt (SPEC T9)."""

    base_sha: str
    result_sha: str
    files_changed: int
    lines_added: int
    lines_removed: int
    commits: list[tuple[str, str]] = []


class AttemptPicked(Event, frozen=True, kw_only=True, tag="attempt.picked"):
    """The user preferred the attempt `run`: it is the one meant where none is named (SPEC T6)."""


class Published(Event, frozen=True, kw_only=True, tag="published"):
    """The result of this attempt is a branch of `remote`; with `url`, there is a pull request of it (SPEC T10).

    `body_digest` tells whether the body of the request still is what was sent last.
    """

    remote: str
    branch: str
    sha: str
    url: str = ""
    number: int = 0
    forge: str = ""
    body_digest: str = ""


class Kept(Event, frozen=True, kw_only=True, tag="keeper"):
    """What the keeper did for an environment; `job` names the folder of a refresh or rebuild (SPEC C5)."""

    environment: str
    environment_path: str
    action: Literal["watch", "refresh", "rebuild", "standby"]
    status: Literal["started", "done", "failed", "waiting", "ended"]
    reason: str = ""
    job: str = ""
    seconds: float = 0.0
    tail: str = ""


AnyEvent = (
    TaskCreated
    | TaskBase
    | TaskStatus
    | PhaseStarted
    | PhaseFinished
    | CacheDecision
    | NetworkPolicy
    | NetworkRequest
    | NetworkProven
    | NetworkLost
    | NetworkRestored
    | RunStarted
    | Instructions
    | Message
    | Reasoning
    | Plan
    | CommandStarted
    | CommandOutput
    | CommandFinished
    | FileChanged
    | ToolStarted
    | ToolFinished
    | Usage
    | Notice
    | Error
    | RunFinished
    | DiffReady
    | AttemptPicked
    | Published
    | Kept
)
