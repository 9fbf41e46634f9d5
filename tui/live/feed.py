"""A task as it happens: its journal read on from where we are, folded into state and story (DESIGN decision 1)."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, field

from engine.errors import EngineError
from engine.state import tasks_dir
from engine.tasks import journal
from engine.tasks.events import CommandOutput
from engine.tasks.model import TaskState
from engine.tasks.reading import unreadable, with_beginning
from tui.live.backlog import Backlog
from tui.live.line_index import LineIndex
from tui.live.matches import Matches
from tui.present import words
from tui.present.needle import Needle
from tui.present.requests import Traffic
from tui.present.story import Command, Story
from tui.present.timeline import PhaseTime, phase_times

# How much appended output is taken in in one go on the event loop: a few milliseconds.
_STEP = 8 << 20


class Times(Struct):
    """When the output of a command came: from byte `offsets[i]` on at `seconds[i]` (Unix time)."""

    offsets: array[int] = field(default_factory=lambda: array("Q"))
    seconds: array[float] = field(default_factory=lambda: array("d"))

    def at(self, offset: int) -> float | None:
        """When this byte came; None for what no event told of."""
        number = bisect_right(self.offsets, offset) - 1
        return self.seconds[number] if number >= 0 else None


class Feed:
    """One attempt of one task: what its journal told so far, and the lines of the outputs that are looked at.

    `last_seconds`: how long each phase took the last time in this environment, for who shows the phases.
    """

    def __init__(self, folder: Path, attempt: int = 1) -> None:
        self.folder, self.attempt = folder, attempt
        self.state = TaskState(folder.name)
        self.story = Story(attempt)
        self.traffic = Traffic(attempt)
        self.last_seconds: Mapping[str, float] = {}
        self.offset = 0
        self.needle: Needle | None = None
        self.backlog = Backlog()
        self._times: dict[str, Times] = {}
        self._indexes: dict[str, LineIndex] = {}
        self._heads: dict[str, LineIndex] = {}
        self._matches: dict[str, Matches] = {}
        self._told: dict[str, int] = {}
        self._busy = False

    @property
    def times(self) -> list[PhaseTime]:
        """The phases of the attempt, up to now."""
        return phase_times(self.state, self.attempt, self.last_seconds, words.now())

    def poll(self) -> bool:
        """Take in what was appended since: at most 1 MiB of events, and the output of what runs.

        True when anything is different, and while the thread works; `story.changed` says which blocks are.
        """
        live = set(self.story.running)
        events, offset = journal.read(self.folder, self.offset)
        changed = offset != self.offset
        self.offset = offset
        for event in events:
            self.state.apply(event)
            if not isinstance(event, CommandOutput):
                self.story.apply(event)
                self.traffic.apply(event)
            elif event.run == self.attempt:
                if (times := self._times.get(event.id)) is None:
                    times = self._times[event.id] = Times()
                times.offsets.append(event.offset)
                times.seconds.append(event.ts)
        grown = self._grow(live | self.story.running)
        found = self._look_for_matches(live | self.story.running)
        # What is done in the thread is told while it is done, and once more when it has ended.
        was_busy, self._busy = self._busy, self.backlog.busy
        return changed or grown or found or was_busy or self._busy or bool(self._heads)

    def read_all(self) -> Feed:
        """Take in every event there is; for a thread."""
        before = -1
        while self.offset != before:
            before = self.offset
            self.poll()
        return self

    def close(self) -> None:
        """Nobody looks at it any more."""
        self.backlog.drop()

    # Lines

    def path(self, command: Command) -> Path:
        """The file that holds a command's output."""
        return journal.output_path(self.folder, command.id)

    def time_of(self, command: Command, offset: int) -> float:
        """When a byte of a command's output came, Unix seconds."""
        times = self._times.get(command.id)
        return (times.at(offset) if times else None) or command.started_at

    def index(self, command: Command) -> LineIndex:
        """The lines of a command's output, as far as the last `poll` got; of a large one, first those of its end."""
        found = self._indexes.get(command.id)
        if found is None:
            found = LineIndex(self.path(command))
            self._indexes[command.id] = found
            self._extend(command, found)
        return found

    def _extend(self, command: Command, index: LineIndex) -> bool:
        grown = index.extend(_STEP)
        if index.head is not None and self._heads.get(command.id) is not index:
            self._heads[command.id] = index
            self.backlog.add(index.head)
        return grown

    def adopt_heads(self) -> None:
        """Take in what was counted in the thread: lines have other numbers then."""
        for name, index in list(self._heads.items()):
            if index.adopt_head():
                del self._heads[name]
                self.story.touch(self.story.number_of(name))

    @property
    def indexing(self) -> float | None:
        """Which part of what is counted in the thread is counted; None when there is nothing."""
        heads = [index.head for index in self._heads.values() if index.head is not None]
        if not heads:
            return None
        return sum(head.counted for head in heads) / sum(head.blocks for head in heads)

    def _grow(self, numbers: set[int]) -> bool:
        grown = False
        for number in numbers:
            command = self.story.blocks[number]
            assert isinstance(command, Command)
            if (command.shows_output or command.id in self._indexes) and self._extend(command, self.index(command)):
                self.story.touch(number)
                grown = True
        return grown

    # Looking for a text

    def look_for(self, needle: Needle | None) -> None:
        """Find the lines that have a text, in a thread; None is for nothing."""
        self.needle = needle
        self.backlog.drop(Matches)
        self._matches.clear()
        self._told.clear()
        if needle is not None:
            for block in self.story.blocks:
                if isinstance(block, Command):
                    self._search(block)

    def _search(self, command: Command) -> Matches:
        assert self.needle is not None
        matches = Matches(self.path(command), self.needle.text)
        self._matches[command.id] = matches
        if matches.grown():
            self.backlog.add(matches)
        return matches

    def matches(self, command: Command) -> Matches:
        """The lines of a command's output that have what is looked for, as far as it was searched."""
        return self._matches.get(command.id) or self._search(command)

    @property
    def searching(self) -> float | None:
        """Which part of all output was searched; None when all of it was."""
        if self.needle is None or not self.backlog.busy:
            return None
        size = sum(max(matches.searched, self._size_of(name)) for name, matches in self._matches.items())
        return sum(matches.searched for matches in self._matches.values()) / size if size else 0.0

    def _size_of(self, name: str) -> int:
        block = self.story.blocks[self.story.number_of(name)]
        return block.size if isinstance(block, Command) else 0

    def _look_for_matches(self, live: set[int]) -> bool:
        if self.needle is None:
            return False
        changed = False
        for number in live:
            command = self.story.blocks[number]
            if isinstance(command, Command) and (matches := self.matches(command)).grown():
                self.backlog.add(matches)
        for name, matches in self._matches.items():
            count = matches.count
            if self._told.get(name) != count:
                self._told[name] = count
                self.story.touch(self.story.number_of(name))
                changed = True
        return changed


class Board:
    """The states of all tasks; only journals that grew are read again."""

    def __init__(self) -> None:
        self.states: dict[str, TaskState] = {}
        self._offsets: dict[str, int] = {}
        # Threads that look at the journals must not apply an event twice.
        self._lock = threading.Lock()

    def refresh(self) -> bool:
        """Look for new tasks and new events; True when a task that is shown may look different. For a thread."""
        with self._lock:
            return self._refresh()

    def _refresh(self) -> bool:
        changed = False
        try:
            folders = [folder for folder in tasks_dir().iterdir() if folder.is_dir()]
        except FileNotFoundError:
            folders = []
        for gone in set(self.states) - {folder.name for folder in folders}:
            del self.states[gone], self._offsets[gone]
            changed = True
        for folder in folders:
            try:
                changed |= self._read(folder)
            except EngineError as error:
                changed |= folder.name not in self.states
                self.states[folder.name], self._offsets[folder.name] = unreadable(folder, error), 0
        return changed

    def _read(self, folder: Path) -> bool:
        offset = self._offsets.get(folder.name, 0)
        try:
            if (folder / journal.JOURNAL).stat().st_size <= offset and folder.name in self.states:
                return False
        except FileNotFoundError:
            return False
        state = self.states.setdefault(folder.name, TaskState(folder.name))
        changed = False
        while True:
            events, after = journal.read(folder, offset)
            for event in events:
                state.apply(event)
                changed |= not isinstance(event, CommandOutput)
            if after == offset:
                self._offsets[folder.name] = offset
                with_beginning(folder, state)
                return changed
            offset = after

    def newest_first(self) -> list[TaskState]:
        """Every task that has begun, the newest first."""
        begun = [state for state in list(self.states.values()) if state.created_at]
        return sorted(begun, key=lambda state: (state.created_at, state.id), reverse=True)
