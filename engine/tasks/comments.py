"""Comments on lines of a diff (SPEC W5): kept with the task, found again in a newer diff, sent as one prompt.

`review/ATTEMPT.json` in the task's folder holds the comments on the diff of an attempt, and which of its files were
marked as viewed. A comment knows the lines it is about and a little of what stood around them, so that it stays with
them when a new turn moves them; when they are gone, it is outdated but not lost.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from engine.errors import EngineError
from engine.state import locked, write_atomic

Side: TypeAlias = Literal["old", "new"]
AROUND = 2
"""Lines that are kept from before and after those a comment is about."""

_QUOTED = 12


class Comment(Struct, frozen=True):
    """What a user says about lines of a diff.

    Attributes:
        side: whether the lines are those of the file before the task (`old`) or after it (`new`).
        line: the number of the first line, from 1.
        text: the lines themselves, without their newlines.
        before, after: up to `AROUND` lines that stood around them on the same side of the diff.
        made_at: Unix seconds.
        sent: it was part of a prompt already.
    """

    id: str
    path: str
    side: Side
    line: int
    text: tuple[str, ...]
    body: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    made_at: float = 0.0
    sent: bool = False

    @property
    def last_line(self) -> int:
        """The number of the last line."""
        return self.line + len(self.text) - 1

    @property
    def place(self) -> str:
        """The path and the lines, as in `src/urls.py:41-43`."""
        lines = f"{self.line}" if len(self.text) == 1 else f"{self.line}-{self.last_line}"
        return f"{self.path}:{lines}"


class DiffReview(Struct, frozen=True):
    """The comments on one diff, and by path the digest of what was marked as viewed."""

    comments: tuple[Comment, ...] = ()
    viewed: dict[str, str] = field(default_factory=dict)

    @property
    def unsent(self) -> tuple[Comment, ...]:
        """The comments that no prompt has had yet, in the order of the files and lines."""
        return tuple(sorted((c for c in self.comments if not c.sent), key=lambda c: (c.path, c.line, c.made_at)))

    def put(self, comment: Comment) -> DiffReview:
        """With this comment, in the place of the one that has its id."""
        others = tuple(c for c in self.comments if c.id != comment.id)
        return replace(self, comments=tuple(sorted((*others, comment), key=lambda c: c.made_at)))

    def without(self, comment_id: str) -> DiffReview:
        """Without the comment of this id."""
        return replace(self, comments=tuple(c for c in self.comments if c.id != comment_id))

    def with_sent(self, ids: Iterable[str]) -> DiffReview:
        """With these comments marked as sent."""
        sent = set(ids)
        return replace(self, comments=tuple(replace(c, sent=c.sent or c.id in sent) for c in self.comments))

    def with_viewed(self, path: str, digest: str | None) -> DiffReview:
        """With a file marked as viewed in the state that `digest` stands for, or (None) as not viewed."""
        viewed = {name: seen for name, seen in self.viewed.items() if name != path}
        return replace(self, viewed=viewed if digest is None else {**viewed, path: digest})


def new_comment(path: str, side: Side, line: int, text: Sequence[str], body: str = "", *,
                before: Sequence[str] = (), after: Sequence[str] = ()) -> Comment:  # fmt: skip
    """A comment made now, with an id of its own."""
    around = tuple(before)[-AROUND:], tuple(after)[:AROUND]
    return Comment(os.urandom(6).hex(), path, side, line, tuple(text), body, *around, time.time())


def read(folder: Path, attempt: int) -> DiffReview:
    """The review of an attempt of the task in `folder`.

    Raises:
        EngineError: its file is damaged.
    """
    import msgspec

    path = _path(folder, attempt)
    try:
        return msgspec.json.decode(path.read_bytes(), type=DiffReview)
    except FileNotFoundError:
        return DiffReview()
    except (OSError, msgspec.MsgspecError) as error:
        hint = "correct the file, or move it away"
        raise EngineError(f"the comments in {path} cannot be read: {error}", hint) from error


def change(folder: Path, attempt: int, how: Callable[[DiffReview], DiffReview]) -> DiffReview:
    """Change the review of an attempt on disk; two screens that do so at once lose nothing.

    Raises:
        EngineError: its file is damaged or cannot be written.
    """
    import msgspec

    path = _path(folder, attempt)
    try:
        with locked(path.with_suffix(".lock")):
            review = how(read(folder, attempt))
            write_atomic(path, msgspec.json.format(msgspec.json.encode(review), indent=1))
            return review
    except OSError as error:
        hint = "see whether the disk is full"
        raise EngineError(f"cannot keep the comment in {path}: {error.strerror}", hint) from error


def _path(folder: Path, attempt: int) -> Path:
    return folder / "review" / f"{attempt}.json"


def find(comment: Comment, numbers: Sequence[int], texts: Sequence[str]) -> int | None:
    """Where the lines of a comment are now: a position in `texts`, the lines that a diff shows of its side of its file.

    Of several places that say the same, the one with the most around it as it was is taken, then the one nearest to
    where it was. Lines that were only indented anew are found too. None: they are gone, the comment is outdated.

    Args:
        numbers: the number of each of the lines, rising; where one is missing, the diff leaves lines out.
    """
    for normal in (str, str.strip):
        wanted = [normal(line) for line in comment.text]
        if not wanted or (normal is str.strip and not any(wanted)):
            return None
        lines = texts if normal is str else [line.strip() for line in texts]
        size, first = len(wanted), wanted[0]
        begins = [at for at, line in enumerate(lines) if line == first and list(lines[at : at + size]) == wanted]
        places = [at for at in begins if numbers[at + size - 1] - numbers[at] == size - 1]
        ranked = [(_alike(comment, texts, at), -abs(numbers[at] - comment.line), at) for at in places]
        # A line that says next to nothing, such as a brace, is only known by what is around it.
        telling = any(sum(map(str.isalnum, line)) > 1 for line in wanted)
        ranked = [rank for rank in ranked if telling or rank[0] or not rank[1]]
        if ranked:
            return max(ranked)[2]
    return None


def _alike(comment: Comment, texts: Sequence[str], at: int) -> int:
    """How many of the lines around are as they were."""
    before = zip(reversed(comment.before), reversed(texts[max(0, at - AROUND) : at]), strict=False)
    end = at + len(comment.text)
    after = zip(comment.after, texts[end : end + AROUND], strict=False)
    return sum(was.strip() == now.strip() for was, now in (*before, *after))


def as_prompt(comments: Iterable[Comment]) -> str:
    """One prompt that asks an agent to go through comments on its changes; empty when there are none."""
    parts = [_quoted(comment) for comment in sorted(comments, key=lambda c: (c.path, c.line, c.made_at))]
    if not parts:
        return ""
    asked = "this comment" if len(parts) == 1 else f"these {len(parts)} comments"
    return "\n\n".join([f"Please go through {asked} on your changes.", *parts]) + "\n"


def _quoted(comment: Comment) -> str:
    was = " (as it was before your changes)" if comment.side == "old" else ""
    lines = [f"> {line.rstrip()}".rstrip() for line in comment.text[:_QUOTED]]
    if len(comment.text) > _QUOTED:
        lines.append(f"> … {len(comment.text) - _QUOTED} more lines")
    return "\n".join([f"{comment.place}{was}", *lines, "", comment.body.strip()])
