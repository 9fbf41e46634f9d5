"""What can be done with a log: fold, go from failure to failure, look for something, read it raw, select."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal, TypeAlias

from textual.binding import BindingType
from textual.message import Message

from tui.live.page import Scope
from tui.present import actions
from tui.present.row import Row
from tui.present.story import Command, Text
from tui.widgets.log_lines import LogLines

# More rows than this are no longer copied but saved.
_MOST_COPIED = 20_000


# What takes more than this view.
Wanted: TypeAlias = Literal["search", "filter", "wrap", "times", "copy", "command", "save", "pager"]


class LogView(LogLines):
    """The rows of a log with their keys; `wanted` is called with what those around it have to do."""

    BINDINGS: ClassVar[list[BindingType]] = actions.bindings("log")

    class RequestOpened(Message):
        """A request that was not allowed was chosen; `key` is what it is found by."""

        def __init__(self, key: tuple[str, str, int]) -> None:
            super().__init__()
            self.key = key

    def __init__(self, wanted: Callable[[Wanted], None], *, widget_id: str | None = None) -> None:
        super().__init__(widget_id=widget_id)
        self._want = wanted
        # Go to the hit in this direction as soon as there is one.
        self._looking: Literal[1, -1] | None = None

    # Folding

    def action_list_open(self) -> None:
        """Fold or unfold."""
        self.action_fold()

    def action_fold(self) -> None:
        """Fold or unfold the block at the cursor; from a request that was refused, go to where it can be allowed."""
        page = self.shown
        if not page.count or page.scope.raw:
            return
        number = page.block_at(self.cursor)
        block = page.blocks[number]
        if isinstance(block, Command):
            spot = page.spot(self.cursor)
            above = spot.place is None and page.hides_above(block) and spot.inner == page.head_height(block)
            block.unfolded = True if above else not block.shows_output
        elif block.kind in ("thought", "message", "plan", "notice"):
            block.unfolded = not block.unfolded
        else:
            if block.request:
                self.post_message(self.RequestOpened(block.request))
            return
        page.measure(number)
        self.rows_changed(page.starts[number])
        self.mark = None
        self.following = False
        self.move_to(page.starts[number])

    def action_fold_all(self) -> None:
        """Fold every command, or unfold all when all are folded."""
        if self.shown.scope.raw:
            return
        commands = [block for block in self.shown.blocks if isinstance(block, Command)]
        unfold = not any(command.shows_output for command in commands)
        before = self._standing()
        for command in commands:
            command.unfolded = unfold
        self.mark = None
        self.shown.measure(0)
        self.rows_changed()
        self._stand(before)
        self.move_to(self.cursor)

    # Jumps

    def action_list_end(self) -> None:
        """To the end, and follow."""
        self.action_follow()

    def action_follow(self) -> None:
        """To the end, and follow."""
        self.unselect()
        self.set_following(True)

    def action_next_failure(self) -> None:
        """To the next failure."""
        self._to_failure(range(self.shown.block_at(self.cursor) + 1, len(self.shown.blocks)))

    def action_previous_failure(self) -> None:
        """To the failure before."""
        self._to_failure(range(self.shown.block_at(self.cursor) - 1, -1, -1))

    def _to_failure(self, numbers: range) -> None:
        page = self.shown
        for number in numbers:
            block = page.blocks[number]
            failed = block.failed if isinstance(block, Command) else block.kind in ("error", "denied")
            if failed and page.starts[number + 1] > page.starts[number]:
                self.to_spot(page.spot(page.starts[number]))
                return

    # Looking for something

    def action_log_search(self) -> None:
        """Ask for a text to find."""
        self._want("search")

    def action_log_filter(self) -> None:
        """Ask for a text; only what has it is shown."""
        self._want("filter")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a search its keys are free for what they do elsewhere."""
        return self.shown.needle is not None if action in ("log_next", "log_previous") else True

    def action_log_next(self) -> None:
        """To the next hit."""
        self._to_hit(1)

    def action_log_previous(self) -> None:
        """To the hit before."""
        self._to_hit(-1)

    def to_first_hit(self) -> None:
        """From the end back to the last hit, else to the first from here on, as soon as it is found."""
        self._looking = -1 if self.following else 1
        self._look()

    def _to_hit(self, step: Literal[1, -1], *, here: bool = False) -> bool:
        if not self.shown.count:
            return False
        spot = self.shown.hit(self.shown.spot(self.cursor), step, here=here)
        if spot is not None:
            self.to_spot(spot)
        return spot is not None

    def _look(self) -> None:
        # Backwards, the right one is known when all is searched.
        feed = self.feed
        if self._looking is None or feed is None:
            return
        searching = feed.searching is not None
        if not (searching and self._looking == -1) and (self._to_hit(self._looking, here=True) or not searching):
            self._looking = None

    def take(self) -> bool:
        """As every log, and go where the user wanted to before it was known."""
        taken = super().take()
        self._look()
        return taken

    # How it looks

    def action_raw(self) -> None:
        """The whole output of the command at the cursor, then of all, then the story again."""
        page = self.shown
        if not page.blocks:
            return
        block = page.blocks[page.block_at(self.cursor)]
        if not page.scope.raw and isinstance(block, Command):
            self.set_scope(Scope(raw=True, command=block.id))
        elif not page.scope.raw or page.scope.command:
            self.set_scope(Scope(raw=True))
        else:
            self.set_scope(Scope())

    def action_log_wrap(self) -> None:
        """Wrap long lines, or cut them."""
        self._want("wrap")

    def action_log_times(self) -> None:
        """Show when each line came, or do not."""
        self._want("times")

    # Out of here

    def action_mark_down(self) -> None:
        """Select one more line below."""
        self._mark(1)

    def action_mark_up(self) -> None:
        """Select one more line above."""
        self._mark(-1)

    def _mark(self, rows: int) -> None:
        self.select_on(rows)
        self.set_following(False)
        self.post_message(self.Status())

    def action_copy_log(self) -> None:
        """Copy the selection, or what is at the cursor."""
        self._want("copy")

    def action_copy_command(self) -> None:
        """Copy the command at the cursor."""
        self._want("command")

    def action_save_log(self) -> None:
        """Write what is shown to a file."""
        self._want("save")

    def action_log_pager(self) -> None:
        """Read what is shown in the user's pager."""
        self._want("pager")

    @property
    def command(self) -> Command | None:
        """The command at the cursor."""
        block = self.shown.blocks[self.shown.block_at(self.cursor)] if self.shown.count else None
        return block if isinstance(block, Command) else None

    def to_copy(self) -> list[str]:
        """The selected rows, or the line, the command or the whole text at the cursor; nothing of too many rows."""
        if not self.shown.count or len(self.selected_rows) > _MOST_COPIED:
            return []
        if self.mark is not None:
            rows = self.rows(self.selected_rows.start, self.selected_rows.stop)
            return [_text_of(row) for row in rows]
        spot = self.shown.spot(self.cursor)
        block = self.shown.blocks[spot.number]
        if isinstance(block, Text):
            return block.text.splitlines()
        if spot.inner == 0:
            return block.command.splitlines()
        return [_text_of(row) for row in self.rows(self.cursor, self.cursor + 1)]


def _text_of(row: Row) -> str:
    """A row without what stands before it and at its right end."""
    text = "".join(text for text, _ in row.left)
    return text[row.fixed :] if row.wraps else text.rstrip()
