"""The log of a task: commands that unfold to their output, and what the agent says; any size, memory stays flat."""

from __future__ import annotations

from bisect import bisect_right
from typing import ClassVar

from textual.binding import BindingType
from textual.message import Message

from tui.live.feed import Feed
from tui.present import actions, blocks, words
from tui.present.row import Row
from tui.present.story import Block, Command, Text
from tui.present.text import clean
from tui.widgets.line_view import LineView


class LogView(LineView):
    """The blocks of a feed one under another; only those in sight are made into rows."""

    DEFAULT_CSS = """
    LogView.-following { scrollbar-size-vertical: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = actions.bindings("log")

    class Status(Message):
        """What is in sight, or whether it follows, has changed."""

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(widget_id=widget_id)
        self.feed: Feed | None = None
        self.following = True
        self.unseen = 0
        # _starts[i]: the row at which block i begins; one more for the end.
        self._starts = [0]
        self._blocks: list[Block] = []
        self._width = 0

    def show(self, feed: Feed | None) -> None:
        """Show another task, from its end."""
        self.feed, self.following, self.unseen, self.shift = feed, True, 0, 0
        self._painted.clear()
        self._measure(0)
        self.add_class("-following")
        self.rows_changed()
        self._to_end()

    def take(self) -> bool:
        """Show what the feed took in since; True when there was anything."""
        story = self.feed.story if self.feed else None
        if story is None or story.changed is None:
            return False
        before, first = self.row_count(), story.changed
        first_row = self._starts[min(first, len(self._starts) - 1)]
        self._measure(first)
        self.rows_changed(min(first_row, self.row_count()))
        if self.following:
            self._to_end()
        else:
            self.unseen += max(0, self.row_count() - before)
        self.post_message(self.Status())
        return True

    def filter(self, text: str) -> None:
        """Show only what contains the text; empty shows everything, with the cursor on the line it was on."""
        if self.feed is None or text == self.feed.filter:
            return
        number, line = self._at_cursor()
        self.feed.set_filter(text)
        self._painted.clear()
        self._measure(0)
        self.rows_changed()
        if not self.following:
            self.cursor = -1
            self.move_to(self._row_of(number, line), center=True)
        else:
            self._to_end()
        self.post_message(self.Status())

    def _at_cursor(self) -> tuple[int, int]:
        """The block at the cursor and the line of its output; -1 for none."""
        number = self.block_at(self.cursor) if self._blocks else 0
        block = self._blocks[number] if self._blocks else None
        if not isinstance(block, Command) or self.feed is None:
            return number, -1
        inner = self.cursor - self._starts[number] - 1
        if not self._filter:
            return number, inner - self._head_height(block) + self._output(block)[1]
        lines = self.feed.matches(block).lines
        return number, lines[inner] if 0 <= inner < len(lines) else -1

    def _row_of(self, number: int, line: int) -> int:
        start = self._starts[min(number, len(self._starts) - 1)]
        block = self._blocks[number] if number < len(self._blocks) else None
        if line < 0 or not isinstance(block, Command) or self._filter or not block.shows_output:
            return start
        return start + 1 + self._head_height(block) + max(0, line - self._output(block)[1])

    # Where rows are

    def row_count(self) -> int:
        """Rows of all blocks."""
        return self._starts[-1]

    def _measure(self, first: int) -> None:
        """Find the heights of the blocks from number `first` on."""
        story = self.feed.story if self.feed else None
        if story is None:
            self._starts, self._blocks = [0], []
            return
        first = min(first, len(self._starts) - 1)
        self._blocks = story.blocks
        del self._starts[first + 1 :]
        for block in self._blocks[first:]:
            self._starts.append(self._starts[-1] + self._height(block))
        story.changed = None

    def _height(self, block: Block) -> int:
        if isinstance(block, Text):
            wanted = not self._filter or self._filter.lower() in block.text.lower()
            return len(self._text_rows(block)) if wanted else 0
        lines = self._output(block)[0]
        if self._filter:
            named = self._filter.lower() in block.command.lower()
            return 1 + lines if lines or named else 0
        if not block.shows_output:
            return 1
        return 1 + self._head_height(block) + lines

    def _head_height(self, command: Command) -> int:
        """Rows between the heading of an unfolded command and its output."""
        lines, above = self._output(command)
        return command.command.strip().count("\n") + (1 if above or not lines else 0)

    def _output(self, command: Command) -> tuple[int, int]:
        """How many lines of output are shown, and how many above them are not."""
        if self.feed is None:
            return 0, 0
        if self._filter:
            return len(self.feed.matches(command).lines), 0
        if not command.shows_output:
            return 0, 0
        count = self.feed.index(command).count
        if command.failed and command.unfolded is None and count > blocks.TAIL:
            return blocks.TAIL, count - blocks.TAIL
        return count, 0

    def _text_rows(self, block: Text) -> list[Row]:
        return blocks.text_rows(block, max(20, self._width))

    def block_at(self, row: int) -> int:
        """The number of the block that a row belongs to."""
        return min(bisect_right(self._starts, row) - 1, len(self._blocks) - 1)

    def rows(self, first: int, last: int) -> list[Row]:
        """The rows in sight."""
        found: list[Row] = []
        number = self.block_at(first)
        while first < last and number < len(self._blocks):
            start, end = self._starts[number], min(self._starts[number + 1], last)
            if end > first:
                found += self._block_rows(self._blocks[number], first - start, end - start)
                first = end
            number += 1
        return found

    def _block_rows(self, block: Block, first: int, last: int) -> list[Row]:
        if isinstance(block, Text):
            return self._text_rows(block)[first:last]
        rows = [blocks.command_row(block, words.now())] if first == 0 else []
        lines, above = self._output(block)
        more = [] if self._filter else block.command.strip().splitlines()[1:]
        head = [blocks.command_line_row(clean(line)) for line in more]
        if above:
            head.append(blocks.above_row(above))
        if not lines and not self._filter:
            head.append(blocks.empty_row(block))
        rows += head[max(0, first - 1) : max(0, last - 1)]
        skip = 1 + len(head)
        rows += self._output_rows(block, max(0, first - skip) + above, max(0, last - skip) + above)
        return rows

    def _output_rows(self, command: Command, first: int, last: int) -> list[Row]:
        if self.feed is None or first >= last:
            return []
        index = self.feed.index(command)
        if not self._filter:
            return [blocks.output_row(line) for line in index.lines(first, last)]
        numbers = self.feed.matches(command).lines[first:last]
        index.extend()
        return [blocks.output_row(line) for number in numbers for line in index.lines(number, number + 1)]

    @property
    def _filter(self) -> str:
        return self.feed.filter if self.feed else ""

    # Following

    def _to_end(self) -> None:
        self.cursor = max(0, self.row_count() - 1)
        self.go(self.row_count())

    def set_following(self, following: bool) -> None:
        """Stay at the end while more comes, or stay where the user reads."""
        if following:
            self.unseen = 0
        else:
            # What the user is reading does not fold under his eyes.
            for block in self._blocks:
                if isinstance(block, Command) and block.running and block.unfolded is None:
                    block.unfolded = True
        if following != self.following:
            self.following = following
            self.set_class(following, "-following")
            self.call_after_refresh(self._place_scrollbar)
            self.post_message(self.Status())
        if following:
            self._to_end()

    def _place_scrollbar(self) -> None:
        # A bar that was hidden while the view scrolled does not know where the view is.
        self.vertical_scrollbar.position = self.scroll_y

    def move_to(self, row: int, *, center: bool = False) -> None:
        """Moving away from the end stops following, coming back to it follows again."""
        super().move_to(row, center=center)
        self.set_following(self.cursor >= self.row_count() - 1)
        self.post_message(self.Status())

    def on_mouse_scroll_up(self) -> None:
        """The wheel: stop following, the cursor comes along."""
        self.call_next(self._scrolled)

    def on_mouse_scroll_down(self) -> None:
        """The wheel: at the end, follow again."""
        self.call_next(self._scrolled)

    def on_scroll_to(self) -> None:
        """The scrollbar was drawn."""
        self.call_next(self._scrolled)

    def _scrolled(self) -> None:
        top = self.scroll_offset.y
        last = min(top + self.page, self.row_count()) - 1
        at_end = last >= self.row_count() - 1
        self.cursor = self.row_count() - 1 if at_end else min(max(self.cursor, top), max(0, last))
        self.set_following(at_end)
        self.post_message(self.Status())

    def _keep_in_sight(self) -> None:
        """Texts wrap to the new width; the end stays the end."""
        width = self.size.width
        if width != self._width:
            self._width = width
            at = self.block_at(self.cursor) if self._blocks else 0
            self._measure(0)
            self.rows_changed()
            if not self.following and self._blocks:
                self.cursor = self._starts[max(0, at)]
        if self.following:
            self._to_end()
        else:
            super().move_to(self.cursor)
        self.post_message(self.Status())

    # Actions

    def action_list_end(self) -> None:
        """To the end, and follow."""
        self.set_following(True)

    def action_follow(self) -> None:
        """To the end, and follow."""
        self.set_following(True)

    def action_list_open(self) -> None:
        """Fold or unfold."""
        self.action_fold()

    def action_fold(self) -> None:
        """Fold or unfold the block at the cursor."""
        if not self._blocks or self.feed is None:
            return
        number = self.block_at(self.cursor)
        block = self._blocks[number]
        if isinstance(block, Command):
            above = self._output(block)[1]
            at_above = above and self.cursor == self._starts[number] + 1 + block.command.strip().count("\n")
            block.unfolded = True if at_above else not block.shows_output
        elif block.kind in ("thought", "message", "plan", "notice"):
            block.unfolded = not block.unfolded
        else:
            return
        self._measure(number)
        self.rows_changed(self._starts[number])
        super().move_to(self._starts[number])
        self.following = False
        self.set_following(self.cursor >= self.row_count() - 1)

    def action_fold_all(self) -> None:
        """Fold every command, or unfold all when all are folded."""
        commands = [block for block in self._blocks if isinstance(block, Command)]
        unfold = not any(command.shows_output for command in commands)
        for command in commands:
            command.unfolded = unfold
        self._measure(0)
        self.rows_changed()
        self.move_to(self.row_count() if self.following else self.cursor)

    def action_next_failure(self) -> None:
        """To the next failure."""
        self._to_failure(range(self.block_at(self.cursor) + 1, len(self._blocks)))

    def action_previous_failure(self) -> None:
        """To the failure before."""
        self._to_failure(range(self.block_at(self.cursor) - 1, -1, -1))

    def _to_failure(self, numbers: range) -> None:
        for number in numbers:
            block = self._blocks[number]
            failed = block.failed if isinstance(block, Command) else block.kind in ("error", "denied")
            if failed and self._starts[number + 1] > self._starts[number]:
                super().move_to(self._starts[number], center=True)
                self.set_following(False)
                return

    def refresh_running(self) -> None:
        """Paint the clocks of running commands again, if they are in sight."""
        top, last = self.scroll_offset.y, self.scroll_offset.y + self.page
        for number in range(len(self._blocks) - 1, -1, -1):
            block = self._blocks[number]
            if isinstance(block, Command) and block.running and top <= self._starts[number] < last:
                self.refresh_line(self._starts[number])
