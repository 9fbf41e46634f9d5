"""Which words of a changed line changed, and which removed line an added one replaces.

All of it is for the few lines in sight, and bounded: what a line or a run of lines costs does not grow without end.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import TypeAlias

Part: TypeAlias = tuple[int, int]
"""From one position in a line up to another."""

_TOKEN = re.compile(r"\w+|\s+|.", re.DOTALL)
# Longer lines are compared by their beginnings and ends alone; so are more tokens than so many against so many.
_LONGEST_LINE, _MOST_COMPARISONS = 1000, 40_000
# Lines that have less in common are two lines, not one that changed.
_ALIKE = 0.34
_MOST_CELLS = 1024


def changed_parts(old: str, new: str) -> tuple[list[Part], list[Part]]:
    """What to mark in a line and in the line that replaces it; nothing when they have too little in common."""
    if old == new:
        return [], []
    a, b = _tokens(old), _tokens(new)
    start = _common(a, b)
    end = _common(a[start:][::-1], b[start:][::-1])
    middle_a, middle_b = a[start : len(a) - end], b[start : len(b) - end]
    kept_a, kept_b = [True] * start, [True] * start
    if middle_a and middle_b and len(middle_a) * len(middle_b) <= _MOST_COMPARISONS:
        inner_a, inner_b = [False] * len(middle_a), [False] * len(middle_b)
        for at_a, at_b, size in SequenceMatcher(None, middle_a, middle_b, autojunk=False).get_matching_blocks():
            inner_a[at_a : at_a + size] = [True] * size
            inner_b[at_b : at_b + size] = [True] * size
        kept_a += inner_a
        kept_b += inner_b
    else:
        kept_a += [False] * len(middle_a)
        kept_b += [False] * len(middle_b)
    kept_a += [True] * end
    kept_b += [True] * end
    if 2 * _weight(a, kept_a) < _ALIKE * (_weight(a) + _weight(b)):
        return [], []
    return _parts(a, kept_a), _parts(b, kept_b)


def _tokens(line: str) -> list[str]:
    return list(line) if len(line) > _LONGEST_LINE else _TOKEN.findall(line)


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    return next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _weight(tokens: Sequence[str], kept: Sequence[bool] | None = None) -> int:
    """How much there is to read in tokens, or in those of them that are kept."""
    chosen = tokens if kept is None else [token for token, keep in zip(tokens, kept, strict=True) if keep]
    return sum(len(token) for token in chosen if not token.isspace())


def _parts(tokens: Sequence[str], kept: Sequence[bool]) -> list[Part]:
    """The stretches that were not kept; a gap of white space between two of them does not part them."""
    parts: list[Part] = []
    position = 0
    joint = False
    for token, keep in zip(tokens, kept, strict=True):
        after = position + len(token)
        if not keep:
            if joint:
                parts[-1] = (parts[-1][0], after)
            else:
                parts.append((position, after))
            joint = True
        elif not token.isspace():
            joint = False
        position = after
    return parts


def cut(text: str, parts: Sequence[Part]) -> list[tuple[str, bool]]:
    """A text in pieces, each with whether it is one of the parts; together they are the text."""
    pieces: list[tuple[str, bool]] = []
    position = 0
    for start, end in parts:
        pieces += [(text[position:start], False), (text[start:end], True)]
        position = end
    return [piece for piece in [*pieces, (text[position:], False)] if piece[0]]


def align(removed: Sequence[str], added: Sequence[str]) -> list[tuple[int | None, int | None]]:
    """Which removed line stands beside which added one, in as many rows as the longer of the two has lines.

    Each line of the shorter side gets a partner, in order, so that together they are as alike as they can be.
    """
    rows = max(len(removed), len(added))
    short, long = sorted((removed, added), key=len)
    places: Sequence[int] = range(len(short))
    if 0 < len(short) < len(long) and len(short) * len(long) <= _MOST_CELLS:
        places = _best_places(short, long)
    beside: list[int | None] = [None] * rows
    for number, place in enumerate(places):
        beside[place] = number
    if len(removed) <= len(added):
        return list(zip(beside, range(rows), strict=True))
    return list(zip(range(rows), beside, strict=True))


def _best_places(short: Sequence[str], long: Sequence[str]) -> list[int]:
    """For each line of `short`, in order, its place beside `long`: the choice with the greatest sum of likeness."""
    room = len(long) - len(short)
    bags = [Counter(_words(line)) for line in long]
    # best[p]: the best sum for the lines so far when the last stands at most `p` places later than it could.
    best = [0.0] * (room + 1)
    taken: list[list[bool]] = []
    for number, line in enumerate(short):
        words = Counter(_words(line))
        sums = [best[late] + _likeness(words, bags[number + late]) for late in range(room + 1)]
        moves = [False] * (room + 1)
        for late in range(room + 1):
            moves[late] = late == 0 or sums[late] > sums[late - 1]
            if not moves[late]:
                sums[late] = sums[late - 1]
        taken.append(moves)
        best = sums
    places, late = [], room
    for number in range(len(short) - 1, -1, -1):
        while not taken[number][late]:
            late -= 1
        places.append(number + late)
    return places[::-1]


def _words(line: str) -> list[str]:
    return [token for token in _TOKEN.findall(line[:_LONGEST_LINE]) if not token.isspace()]


def _likeness(a: Counter[str], b: Counter[str]) -> float:
    size = a.total() + b.total()
    return 2 * (a & b).total() / size if size else 0.0
