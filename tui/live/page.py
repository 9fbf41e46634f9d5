"""Which rows a log has: the blocks of its story one under another, the lines of outputs read where they are looked at.

What is kept of a block is the number of the row at which it begins, so a log of any size costs next to nothing.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from typing import Literal, NamedTuple

from msgspec import Struct

from tui.live.feed import Feed
from tui.live.line_index import Line, Place
from tui.present import blocks, words
from tui.present.needle import Needle
from tui.present.row import Row
from tui.present.story import Block, Command, Text
from tui.present.text import clean

_NO_TIME = " " * 9


class Spot(NamedTuple):
    """A row by what it shows: row `inner` of block `number`, or the line of its output that begins at `place`."""

    number: int
    inner: int = 0
    place: Place | None = None


class Scope(Struct, frozen=True):
    """What is shown: the story; or raw, the whole output of one command, or (`command` empty) of all of them."""

    raw: bool = False
    command: str = ""

    def has(self, block: Block) -> bool:
        """Whether a block is shown."""
        if isinstance(block, Text):
            return not self.raw
        return not self.command or block.id == self.command


STORY = Scope()
"""All that is told, as it is told."""


class LogPage:
    """The rows of a feed for a width."""

    def __init__(self, feed: Feed | None, *, scope: Scope = STORY, times: bool = False, width: int = 80) -> None:
        self.feed, self.scope, self.times, self.width = feed, scope, times, width
        # starts[i]: the row at which block i begins; one more for the end.
        self.starts = [0]
        self.blocks: list[Block] = []
        self.measure(0)

    @property
    def count(self) -> int:
        """Rows of all blocks."""
        return self.starts[-1]

    @property
    def needle(self) -> Needle | None:
        """What is looked for."""
        return self.feed.needle if self.feed else None

    def measure(self, first: int) -> None:
        """Find the heights of the blocks from number `first` on."""
        if self.feed is None:
            return
        story = self.feed.story
        first = min(first, len(self.starts) - 1)
        self.blocks = story.blocks
        del self.starts[first + 1 :]
        row = self.starts[-1]
        for block in self.blocks[first:]:
            row += self._height(block)
            self.starts.append(row)
        story.changed = None

    # Heights

    def _height(self, block: Block) -> int:
        if not self.scope.has(block):
            return 0
        if isinstance(block, Text):
            return len(self._text_rows(block)) if not self._only or self._only.found_in(block.text) else 0
        lines = self._output(block)[0]
        if self._only:
            return 1 + lines if lines or self._only.found_in(block.command) else 0
        return 1 + len(self._head(block, "")) + lines

    @property
    def _only(self) -> Needle | None:
        return self.needle if self.needle and self.needle.only else None

    def shows_output(self, command: Command) -> bool:
        """Whether the output of a command is unfolded."""
        return self.scope.raw or command.shows_output

    def _output(self, command: Command) -> tuple[int, int]:
        """How many lines of output are shown, and how many above them are known but not shown."""
        if self.feed is None:
            return 0, 0
        if self._only:
            return self.feed.matches(command).count, 0
        if not self.shows_output(command):
            return 0, 0
        count = self.feed.index(command).count
        if command.failed and command.unfolded is None and not self.scope.raw and count > blocks.TAIL:
            return blocks.TAIL, count - blocks.TAIL
        return count, 0

    def _head(self, command: Command, lead: str) -> list[Row]:
        """The rows between the heading of an unfolded command and its output."""
        if self._only or not self.shows_output(command) or self.feed is None:
            return []
        lines, above = self._output(command)
        rows = [blocks.command_line_row(clean(line), lead) for line in command.command.strip().splitlines()[1:]]
        complete = self.feed.index(command).complete
        if above:
            rows.append(blocks.above_row(above if complete else 0, lead))
        elif not complete:
            rows.append(blocks.counting_row(lead))
        elif not lines:
            rows.append(blocks.empty_row(command, lead))
        return rows

    def head_height(self, command: Command) -> int:
        """How many rows stand between the heading of a command and its output."""
        return len(self._head(command, ""))

    def hides_above(self, command: Command) -> bool:
        """Whether only the end of its output is shown."""
        return self._output(command)[1] > 0

    def _text_rows(self, block: Text) -> list[Row]:
        return blocks.text_rows(block, max(20, self.width - (len(_NO_TIME) if self.times else 0)))

    # Rows

    def block_at(self, row: int) -> int:
        """The number of the block that a row belongs to; of no rows, -1."""
        return min(bisect_right(self.starts, row) - 1, len(self.blocks) - 1)

    def rows(self, first: int, last: int) -> list[Row]:
        """The rows from `first` up to `last`."""
        found: list[Row] = []
        number = max(0, self.block_at(first))
        while first < last and number < len(self.blocks):
            start, end = self.starts[number], min(self.starts[number + 1], last)
            if end > first:
                found += self._block_rows(self.blocks[number], first - start, end - start)
                first = end
            number += 1
        needle = self.needle.text if self.needle else ""
        return [blocks.with_needle(row, needle) for row in found] if needle else found

    def _block_rows(self, block: Block, first: int, last: int) -> list[Row]:
        if isinstance(block, Text):
            rows = self._text_rows(block)
            leads = [self._no_time] * len(rows)
            leads[next((n for n, row in enumerate(rows) if any(text for text, _ in row.left)), 0)] = self._time(
                block.at
            )
            return [blocks.with_lead(row, lead) for row, lead in zip(rows, leads, strict=True)][first:last]
        no_lead = self._no_time + self._number(block, None)
        heading = blocks.command_row(block, words.now(), unfolded=self.shows_output(block))
        heading = blocks.with_lead(heading, self._time(block.started_at))
        head = [heading, *self._head(block, no_lead)]
        above = self._output(block)[1]
        lines = self.lines(block, max(0, first - len(head)) + above, max(0, last - len(head)) + above)
        return [
            *head[first:last],
            *(
                blocks.output_row(line, self._line_time(block, line) + self._number(block, place))
                for place, line in lines
            ),
        ]

    def lines(self, command: Command, first: int, last: int) -> list[tuple[Place, Line]]:
        """Lines of the output of a command; where only what has a text is shown, of those."""
        if self.feed is None or first >= last:
            return []
        if self._only:
            return self.feed.matches(command).lines(first, last)
        index = self.feed.index(command)
        return [(index.place(number), line) for number, line in enumerate(index.lines(first, last), first)]

    @property
    def _no_time(self) -> str:
        return _NO_TIME if self.times else ""

    def _time(self, seconds: float) -> str:
        return time.strftime("%H:%M:%S ", time.localtime(seconds)) if self.times else ""

    def _line_time(self, command: Command, line: Line) -> str:
        return self._time(self.feed.time_of(command, line.at)) if self.times and self.feed else ""

    def _number(self, command: Command, place: Place | None) -> str:
        """The number of a line, in a raw output; blank while it is not known."""
        if not self.scope.raw or self.feed is None:
            return ""
        index = self.feed.index(command)
        width = max(6, len(f"{index.count:,}")) + 1
        return f"{index.number(place) + 1:>{width},}" if place and index.complete else " " * width

    # Rows by what they show

    def spot(self, row: int) -> Spot:
        """What a row shows."""
        number = self.block_at(row)
        if number < 0:
            return Spot(0)
        block, inner = self.blocks[number], row - self.starts[number]
        if isinstance(block, Text) or self.feed is None or inner == 0:
            return Spot(number, inner)
        line = inner - 1 - len(self._head(block, ""))
        if line < 0:
            return Spot(number, inner)
        if self._only:
            return Spot(number, inner, self.feed.matches(block).place(line))
        return Spot(number, inner, self.feed.index(block).place(line + self._output(block)[1]))

    def row_of(self, spot: Spot) -> int:
        """The row that shows something, or the one nearest to it."""
        if spot.number >= len(self.blocks):
            return max(0, self.count - 1)
        block, start, end = self.blocks[spot.number], self.starts[spot.number], self.starts[spot.number + 1]
        inner = spot.inner
        if spot.place is not None and isinstance(block, Command) and self.feed is not None:
            lines, above = self._output(block)
            if not lines:
                inner = 0
            elif self._only:
                inner = 1 + self.feed.matches(block).before(spot.place)
            else:
                line = max(0, self.feed.index(block).number(spot.place) - above)
                inner = 1 + len(self._head(block, "")) + line
        return start + min(inner, max(0, end - start - 1))

    def reveals(self, spot: Spot) -> bool:
        """Whether a line is shown, as far as its block is unfolded."""
        block = self.blocks[spot.number]
        if spot.place is None or not isinstance(block, Command) or self.feed is None or self._only:
            return True
        return self.shows_output(block) and self.feed.index(block).number(spot.place) >= self._output(block)[1]

    def counted(self, number: int) -> bool:
        """Whether all lines of a block have their numbers."""
        block = self.blocks[number]
        return self.feed is None or isinstance(block, Text) or self.feed.index(block).complete

    # What has the text that is looked for

    def _hits(self, number: int) -> tuple[int, int]:
        """Whether a block itself has it (0 or 1; the heading of a command, a text), and how many lines below do."""
        block = self.blocks[number]
        if self.needle is None or self.feed is None or not self.scope.has(block):
            return 0, 0
        if isinstance(block, Text):
            return int(self.needle.found_in(block.text)), 0
        return int(self.needle.found_in(block.command)), self.feed.matches(block).count

    def hits(self, numbers: range | None = None) -> int:
        """How many rows have it, of these blocks or of all."""
        return sum(sum(self._hits(number)) for number in (range(len(self.blocks)) if numbers is None else numbers))

    def _hits_up_to(self, spot: Spot, *, after: bool) -> int:
        """How many of the hits of its block stand before a spot; with `after`, or at it."""
        own, _ = self._hits(spot.number)
        block = self.blocks[spot.number]
        if isinstance(block, Text):
            first = self._first_row_with(block) if own else 0
            return own if spot.inner > first or (after and spot.inner == first) else 0
        if spot.place is None or self.feed is None:
            return own if spot.inner or after else 0
        block_number, nth = spot.place
        return own + self.feed.matches(block).before(Place(block_number, nth + after))

    def _first_row_with(self, block: Text) -> int:
        assert self.needle is not None
        texts = ["".join(text for text, _ in row.left) for row in self._text_rows(block)]
        return next((n for n, text in enumerate(texts) if self.needle.found_in(text)), 0)

    def hit_number(self, spot: Spot) -> int:
        """Which of the hits a spot is, from 1; 0 when it is none."""
        if spot.number >= len(self.blocks):
            return 0
        before, up_to = self._hits_up_to(spot, after=False), self._hits_up_to(spot, after=True)
        return self.hits(range(spot.number)) + up_to if up_to > before else 0

    def hit(self, spot: Spot, step: Literal[1, -1], *, here: bool = False) -> Spot | None:
        """The next hit from a spot in a direction, around the end to the other; with `here`, a hit at it is one."""
        total = len(self.blocks)
        if not total:
            return None
        count = self._hits_up_to(spot, after=(step == 1) != here)
        at: int | None = count if step == 1 else count - 1
        for number in (n % total for n in range(spot.number, spot.number + step * (total + 1), step)):
            hits = sum(self._hits(number))
            at = (0 if step == 1 else hits - 1) if at is None else at
            if 0 <= at < hits:
                return self._hit(number, at)
            at = None
        return None

    def _hit(self, number: int, at: int) -> Spot:
        block, own = self.blocks[number], self._hits(number)[0]
        if isinstance(block, Text):
            return Spot(number, self._first_row_with(block))
        if at < own or self.feed is None:
            return Spot(number)
        return Spot(number, 1, self.feed.matches(block).place(at - own))
