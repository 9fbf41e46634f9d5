"""What was said between us and a model, in no vendor's form; kept for follow-ups, trimmed to what a model can hold."""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from engine.state import write_atomic
from engine.tasks import events as ev

# Tokens are estimated, the same for every model: no more bytes than this make one, also in code and other scripts.
_BYTES_A_TOKEN = 3
# Results this near the end are never emptied: the model is about to use them.
_RECENT = 4
_EMPTIED = "[removed to save room]"


class User(msgspec.Struct, frozen=True, tag="user"):
    """A prompt, or a word of ours on the model's answer."""

    text: str


class Call(msgspec.Struct, frozen=True):
    """The model calls a tool; `arguments` is JSON as the model wrote it, whatever that is."""

    id: str
    name: str
    arguments: str


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """What the model said."""

    text: str
    calls: list[Call] = []


class Result(msgspec.Struct, frozen=True):
    """What came of a call."""

    call: str
    text: str


class Results(msgspec.Struct, frozen=True, tag="results"):
    """What came of the calls of the answer before it."""

    results: list[Result]


Turn = User | Answer | Results


class Said(msgspec.Struct, frozen=True):
    """A whole answer as it came: `cut` says that it reached the model's limit of length."""

    answer: Answer
    usage: ev.Usage
    reasoning: str = ""
    cut: bool = False


def tokens(turns: list[Turn], system: str = "") -> int:
    """An estimate of what the model has to read, rather too high than too low."""
    return (len(system.encode()) + sum(map(_size, turns))) // _BYTES_A_TOKEN


def _size(turn: Turn) -> int:
    match turn:
        case User():
            return len(turn.text.encode())
        case Answer():
            return len(turn.text.encode()) + sum(len(call.name + call.arguments) for call in turn.calls)
        case Results():
            return sum(len(result.text.encode()) for result in turn.results)


def trimmed(turns: list[Turn], room: int) -> list[Turn]:
    """The conversation, made to fit `room` tokens when it does not.

    It is then brought down to three quarters of them at once, so that the beginning stays as it is for many requests
    and the provider can keep it in its cache. Outputs of commands go first, the oldest before the others; then
    whole answers with their calls and results, the oldest first. Prompts and what came last stay.
    """
    if tokens(turns) <= room:
        return turns
    target = room * 3 // 4
    turns = list(turns)
    for number, turn in enumerate(turns[:-_RECENT]):
        if tokens(turns) <= target:
            return turns
        if isinstance(turn, Results):
            turns[number] = Results([Result(result.call, _EMPTIED) for result in turn.results])
    while tokens(turns) > target and (oldest := _oldest(turns)):
        del turns[oldest]
    return turns


def _oldest(turns: list[Turn]) -> slice | None:
    """Where the oldest answer is, with its results; None when only recent ones are left."""
    for first, turn in enumerate(turns[:-_RECENT]):
        if isinstance(turn, Answer):
            last = first + (2 if isinstance(turns[first + 1], Results) else 1)
            return slice(first, last) if last <= len(turns) - _RECENT else None
    return None


class Session:
    """A conversation on disk, for this user alone, below the attempt's `home`.

    Args:
        name: that of an earlier one to go on with; one that is not there any more begins anew under a fresh name.
    """

    def __init__(self, home: Path, name: str = "") -> None:
        self.turns: list[Turn] = []
        self.lost = False
        self.name = name
        self._folder = home / "loop"
        if name:
            self._load()
        if not name or self.lost:
            self.name = os.urandom(8).hex()

    def save(self) -> None:
        """Keep it as it is now."""
        write_atomic(self._path, msgspec.json.encode(self.turns))

    @property
    def _path(self) -> Path:
        return self._folder / f"{self.name}.json"

    def _load(self) -> None:
        try:
            if not re.fullmatch("[0-9a-f]{16}", self.name):
                raise ValueError(self.name)
            self.turns = msgspec.json.decode(self._path.read_bytes(), type=list[Turn])
        except (OSError, ValueError, msgspec.MsgspecError):
            self.lost = True
            return
        last = self.turns[-1] if self.turns else None
        if isinstance(last, Answer) and last.calls:
            # It was stopped in the middle of a command. No model takes a call without its result.
            self.turns.append(Results([Result(call.id, "[stopped before it ended]") for call in last.calls]))
