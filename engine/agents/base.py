"""One interface for all agents (SPEC A1): an adapter translates, everything else is the task's.

Limits, secrets, the log, the diff and the one `run.finished` belong to the core; an adapter yields events.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from engine.tasks import events as ev

if TYPE_CHECKING:
    from engine.agents.route import Route
    from engine.containers.container import Mount
    from engine.secrets.secret import Secret


class Begun(msgspec.Struct, frozen=True):
    """What works on the job, as far as the agent tells; only the first thing that an adapter yields may be this."""

    version: str = ""
    model: str = ""
    session: str = ""


class Started(msgspec.Struct, frozen=True):
    """A command began in the container; `key` is the adapter's own name for it."""

    key: str
    command: str
    cwd: str


class Output(msgspec.Struct, frozen=True):
    """Bytes a command printed, as they came."""

    key: str
    stream: Literal["out", "err"]
    data: bytes


class Finished(msgspec.Struct, frozen=True):
    """A command ended with `exit_code`; None when the agent does not tell, which may still say whether it went well."""

    key: str
    exit_code: int | None
    status: Literal["completed", "failed"] | None = None


class Ended(msgspec.Struct, frozen=True):
    """The agent's turn is over; the last thing an adapter yields. `limit`: a limit of its own ended it."""

    status: Literal["completed", "failed", "limit"]
    answer: str = ""
    reason: str = ""
    session: str = ""
    exit_code: int | None = None


class Alive(msgspec.Struct, frozen=True):
    """A sign of life, such as a part of an answer; it is not recorded, and keeps the idle limit away."""


# What an adapter may yield: beginning and end, the life of commands, and journal events that need no number of ours.
Told = (
    ev.Instructions
    | ev.Message
    | ev.Reasoning
    | ev.Plan
    | ev.FileChanged
    | ev.ToolStarted
    | ev.ToolFinished
    | ev.Usage
    | ev.Notice
    | ev.Error
)
Yielded = Begun | Started | Output | Finished | Alive | Ended | Told


class Chunk(msgspec.Struct, frozen=True):
    """Output of a program in the container."""

    stream: Literal["out", "err"]
    data: bytes


class Exit(msgspec.Struct, frozen=True):
    """The end of a program in the container; None when it was stopped before its end was seen."""

    code: int | None


class Terminal(Protocol):
    """The container as an agent sees it: one way to run a program in it."""

    def run(
        self, argv: Sequence[str], *, cwd: str = "", env: Mapping[str, str] | None = None, stdin: bytes | int = b""
    ) -> AsyncIterator[Chunk | Exit]:
        """Run `argv`; chunks of output as they come, then one `Exit`.

        Args:
            stdin: what the program reads; or a descriptor, from which it is read on until that ends.
        """
        ...


class Job(msgspec.Struct, frozen=True):
    """One turn of an agent.

    `workdir` is the folder in the container; `home` a folder on the host that lives as long as the task, and no other
    attempt has, made by whoever uses it; `settings` is the environment file's `[agent]` section; `environment_dir` the
    folder of that file. `session` is what the agent gave for the earlier turns; `before` a summary of them, where that
    cannot be taken up (`engine.agents.earlier`).
    """

    prompt: str
    workdir: str
    terminal: Terminal
    home: Path
    environment_dir: Path
    session: str = ""
    before: str = ""
    turn: int = 1
    settings: Mapping[str, Any] = {}


class Capabilities(msgspec.Struct, frozen=True):
    """What an agent can do; the screens and the core adapt to it."""

    where: Literal["host", "container"]
    live_output: bool
    resume: bool


class Agent(Protocol):
    """One kind of agent. Adapters inherit from this."""

    name: str
    capabilities: Capabilities

    def check(self, settings: Mapping[str, Any], environment_dir: Path) -> list[str]:
        """What is missing for a run with these settings, each with what to do; empty when it can start."""
        ...

    def mounts(self, settings: Mapping[str, Any]) -> Sequence[Mount]:
        """What of the host its containers have to show it; nothing when it cannot run here."""
        return ()

    def secrets(self, settings: Mapping[str, Any]) -> Mapping[str, Secret]:
        """What it is given on the host and nobody may read: it is masked in all that is recorded (SPEC S3).

        Raises:
            UsageError: it cannot run here.
        """
        return {}

    def route(self, settings: Mapping[str, Any]) -> Route | None:
        """The way its programs in the container need to a model; None when they need none.

        Raises:
            UsageError: it cannot run here.
        """
        return None

    def warm(self, settings: Mapping[str, Any]) -> None:
        """Do what needs no container, such as slow imports; called while the container starts."""
        return

    def start(self, job: Job) -> AsyncIterator[Yielded]:
        """Work on the job; ends after `Ended`.

        Closing the iterator, or cancelling what waits for it, asks the agent to end; what still runs in the container
        five seconds later is ended by the caller.
        """
        ...


def login_shell(command: str) -> list[str]:
    """The argv that runs a shell line as every agent command runs (SPEC E5): a bash login shell."""
    return ["bash", "-lc", command]
