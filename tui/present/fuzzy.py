"""Finding what is meant by a few letters: in lists of actions, tasks, branches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")
Parts = list[tuple[int, int]]
# What a word costs at least of which only the letters were found.
_LETTERS = 1000
# How far behind the letter before one may be, to be taken for meant.
_CLOSE = 3


def match(query: str, text: str) -> tuple[int, Parts] | None:
    """How well a text fits, less being better, and which parts of it were meant; None when it does not.

    Each word of the query has to be found: as it is, best where a word begins, or else its letters in this order.
    """
    folded, cost, parts = text.lower(), 0, []
    if len(folded) != len(text):
        # Some letters become two when they are made small; parts would not be where they are.
        folded = text
    for word in query.lower().split():
        found = _whole(word, folded) or _letters(word, folded)
        if found is None:
            return None
        cost += found[0]
        parts += found[1]
    return cost, sorted(parts)


def _whole(word: str, text: str) -> tuple[int, Parts] | None:
    best = at = text.find(word)
    if at < 0:
        return None
    while at >= 0:
        if at == 0 or not text[at - 1].isalnum():
            return (0 if at == 0 else 10) + min(at, 50), [(at, at + len(word))]
        at = text.find(word, at + 1)
    return 100 + min(best, 50), [(best, best + len(word))]


def _letters(word: str, text: str) -> tuple[int, Parts] | None:
    """The letters in their order, the first where a word begins, each next one close behind or where a word begins."""
    at = -1
    for letter in word:
        at = text.find(letter, at + 1)
        if at < 0:
            return None
    begins = [n == 0 or not text[n - 1].isalnum() for n in range(len(text))]
    # For each letter, where it may be, and where the letter before was then: as near as can be.
    ways: list[dict[int, int]] = [{n: -1 for n, letter in enumerate(text) if letter == word[0] and begins[n]}]
    for letter in word[1:]:
        way: dict[int, int] = {}
        for before in ways[-1]:
            for n in range(before + 1, len(text)):
                if text[n] == letter and (begins[n] or n - before <= _CLOSE):
                    way[n] = max(before, way.get(n, -1))
        ways.append(way)
    if not ways[-1]:
        return None
    at = min(ways[-1])
    places = []
    for way in reversed(ways):
        places.append(at)
        at = way[at]
    parts: Parts = []
    for place in reversed(places):
        if parts and parts[-1][1] == place:
            parts[-1] = (parts[-1][0], place + 1)
        else:
            parts.append((place, place + 1))
    return _LETTERS + 100 * len(parts) + (parts[-1][1] - parts[0][0]), parts


def ranked(query: str, items: Iterable[tuple[str, T]]) -> list[tuple[T, Parts]]:
    """The items whose text fits, the best first, those that fit as well in their own order.

    Where words are found as they are, those where only their letters are were not meant.
    """
    found = [(fits[0], n, item, fits[1]) for n, (text, item) in enumerate(items) if (fits := match(query, text))]
    found.sort(key=lambda entry: entry[:2])
    best = found[0][0] if found else 0
    return [(item, parts) for cost, _, item, parts in found if cost < _LETTERS or best >= _LETTERS]
