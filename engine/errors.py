"""One tree of errors: each says what failed, where, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.environment.problem import Problem


class EngineError(Exception):
    """A fault the user can act on; shown as one message, never as a traceback.

    Args:
        message: what failed and on what (file, command, image, …), one sentence.
        hint: what to do about it; empty when the message says it already.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UsageError(EngineError):
    """The request itself is wrong (unknown environment, bad option, invalid file): exit code 2."""

    exit_code = 2


class EnvironmentInvalid(UsageError):
    """An environment file cannot be used; `problems` lists every fault found in it (SPEC E2)."""

    def __init__(self, message: str, hint: str = "", problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message, hint)
        self.problems = problems


class Untrusted(UsageError):
    """A repository-supplied environment file has a content that the user has not agreed to (SPEC E7)."""


class Unconfirmed(EngineError):
    """Refused until the user says that it is meant, which the keyword `option` of the same call does."""

    def __init__(self, message: str, option: str) -> None:
        super().__init__(message, f"if that is what you want: --{option.replace('_', '-')}")
        self.option = option


class ForgeError(EngineError):
    """A forge (GitHub, GitLab, Gitea, Forgejo) could not be asked, or refused."""


class ContainerError(EngineError):
    """Docker, an image or a container did not do what was asked."""


class Interruption(EngineError):
    """Something went away under a task: nothing the task did. What its agent did so far stays to be had (SPEC T8)."""


class Lost(Interruption, ContainerError):
    """The engine, or a container of a task, went away under it."""


class NoRoom(Interruption):
    """A disk of this machine is full, or the user's share of it; `where` is a path, or what could not be written."""

    def __init__(self, where: object) -> None:
        super().__init__(f"no room is left on the disk: {where}", "make some, then go on")


class DockerUnavailable(ContainerError):
    """No container engine answers on any endpoint tried."""


class RepositoryError(EngineError):
    """The source repository, the mirror or a result that came out of a container is unusable."""


class NetworkError(EngineError):
    """The gateway or its relay could not be set up; a task without them does not start (SPEC N2)."""


class PhaseFailed(EngineError):
    """A phase of a task failed (SPEC T3): `phase`, `exit_code` and the last lines of its output."""

    def __init__(self, phase: str, message: str, exit_code: int | None = None, tail: str = "") -> None:
        super().__init__(message)
        self.phase = phase
        self.phase_exit_code = exit_code
        self.tail = tail


class Cancelled(EngineError):
    """The user asked for the task to end (SPEC T7)."""

    exit_code = 130


def interrupts(error: BaseException) -> bool:
    """Whether this, or what a phase failed of, is an interruption."""
    return isinstance(error, Interruption) or isinstance(error.__cause__, Interruption)
