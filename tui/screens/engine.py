"""What a screen asks of the engine: always in a thread, the answer comes back as a message."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from textual import work
from textual.message import Message

from engine.bench import Bench
from engine.bench.environments import EnvironmentEntry
from engine.errors import EngineError, Untrusted
from engine.tasks.comments import DiffReview
from engine.tasks.model import TaskState
from tui.live import changes
from tui.live.changes import Changes
from tui.live.feed import Board, Feed
from tui.screens.draft import Draft
from tui.screens.frames import PacedScreen

if TYPE_CHECKING:
    from engine.environment.model import Environment
    from engine.environment.trust import Review

_LONGEST_WAIT = 0.5


class EngineScreen(PacedScreen[None]):
    """The threads and the messages; `BenchScreen` handles the messages."""

    class TasksRead(Message):
        """The journals were looked at; something about the tasks changed."""

    class Loaded(Message):
        """A task was read from its beginning."""

        def __init__(self, feed: Feed) -> None:
            super().__init__()
            self.feed = feed

    class Patched(Message):
        """The patch of a task was read, or could not be; of a large one, first its beginning.

        `reviewed`: it was read before, its comments are others.
        """

        def __init__(
            self, task: str, attempt: int, changes: Changes | None, fault: str = "", *, reviewed: bool = False
        ) -> None:
            super().__init__()
            self.reviewed = reviewed
            self.task, self.attempt, self.changes, self.fault = task, attempt, changes, fault
            self.painted = threading.Event()

    class CacheSeen(Message):
        """The cache of an environment was looked at."""

        def __init__(self, entry: EnvironmentEntry, found: Any) -> None:
            super().__init__()
            self.entry, self.found = entry, found

    class DiskSeen(Message):
        """What the cache takes of the disk, and what it may, in bytes."""

        def __init__(self, disk: tuple[int, int]) -> None:
            super().__init__()
            self.disk = disk

    class EnvironmentsRead(Message):
        """The environment files were read."""

        def __init__(self, entries: Sequence[EnvironmentEntry], fault: EngineError | None = None) -> None:
            super().__init__()
            self.entries, self.fault = entries, fault

    class Done(Message):
        """Something the user asked for was done, or was not (`fault`).

        `sent`: a follow-up to this task, with these comments, was taken.
        """

        def __init__(
            self,
            text: str = "",
            fault: EngineError | None = None,
            task: str = "",
            sent: tuple[str, tuple[str, ...]] | None = None,
        ) -> None:
            super().__init__()
            self.sent = sent
            self.text, self.fault, self.task = text, fault, task

    class TrustAsked(Message):
        """A task was not started: the user has not agreed to the content of its environment's file."""

        def __init__(self, draft: Draft, environment: Environment, review: Review) -> None:
            super().__init__()
            self.draft, self.environment, self.review = draft, environment, review

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self.bench = bench
        self.board = Board()
        self.draft = Draft()

    def _compositor_refresh(self) -> None:
        """As Textual's, but what changed behind a dialog is painted once, and what changed in the dialog with it.

        Textual would repaint everything from then on, and forget which parts of the dialog had yet to be painted.
        """
        super()._compositor_refresh()
        dialog = self.app.screen
        if self is not dialog:
            self._repaint_required = False
            if dialog._repaint_required and dialog.is_mounted:
                dialog._repaint_required = False
                dialog._dirty_widgets.add(dialog)

    @work(thread=True, exclusive=True, group="tasks", exit_on_error=False)
    def read_tasks(self, check: bool = False) -> None:
        """Read journals that grew; with `check`, first let the engine mark tasks whose supervisor is gone."""
        if self.board.refresh() or check:
            self.post_message(self.TasksRead())
        if check and any(not state.finished for state in self.board.newest_first()):
            try:
                self.bench.tasks.list()
            except (EngineError, OSError):
                return
            if self.board.refresh():
                self.post_message(self.TasksRead())

    @work(thread=True, exclusive=True, group="load", exit_on_error=False)
    def open_task(self, task_id: str, attempt: int = 1) -> None:
        """Read a task from its beginning, then show it."""
        try:
            feed = Feed(self.bench.tasks.folder(task_id), attempt).read_all()
        except EngineError as error:
            self.post_message(self.Done(fault=error))
        else:
            self.post_message(self.Loaded(feed))

    @work(thread=True, exclusive=True, group="patch", exit_on_error=False)
    def read_patch(self, task_id: str, attempt: int) -> None:
        """Read the diff of a task, and what was said about it."""
        try:
            path = self.bench.results.patch(task_id, attempt)
            try:
                review = self.bench.results.review(task_id, attempt)
            except EngineError as error:
                review = DiffReview()
                self.post_message(self.Done(fault=error))
            if not path.exists():
                self.post_message(self.Patched(task_id, attempt, None))
                return
            for found in changes.read(path, review):
                message = self.Patched(task_id, attempt, found)
                self.post_message(message)
                if not found.whole:
                    # The beginning is painted sooner when nothing else computes meanwhile.
                    message.painted.wait(_LONGEST_WAIT)
        except EngineError as error:
            self.post_message(self.Patched(task_id, attempt, None, str(error)))
        except OSError as error:
            self.post_message(self.Patched(task_id, attempt, None, f"cannot read the diff: {error.strerror}"))

    @work(thread=True, group="review", exit_on_error=False)
    def change_review(
        self, task_id: str, attempt: int, shown: Changes, how: Callable[[DiffReview], DiffReview]
    ) -> None:
        """Change comments or marks on disk, then show them where their lines are."""
        try:
            self._changed_review(task_id, attempt, shown, how)
        except EngineError as error:
            self.post_message(self.Done(fault=error))

    def _changed_review(
        self, task_id: str, attempt: int, shown: Changes, how: Callable[[DiffReview], DiffReview]
    ) -> None:
        review = self.bench.results.change_review(task_id, attempt, how)
        try:
            found = changes.placed(shown.patch, shown.tree, review)
        except OSError as error:
            raise EngineError(f"cannot read the diff: {error.strerror}") from error
        self.post_message(self.Patched(task_id, attempt, found, reviewed=True))

    @work(thread=True, exclusive=True, group="environments", exit_on_error=False)
    def read_environments(self) -> None:
        """Read the environment files."""
        try:
            self.post_message(self.EnvironmentsRead(self.bench.environments.list()))
        except EngineError as error:
            self.post_message(self.EnvironmentsRead([], error))

    @work(thread=True, exclusive=True, group="cache", exit_on_error=False)
    def look_at_cache(self, entry: EnvironmentEntry) -> None:
        """Ask the engine what a start would find now."""
        assert entry.environment is not None
        found: Any
        try:
            found = self.bench.cache.explain(entry.environment)
        except EngineError as error:
            found = error
        except Exception as error:
            # Docker's client has faults of its own; the pane says so instead of the screen going down.
            found = EngineError(f"{type(error).__name__}: {error}", "`fumehood doctor` looks for the reason")
        self.post_message(self.CacheSeen(entry, found))
        with suppress(EngineError, OSError):
            self.post_message(self.DiskSeen(self.bench.cache.use()))

    @work(thread=True, group="start", exit_on_error=False)
    def start_task(self, draft: Draft) -> None:
        """Start what was written; it is opened as soon as its journal is there."""
        assert draft.entry is not None
        try:
            # As it is now: the supervisor reads the file too, and what was agreed to must be what it finds.
            environment = self.bench.environments.load(str(draft.entry.path))
            try:
                started = self.bench.tasks.start(
                    environment, draft.prompt, branch=draft.branch, agent=draft.agent, attempts=draft.attempts
                )
            except Untrusted:
                self.post_message(self.TrustAsked(draft, environment, self.bench.environments.review(environment)))
            else:
                self.post_message(self.Done(task=started))
        except EngineError as error:
            draft.go = False
            self.draft = draft
            self.post_message(self.Done(fault=error))

    @work(thread=True, group="start", exit_on_error=False)
    def follow_up(self, task_id: str, attempt: int, prompt: str, shown: Changes | None, sent: Sequence[str]) -> None:
        """Ask the agent of a task for more; the comments that were `sent` with it are marked."""
        try:
            self.bench.tasks.follow_up(task_id, prompt, attempt=attempt)
            if shown is not None and sent:
                self._changed_review(task_id, attempt, shown, lambda review: review.with_sent(sent))
            self.post_message(self.Done(task=task_id, sent=(task_id, tuple(sent))))
        except EngineError as error:
            self.post_message(self.Done(fault=error))

    @work(thread=True, group="do", exit_on_error=False)
    def do(self, what: Callable[[], Any], said: str) -> None:
        """Let the engine do something, and say how it went."""
        try:
            outcome = what()
        except EngineError as error:
            self.post_message(self.Done(fault=error))
            return
        text = said or (outcome if isinstance(outcome, str) else getattr(outcome, "message", ""))
        if getattr(outcome, "status", "") in ("partial", "error") and not isinstance(outcome, TaskState):
            self.post_message(self.Done(fault=EngineError(str(text))))
        else:
            self.post_message(self.Done(str(text)))
