"""The three interfaces by which models are spoken to, each as a pure pair: a request's body, a reader of its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from engine.agents.loop.conversation import Call, Said, Turn
from engine.agents.parts import table, text

# The one tool.
BASH = "bash"
DESCRIPTION = (
    "Run a command line in a bash login shell, in the project's folder. Returns its exit code and what it printed; the "
    "middle of long output is left out. Nothing but files outlives a call: neither variables nor the current folder."
)
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"command": {"type": "string", "description": "The command line; it may have several lines."}},
    "required": ["command"],
    "additionalProperties": False,
}

Body = dict[str, Any]


class ModelError(Exception):
    """The model did not answer.

    Attributes:
        status: the HTTP status; 0 when there was none, or the fault came in the middle of an answer.
        code: the provider's name for the fault, as far as it gives one.
        retry_after: seconds that the provider wants us to wait; 0 when it does not say.
        passing: it may go well at the next try.
    """

    def __init__(
        self, message: str, *, status: int = 0, code: str = "", retry_after: float = 0.0, passing: bool = False
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.retry_after, self.passing = status, code, retry_after, passing


class Reader(Protocol):
    """Folds the events of one answer. Whatever they hold, it raises nothing but `ModelError`."""

    done: bool

    def feed(self, event: dict[str, Any]) -> None:
        """Take in the data of one event."""
        ...

    def said(self) -> Said:
        """The answer, once it is `done`."""
        ...


class OpenAI:
    """What OpenAI's two interfaces share: where they are, and how the key is sent."""

    base_url = "https://api.openai.com/v1"
    key_env = "OPENAI_API_KEY"

    def headers(self, key: str) -> dict[str, str]:
        """See `Wire`."""
        return {"Authorization": f"Bearer {key}"} if key else {}


class Wire(Protocol):
    """One interface."""

    path: str
    base_url: str
    key_env: str

    def headers(self, key: str) -> dict[str, str]:
        """The header fields that carry the key; without one those that are needed all the same."""
        ...

    def body(self, model: str, system: str, turns: Sequence[Turn]) -> Body:
        """The body of a request for the next answer."""
        ...

    def reader(self) -> Reader:
        """What reads that answer."""
        ...


def call(identity: object, name: object, arguments: str, number: int) -> Call:
    """A call of a tool; some servers give their calls no id."""
    return Call(text(identity) or f"call_{number}", text(name), text(arguments))


def reported(error: object) -> ModelError:
    """The fault in the middle of an answer that a server reports in its place."""
    told = table(error)
    code = text(told.get("code")) or text(told.get("type"))
    passing = any(word in code for word in ("overloaded", "rate_limit", "server_error", "api_error", "timeout"))
    message = text(told.get("message")) or text(error) or "the model reported a fault"
    return ModelError(message, code=code, passing=passing)
