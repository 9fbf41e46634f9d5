"""What a user wants to have published, and the result it is about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from engine.repository.source import Source
    from engine.secrets.secret import Secret
    from engine.tasks.model import TaskState


class Publication(Struct, frozen=True):
    """What is to be published, and how; what is empty is filled in by `filled`.

    Attributes:
        remote: URL, path, or the name of a remote of the checkout.
        title: first line of the commit's message, and title of the request.
        body: the rest of both; None takes the answer.
        base: the branch that a request is to go into; empty for the task's own if the remote has it, else its default.
        forge: what the remote's host is, when that cannot be told.
        commits: the agent's own commits instead of one.
        force_with_lease: replace what others put on the branch, as it was seen just now.
    """

    remote: str = ""
    branch: str = ""
    title: str = ""
    body: str | None = None
    base: str = ""
    draft: bool = False
    forge: str = ""
    commits: bool = False
    force_with_lease: bool = False
    allow_default_branch: bool = False
    allow_likely_secrets: bool = False

    def confirmed(self, option: str) -> Publication:
        """The same, with the option that an `Unconfirmed` error names."""
        changes: dict[str, Any] = {option: True}
        return replace(self, **changes)


class Publishable(Struct, frozen=True):
    """A result of an attempt, with what it takes to publish it.

    Attributes:
        git_dir: the repository of results.
        source: where the task's code came from.
        values: the secrets of the environment.
        collected_at: Unix seconds.
        cwd: what a relative path of a remote is taken from.
    """

    state: TaskState
    attempt: int
    git_dir: Path
    source: Source
    values: Mapping[str, Secret]
    sha: str
    collected_at: float
    cwd: Path

    @property
    def checkout(self) -> Path | None:
        """The user's checkout; None when the source is a remote."""
        return Path(self.source.url) if self.source.kind == "local" else None
