"""What happened in one attempt, in order, as blocks to look at: commands with their output, and texts."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct, field

from engine.tasks import events as ev
from engine.tasks.model import FINISHED
from tui.present import words
from tui.present.instructions import instructions_line
from tui.present.policy import policy_line

TextKind = Literal[
    "phase", "prompt", "message", "thought", "plan", "tool", "file", "notice", "warning", "denied", "error", "answer",
    "end",
]  # fmt: skip
_PHASES_WITHOUT_HEADING = frozenset({"snapshot", "resume", "checkout", "collect", "publish"})


class Command(Struct):
    """A command; `unfolded` is None until someone folds or unfolds it."""

    id: str
    command: str
    phase: str
    started_at: float
    status: str = "running"
    exit_code: int | None = None
    duration: float = 0.0
    size: int = 0
    unfolded: bool | None = None

    @property
    def running(self) -> bool:
        """Whether its end was not seen yet."""
        return self.status == "running"

    @property
    def failed(self) -> bool:
        """Whether it ended, and not well; services are ended with the task, as they should."""
        return self.status not in ("running", "completed") and (self.phase, self.status) != ("start", "killed")

    @property
    def shows_output(self) -> bool:
        """Whether its output is unfolded: while it runs and when it failed, unless the user chose."""
        return self.unfolded if self.unfolded is not None else self.running or self.failed


class Text(Struct):
    """A text, told at `at` (Unix seconds); of one that is not `unfolded` only the first line is on the screen.

    `request` is what a request that was not allowed is found by, as `tui.present.requests.Host.key`.
    """

    kind: TextKind
    text: str
    right: str = ""
    hint: str = ""
    unfolded: bool = True
    status: str = ""
    at: float = 0.0
    request: tuple[str, str, int] | None = None


Block: TypeAlias = Command | Text


class Story(Struct):
    """The blocks of attempt `attempt`; `apply` adds what an event tells.

    `changed` is the first block that looks different now, `running` has the numbers of the commands that run.
    """

    attempt: int = 1
    blocks: list[Block] = field(default_factory=list)
    changed: int | None = 0
    running: set[int] = field(default_factory=set)
    _now: float = 0.0
    _commands: dict[str, int] = field(default_factory=dict)
    _phase: str = ""
    _heading: str = ""
    _answer: int | None = None
    _failed_phase: str = ""

    def apply(self, event: ev.AnyEvent) -> None:
        """Take one event in; those of other attempts are passed over, those of the whole task are not."""
        if event.run != self.attempt and not isinstance(event, ev.TaskStatus | ev.CacheDecision):
            return
        self._now = event.ts
        match event:
            case ev.CommandStarted():
                self._head(event.phase)
                self._commands[event.id] = len(self.blocks)
                self.running.add(len(self.blocks))
                self._add(Command(event.id, event.command, event.phase, event.ts))
            case ev.CommandFinished():
                self._finished(event)
            case ev.PhaseStarted():
                self._phase, self._heading = event.phase, ""
            case ev.PhaseFinished():
                self._phase_finished(event)
            case ev.CacheDecision():
                result = f"cache {event.result}"
                self._add(Text("notice", f"{result}: {event.reason}" if event.reason else result))
            case ev.TaskStatus():
                self._status(event)
            case _:
                self._said(event)

    def _said(self, event: ev.AnyEvent) -> None:
        match event:
            case ev.RunStarted(prompt=prompt) if prompt:
                self._head("agent")
                self._answer = None
                self._add(Text("prompt", prompt, right=event.agent))
            case ev.Instructions():
                self._add(Text("notice", instructions_line(event)))
            case ev.Message(final=False, text=text) if text.strip():
                self._add(Text("message", text))
            case ev.Message(final=True, text=text) | ev.RunFinished(answer=text) if text.strip():
                self._answered(text)
            case ev.Reasoning(text=text) if text.strip():
                self._add(Text("thought", text, unfolded=False))
            case ev.Plan(items=items):
                self._add(Text("plan", "\n".join(f"{_PLAN.get(status, '·')} {text}" for text, status in items)))
            case ev.ToolFinished():
                self._add(Text("tool", event.summary or event.id, status="done" if event.ok else "failed"))
            case ev.FileChanged(source="agent"):
                self._add(Text("file", event.path, right=event.kind))
            case ev.NetworkPolicy():
                self._add(Text("notice", f"network {policy_line(event)}"))
            case ev.NetworkRequest() if event.decision != "allowed":
                where = f"{event.method} {event.host}:{event.port}"
                why = event.reason or event.rule
                request = (event.decision, event.host, event.port)
                self._add(Text("denied", f"{where}  {why}", right="▸", status=event.decision, request=request))
            case ev.NetworkProven(ok=False, checks=checks):
                self._add(Text("error", "the network policy does not hold", hint="; ".join(checks)))
            case ev.NetworkLost():
                self._add(Text("error", f"network lost: {event.reason}"))
            case ev.NetworkRestored():
                self._add(Text("notice", "network restored, under the same policy"))
            case ev.Published():
                self._add(Text("notice", f"published: {event.branch} → {event.remote}", hint=event.url))
            case ev.Notice():
                self._add(Text("warning" if event.level == "warning" else "notice", event.text))
            case ev.Error():
                self._add(Text("error", event.text, hint=event.hint))
            case _:
                pass

    def _add(self, block: Block) -> None:
        if isinstance(block, Text):
            block.at = self._now
        self.touch(len(self.blocks))
        self.blocks.append(block)

    def number_of(self, command: str) -> int:
        """The number of the block of the command with this id.

        Raises:
            KeyError: there is none.
        """
        return self._commands[command]

    def touch(self, number: int) -> None:
        """Say that the block with this number looks different now."""
        self.changed = number if self.changed is None else min(self.changed, number)

    def _head(self, phase: str) -> None:
        if phase != self._heading:
            self._heading = phase
            self._add(Text("phase", phase))

    def _finished(self, event: ev.CommandFinished) -> None:
        number = self._commands.get(event.id)
        if number is None:
            return
        command = self.blocks[number]
        assert isinstance(command, Command)
        command.status, command.exit_code = event.status, event.exit_code
        command.duration, command.size = event.duration, event.bytes
        self.running.discard(number)
        self.touch(number)

    def _phase_finished(self, event: ev.PhaseFinished) -> None:
        if event.status == "failed":
            self._failed_phase = event.phase
            code = "" if event.exit_code is None else f" (exit code {event.exit_code})"
            reason = event.reason or "no reason was given"
            seen = any(isinstance(b, Command) and b.phase == event.phase and b.failed for b in self.blocks)
            self._add(Text("error", f"{event.phase} failed: {reason}{code}", hint="" if seen else event.tail))
        elif event.status == "skipped" and event.reason and event.phase not in _PHASES_WITHOUT_HEADING:
            self._add(Text("notice", f"{event.phase} skipped: {event.reason}"))

    def _answered(self, text: str) -> None:
        if self._answer is not None:
            answer = self.blocks[self._answer]
            assert isinstance(answer, Text)
            answer.text = text
            self.touch(self._answer)
            return
        self._answer = len(self.blocks)
        self._add(Text("answer", text))

    def _status(self, event: ev.TaskStatus) -> None:
        if event.status not in FINISHED:
            return
        for number in self.running:
            block = self.blocks[number]
            assert isinstance(block, Command)
            block.status, block.duration = "lost", max(0.0, event.ts - block.started_at)
            self.touch(number)
        self.running.clear()
        self._add(Text("end", event.reason, status=event.status, hint=_NEXT.get(event.status, "")))


_PLAN = {"completed": words.DONE, "in_progress": words.RUNNING, "pending": words.PENDING}
_NEXT = {
    "ready": "5 shows the diff, a applies it",
    "applied": "the diff is in your checkout",
    "error": "the reason is above; n starts a new task",
    "cancelled": "in the tasks (1): b brings out what it did, r starts it again",
    "interrupted": "in the tasks (1): b brings out what it did, r starts it again",
}
