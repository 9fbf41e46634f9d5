"""A task as it happens: its journal read on from where we are, folded into state and story (DESIGN decision 1)."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import EngineError
from engine.state import tasks_dir
from engine.tasks import journal
from engine.tasks.events import CommandOutput
from engine.tasks.model import TaskState
from engine.tasks.reading import unreadable, with_beginning
from tui.live.line_index import LineIndex, Matches
from tui.present import words
from tui.present.requests import Traffic
from tui.present.story import Command, Story
from tui.present.timeline import PhaseTime, phase_times

# How much output is indexed or searched in one go on the event loop: a few milliseconds.
STEP = 8 << 20


@dataclass(slots=True)
class Feed:
    """One attempt of one task: what its journal told so far, and the lines of the outputs that are looked at.

    `last_seconds`: how long each phase took the last time in this environment, for who shows the phases.
    """

    folder: Path
    attempt: int = 1
    state: TaskState = field(init=False)
    story: Story = field(init=False)
    traffic: Traffic = field(init=False)
    last_seconds: Mapping[str, float] = field(default_factory=dict)
    offset: int = 0
    filter: str = ""
    _indexes: dict[str, LineIndex] = field(default_factory=dict)
    _matches: dict[str, Matches] = field(default_factory=dict)
    _searching: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.state = TaskState(self.folder.name)
        self.story = Story(self.attempt)
        self.traffic = Traffic(self.attempt)

    @property
    def times(self) -> list[PhaseTime]:
        """The phases of the attempt, up to now."""
        return phase_times(self.state, self.attempt, self.last_seconds, words.now())

    def poll(self) -> bool:
        """Take in what was appended since: at most 1 MiB of events, and the output of what runs."""
        events, offset = journal.read(self.folder, self.offset)
        changed = offset != self.offset
        self.offset = offset
        for event in events:
            self.state.apply(event)
            if not isinstance(event, CommandOutput):
                self.story.apply(event)
                self.traffic.apply(event)
        return self._grow(changed) or changed

    def read_all(self) -> Feed:
        """Take in everything there is; for a thread."""
        while self.poll():
            pass
        return self

    def index(self, command: Command) -> LineIndex:
        """The lines of a command's output, indexed as far as the last `poll` got."""
        found = self._indexes.get(command.id)
        if found is None:
            found = LineIndex(journal.output_path(self.folder, command.id))
            found.extend(STEP)
            self._indexes[command.id] = found
        return found

    def matches(self, command: Command) -> Matches:
        """The output lines of a command that the filter lets through."""
        found = self._matches.get(command.id)
        if found is None:
            found = Matches(journal.output_path(self.folder, command.id), self.filter)
            self._matches[command.id] = found
            if found.extend(STEP) or command.running:
                self._searching.add(command.id)
        return found

    def set_filter(self, text: str) -> None:
        """Show only what contains `text`; empty shows everything."""
        self.filter = text
        self._matches.clear()
        self._searching.clear()

    def _grow(self, changed: bool) -> bool:
        grown = False
        for number, block in enumerate(self.story.blocks):
            if not isinstance(block, Command):
                continue
            if block.id in self._searching and self.filter:
                before = len(self.matches(block).lines)
                more = self.matches(block).extend(STEP)
                if not more and not block.running:
                    self._searching.discard(block.id)
                if more or len(self.matches(block).lines) != before:
                    self.story.touch(number)
                    grown = True
            behind = block.running or changed or self._is_behind(block)
            if block.shows_output and behind and self.index(block).extend(STEP):
                self.story.touch(number)
                grown = True
        return grown

    def _is_behind(self, command: Command) -> bool:
        known = self._indexes.get(command.id)
        return known is not None and known.size < command.size


@dataclass(slots=True)
class Board:
    """The states of all tasks; only journals that grew are read again."""

    states: dict[str, TaskState] = field(default_factory=dict)
    _offsets: dict[str, int] = field(default_factory=dict)
    # Threads that look at the journals must not apply an event twice.
    _lock: threading.Lock = field(default_factory=threading.Lock)

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
