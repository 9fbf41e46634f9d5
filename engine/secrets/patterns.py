"""Looking for all forms of all secrets at once, in text as it is and with white space and colours taken out.

The second view finds base64 that was wrapped, one character a line, colour codes inside a token. It does not replace
the first: a stray `ESC [` swallows the digits behind it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate, chain

from msgspec import Struct

from engine.secrets.forms import forms
from engine.secrets.secret import Secret

# Shorter ones would be found across words that only stand next to each other.
_SQUEEZED_SHORTEST = 12
_BLANK = bytes(range(0x21)) + b"\x7f"
_BLANKS = frozenset(_BLANK)
_ESCAPE = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")
_CUT_ESCAPE = re.compile(rb"\x1b(?:\[[0-?]{0,64}[ -/]{0,8})?\Z")
_CUT_ESCAPE_LENGTH = 74
_HEAD = 4


class Match(Struct, frozen=True):
    """Bytes `start` to `end` hold the secret called `secret`, written as `form`."""

    start: int
    end: int
    secret: str
    form: str


class Patterns:
    """All forms of the secrets in `values`, compiled; for any number of searches in any thread.

    Args:
        for_files: as `forms` takes it.
    """

    def __init__(self, values: Mapping[str, Secret], *, for_files: bool = False) -> None:
        plain: dict[bytes, tuple[str, str]] = {}
        squeezed: dict[bytes, tuple[str, str]] = {}
        for name, secret in values.items():
            for literal, form in forms(secret.reveal(), for_files=for_files).items():
                plain.setdefault(literal, (name, form))
                tight = squeeze(literal)
                if len(tight) >= _SQUEEZED_SHORTEST:
                    squeezed.setdefault(tight, (name, form))
        self.plain = Literals(plain)
        self.squeezed = Literals(squeezed)

    def __bool__(self) -> bool:
        return bool(self.plain)

    def search(self, data: bytes) -> list[Match]:
        """Every occurrence, also overlapping ones, in no order."""
        if not self:
            return []
        found = self.plain.search(data)
        if self.squeezed:
            hits = self.squeezed.search(squeeze(data))
            if hits:
                at = _Positions(data)
                found += [Match(at[hit.start], at[hit.end - 1] + 1, hit.secret, hit.form) for hit in hits]
        return found

    def held_from(self, data: bytes) -> tuple[int, int]:
        """From where the end of `data` may be the beginning of a literal, `len(data)` when nowhere.

        Returns:
            That position, and how many bytes of the literal are there already.
        """
        size = whole = len(data)
        if cut := _CUT_ESCAPE.search(data, max(0, size - _CUT_ESCAPE_LENGTH)):
            whole = cut.start()
        start, length = whole, size - whole
        window = data[max(0, size - self.plain.longest) :]
        at = self.plain.beginning_at(window)
        if at < len(window):
            position = size - len(window) + at
            start, length = min(start, position), max(length, size - position)
        if self.squeezed:
            base = max(0, whole - self.reach)
            window = data[base:whole]
            tight = squeeze(window)
            at = self.squeezed.beginning_at(tight)
            if at < len(tight):
                start = min(start, base + _Positions(window)[at])
                length = max(length, len(tight) - at)
        return start, length

    @property
    def reach(self) -> int:
        """How far back an incomplete literal is looked for: room for 7 blanks or colour codes between characters."""
        return max(self.plain.longest, 8 * self.squeezed.longest)


class Literals:
    """Literals of one view, each with the name of its secret and its form."""

    def __init__(self, origins: Mapping[bytes, tuple[str, str]]) -> None:
        self._sorted = sorted(origins)
        self._origins = [origins[literal] for literal in self._sorted]
        self.longest = max(map(len, self._sorted), default=0)
        self._all = _automaton(self._sorted)
        self._heads = _automaton({literal[:_HEAD] for literal in self._sorted})

    def __bool__(self) -> bool:
        return bool(self._sorted)

    def search(self, data: bytes) -> list[Match]:
        """Every occurrence in `data`, also overlapping ones."""
        found = self._all(data)
        return [Match(start, end, *self._origins[which]) for which, start, end in found]

    def beginning_at(self, data: bytes) -> int:
        """The first position from which the rest of `data` begins a longer literal; `len(data)` when there is none."""
        size = len(data)
        lowest = max(0, size - self.longest + 1)
        heads = sorted({start for _, start, _ in self._heads(data) if start >= lowest})
        for start in chain(heads, range(max(lowest, size - _HEAD + 1), size)):
            rest = data[start:]
            index = bisect_right(self._sorted, rest)
            if index < len(self._sorted) and self._sorted[index].startswith(rest):
                return start
        return size


def squeeze(data: bytes) -> bytes:
    """`data` without white space, control characters and escape sequences."""
    if b"\x1b" in data:
        data = _ESCAPE.sub(b"", data)
    return data.translate(None, _BLANK)


def complete(data: bytes) -> int:
    """Where an escape sequence that is not complete yet begins at the end of `data`, else its length."""
    cut = _CUT_ESCAPE.search(data, max(0, len(data) - _CUT_ESCAPE_LENGTH))
    return cut.start() if cut else len(data)


class _Positions:
    """Where a byte of `squeeze(data)` is in `data`. Escape sequences never cross a line, so lines are counted first."""

    def __init__(self, data: bytes) -> None:
        self._lines = data.splitlines(keepends=True) if b"\n" in data else [data]
        self._starts = [0, *accumulate(map(len, self._lines))]
        self._squeezed = [0, *accumulate(len(squeeze(line)) for line in self._lines)]
        self._kept: dict[int, Sequence[int]] = {}

    def __getitem__(self, index: int) -> int:
        line = bisect_right(self._squeezed, index) - 1
        if line not in self._kept:
            self._kept[line] = _kept(self._lines[line])
        return self._starts[line] + self._kept[line][index - self._squeezed[line]]


def _kept(line: bytes) -> Sequence[int]:
    """The index of every byte that `squeeze` leaves."""
    if b"\x1b" in line:
        line = _ESCAPE.sub(lambda match: b" " * len(match[0]), line)
    return [index for index, byte in enumerate(line) if byte not in _BLANKS]


def _automaton(literals: Iterable[bytes]) -> Callable[[bytes], list[tuple[int, int, int]]]:
    from ahocorasick_rs import BytesAhoCorasick

    automaton = BytesAhoCorasick(list(literals))
    return lambda data: automaton.find_matches_as_indexes(data, overlapping=True)
