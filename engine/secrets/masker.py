"""Masking of everything that a task prints or says, before it is stored or shown (SPEC S3).

A net, not the wall: forms that `engine.secrets.forms` does not know pass through it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from engine.secrets.patterns import Match, Patterns
from engine.secrets.secret import Secret

MASK = "***"
_MARK = MASK.encode()
# The beginning of a literal that is as short as this is shown when nothing follows it for STALE_SECONDS.
_STUB = 3
STALE_SECONDS = 0.25
# Literals that overlap each other without end are cut apart here.
_HELD_BESIDE_REACH = 1 << 16

Span = tuple[int, int]


class Masker:
    """Replaces every form of the secrets in `values` by `***`; any thread may use it."""

    def __init__(self, values: Mapping[str, Secret]) -> None:
        self.patterns = Patterns(values)

    def stream(self) -> MaskedStream:
        """A stream of bytes to mask, for one output of one command."""
        return MaskedStream(self.patterns)

    def data(self, data: bytes) -> bytes:
        """Bytes that are complete."""
        spans = merged(self.patterns.search(data)) if self.patterns else []
        if not spans:
            return data
        pieces, position = [], 0
        for start, end in spans:
            pieces += [data[position:start], _MARK]
            position = end
        return b"".join([*pieces, data[position:]])

    def text(self, text: str) -> str:
        """Text that is complete: an answer, a reason, a string that goes into JSON."""
        data = text.encode("utf-8", "surrogatepass")
        masked = self.data(data)
        return text if masked == data else masked.decode("utf-8", "replace")


class MaskedStream:
    """Bytes in, cut anywhere; masked bytes out, as soon as they cannot be part of a secret any more."""

    def __init__(self, patterns: Patterns) -> None:
        self._patterns = patterns
        self._limit = patterns.reach + _HELD_BESIDE_REACH
        self._held = b""
        self._shown = 0  # so much of what is held was put out by `stale` already
        self._begun = 0  # so many bytes of a literal may be in what is held
        self._fed_at = 0.0

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes; returns what can be put out."""
        if not self._patterns:
            return chunk
        data = self._held + chunk if self._held else chunk
        upto, self._begun = self._patterns.held_from(data)
        spans = merged(self._patterns.search(data))
        for start, end in spans:
            if start < upto < end:
                # Complete, but another literal may have begun inside it: both wait, and `stale` leaves them.
                upto, self._begun = start, len(data) - start
        upto = max(upto, len(data) - self._limit)
        self._fed_at = time.monotonic()
        return self._put_out(data, upto, spans)

    def stale(self, now: float) -> bytes:
        """What is held only because it could be the first 3 bytes of a literal, once it has waited 250 ms.

        It stays known: when the rest comes after all, that is masked.

        Args:
            now: as `time.monotonic` tells it.
        """
        if not self._held or self._begun > _STUB or now - self._fed_at < STALE_SECONDS:
            return b""
        stub = self._held[self._shown :]
        self._shown = len(self._held)
        return stub

    def flush(self) -> bytes:
        """The rest: nothing follows."""
        data, self._begun = self._held, 0
        return self._put_out(data, len(data), merged(self._patterns.search(data))) if data else b""

    def _put_out(self, data: bytes, upto: int, spans: Iterable[Span]) -> bytes:
        """`data` up to `upto`, less what was shown, masked; the rest is held. A span that begins before is not cut."""
        pieces, position = [], self._shown
        for start, end in spans:
            if start >= upto:
                break
            pieces += [data[position:start], _MARK]
            position, upto = max(position, end), max(upto, end)
        pieces.append(data[position:upto])
        self._held = data[upto:]
        self._shown = max(0, position - upto)
        return b"".join(pieces)


def merged(matches: Iterable[Match]) -> list[Span]:
    """The stretches that matches cover, in order, those that touch joined."""
    spans: list[Span] = []
    for start, end in sorted((match.start, match.end) for match in matches):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans
