"""What a user agrees to by trusting an environment file, as lines to read before."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.environment.trust import Fact, Review

_KEY_CELLS = 20
_CHARACTERS = 400


def standing(review: Review) -> str:
    """Whether the file may run, in one sentence."""
    if review.trusted:
        return f"{review.path} is trusted"
    if review.changed is None:
        return f"{review.path} is not trusted yet"
    from engine.environment.trust import told

    return f"{review.path} changed since you trusted it: {told(review.changed)}"


def lines(review: Review, *, script_lines: int | None = 20) -> list[str]:
    """The file's standing, then each key that matters; `*` marks what changed since it was trusted last.

    Of a long text `script_lines` lines are shown, and how many follow; None shows all. A text may hold anything:
    the lines are to be cleaned before they are shown.
    """
    gone = set(review.changed or ()) - {fact.key for fact in review.facts}
    shown = [line for fact in review.facts for line in _fact(fact, fact.key in (review.changed or ()), script_lines)]
    return [f"{standing(review)}. It says:", *shown, *(f"* {key:<{_KEY_CELLS}} removed" for key in sorted(gone))]


def _fact(fact: Fact, changed: bool, most: int | None) -> Iterator[str]:
    mark = "*" if changed else " "
    text = fact.value.strip("\n").split("\n")
    if len(text) == 1 and not fact.key.endswith(".script"):
        yield f"{mark} {fact.key:<{_KEY_CELLS}} {_cut(text[0], most)}"
        return
    yield f"{mark} {fact.key}"
    for line in text[:most]:
        yield f"    {_cut(line, most)}"
    if most is not None and len(text) > most:
        yield f"    … {len(text) - most} more lines"


def _cut(line: str, most: int | None) -> str:
    """A line, or its beginning and how much follows: nothing may hide behind a long row of spaces."""
    if most is None or len(line) <= _CHARACTERS:
        return line
    return f"{line[:_CHARACTERS]} … {len(line) - _CHARACTERS} more characters"
