"""The bench: what its panes show, how it keeps up with what happens, and what the user can have done."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import on

from engine.bench import Bench
from engine.errors import EngineError
from tui.live import preferences
from tui.live.external import edit_file
from tui.panes.cache import CachePane
from tui.present import notice, pacing, timeline
from tui.screens.engine import EngineScreen
from tui.screens.network import NetworkScreen
from tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from engine.tasks.model import TaskState
    from tui.app import Workbench
    from tui.live.feed import Feed


class BenchScreen(NetworkScreen):
    """Everything of one bench; what it shows of tasks is read from their journals alone."""

    def __init__(self, bench: Bench, task_id: str | None = None, *, watch: bool = True) -> None:
        super().__init__(bench, "log" if task_id else "", watch=watch)
        self.wanted = task_id or ""
        self._pace = pacing.Pace()
        self._endings = notice.Endings()
        self._offered = False
        self._patch_of: tuple[str, int, float, str] | None = None
        self._begun = self._looked_around = False
        # Why the journal of the open task could not be read on, as it was told.
        self._unread = ""

    def on_mount(self) -> None:
        """Read what there is, in threads; the screen is there at once."""
        self.fit_window()
        self.lay_out()
        self.focus_pane(self.current)
        if problem := preferences.problem():
            self.tell(problem)
        self.diff_pane.show(None, None)
        self.set_interval(pacing.FAST, self.tick)

    def _compositor_refresh(self) -> None:
        """Begin to read as soon as the first frame has been painted, which that would delay."""
        super()._compositor_refresh()
        if not self._begun:
            self._begun = True
            self.read_tasks(check=True)

    def _look_around(self) -> None:
        """Read everything else, once the task that is open has been painted: threads take turns with painting."""
        if not self._looked_around:
            self._looked_around = True
            self.read_environments()
            self.begin_care()

    # Answers of the engine

    @on(EngineScreen.TasksRead)
    def _tasks_read(self) -> None:
        states = self.board.newest_first()
        for ended in self._endings.look(states):
            self.tell_ending(ended)
        self.tasks_pane.show(states, self.entry.name if self.entry else "")
        if self.wanted is not None:
            opened = next((s.id for s in states if s.id.startswith(self.wanted)), "")
            if opened:
                self.wanted = None
                self.tasks_pane.select(opened)
                feed = self.log_pane.feed
                same = feed is not None and feed.state.id == opened
                self.open_task(opened, feed.attempt if feed and same else self.board.states[opened].chosen)
            else:
                self._look_around()
        self.refresh_bars()

    @on(EngineScreen.Loaded)
    def _loaded(self, event: EngineScreen.Loaded) -> None:
        event.feed.last_seconds = timeline.last_seconds(self.board.newest_first(), event.feed.state)
        self.show_feed(event.feed)
        self._patch_of = None
        self._show_patch()
        state = event.feed.state
        number = next((n for n, e in enumerate(self.entries) if str(e.path) == state.environment_path), None)
        if number is not None and number != self.entry_number:
            self.show_environment(number)
        self.refresh_bars()

    def _show_patch(self) -> None:
        """Read the diff when there is one that is not shown yet."""
        feed = self.log_pane.feed
        if feed is None:
            return
        try:
            stamp = self.bench.results.patch(feed.state.id, feed.attempt).stat().st_mtime
        except EngineError:
            # The task was removed elsewhere; what was read of it stays.
            return
        except OSError:
            stamp = 0.0
        key = (feed.state.id, feed.attempt, stamp, "" if stamp else feed.state.status)
        if key == self._patch_of:
            return
        self._patch_of = key
        if stamp:
            self.read_patch(feed.state.id, feed.attempt)
        else:
            self.diff_pane.show(None, feed.state)
            self.call_after_refresh(self._look_around)

    @on(EngineScreen.Patched)
    def _patched(self, event: EngineScreen.Patched) -> None:
        feed = self.log_pane.feed
        if feed is not None and (feed.state.id, feed.attempt) == (event.task, event.attempt):
            shown = self.diff_pane.changes
            if event.reviewed and event.changes and (shown is None or shown.patch is not event.changes.patch):
                # The diff is another one by now: its comments are placed anew.
                self.read_patch(event.task, event.attempt)
                return
            self.diff_pane.show(event.changes, feed.state, event.fault)
            self.call_after_refresh(event.painted.set)
            self.refresh_bars()
            self.call_after_refresh(self._look_around)

    @on(EngineScreen.EnvironmentsRead)
    def _environments_read(self, event: EngineScreen.EnvironmentsRead) -> None:
        if event.fault:
            self.tell_fault(event.fault)
        path = self.entry.path if self.entry else None
        self.entries = event.entries
        number = next((n for n, entry in enumerate(self.entries) if entry.path == path), 0)
        self.show_environment(number)
        self.attend()
        self.environments_read = True
        if self.prompt_next and self.entries:
            self.prompt_next = False
            self.action_new_task()
        elif not self.entries and not event.fault and not self._offered and (self.bench.cwd / ".git").exists():
            # Once: whoever leaves it is not asked again.
            self._offered = True
            self.action_init_environment()

    @on(EngineScreen.CacheSeen)
    def _cache_seen(self, event: EngineScreen.CacheSeen) -> None:
        if event.entry is self.entry:
            self.query_one(CachePane).show(event.found)

    @on(EngineScreen.DiskSeen)
    def _disk_seen(self, event: EngineScreen.DiskSeen) -> None:
        self.disk = event.disk
        self.refresh_bars()

    # Time

    def tick(self) -> None:
        """Look at what is open; how often depends on what happens (see `pacing`)."""
        feed = self.log_pane.feed
        live = feed is not None and (not feed.state.finished or feed.backlog.busy)
        app = cast("Workbench", self.app)
        due = feed is not None and self._pace.due("feed", pacing.FAST if live else pacing.IDLE)
        if feed is not None and due and app.pace.may_paint():
            was = _stored(feed.state)
            if self._polled(feed):
                self.log_pane.log_view.take()
                self.tick_panes()
                self._show_patch()
                self.refresh_bars()
            elif live and self._pace.due("clock", 1.0):
                self.tick_panes()
            if _stored(feed.state) != was and self.entry and self.entry.environment:
                self.look_at_cache(self.entry)
        if self._pace.due("tasks", pacing.IDLE):
            self.read_tasks(check=self._pace.due("check", pacing.CHECK))
            self._tick_tasks()
        if self._pace.due("cache", pacing.CHECK):
            self.query_one(CachePane).tick()

    def _polled(self, feed: Feed) -> bool:
        try:
            return feed.poll()
        except EngineError as error:
            # It stays as far as it was read.
            if str(error) != self._unread:
                self._unread = str(error)
                self.tell_fault(error)
            return False

    def _tick_tasks(self) -> None:
        states = self.board.newest_first()
        if any(state.status == "in_progress" for state in states):
            self.tasks_pane.show(states)

    # Choosing tasks

    @on(LineView.Moved, "#task-list")
    def _task_moved(self) -> None:
        self.refresh_bars()
        # A settled cursor opens its task; passing over many opens none of them.
        self.set_timer(0.12, self._open_selected, name="open")

    def _open_selected(self) -> None:
        selected = self.tasks_pane.selected
        if selected and (self.state is None or self.state.id != selected) and self.current == "tasks":
            self._open(selected)

    @on(LineView.Opened, "#task-list")
    def _task_opened(self) -> None:
        selected = self.tasks_pane.selected
        if selected:
            if self.state is None or self.state.id != selected:
                self._open(selected)
            self.focus_pane("log")

    def _open(self, task: str) -> None:
        # A thread may have found meanwhile that it is gone.
        if (state := self.board.states.get(task)) is not None:
            self.open_task(task, state.chosen)

    # Actions

    def action_next_attempt(self) -> None:
        """Show the next attempt."""
        feed = self.log_pane.feed
        if feed is not None and len(feed.state.attempts) > 1:
            self.open_task(feed.state.id, feed.attempt % len(feed.state.attempts) + 1)

    def action_next_environment(self) -> None:
        """Show the next environment."""
        self.show_environment(self.entry_number + 1)

    def action_previous_environment(self) -> None:
        """Show the environment before."""
        self.show_environment(self.entry_number - 1)

    def action_reload(self) -> None:
        """Read the environment files again."""
        self.read_environments()

    def action_refresh_cache(self) -> None:
        """Look at the cache again."""
        self.show_environment(self.entry_number)

    def action_edit_outside(self) -> None:
        """Open the environment file in the user's editor, then read it again."""
        if self.entry is None:
            return
        path = self.entry.path
        edited = self.bench.environments.editing(path)
        try:
            edit_file(self.app, path)
        except EngineError as fault:
            self.tell_fault(fault)
        edited()
        self.read_environments()

    def action_help(self) -> None:
        """Show every key."""
        from tui.screens.help import Help

        self.app.push_screen(Help(self.current, self.why_not))

    def action_redraw(self) -> None:
        """Write the whole screen again: something else has written on it."""
        cast("Workbench", self.app).redraw()

    def action_quit_bench(self) -> None:
        """Leave; tasks go on."""
        self.app.exit(0)

    @on(EngineScreen.TrustAsked)
    def _trust_asked(self, event: EngineScreen.TrustAsked) -> None:
        from tui.screens.consent import Consent

        def answered(yes: bool | None) -> None:
            if yes:
                self.bench.environments.trust(event.environment)
                self.start_task(event.draft)
            else:
                event.draft.go = False
                self.draft = event.draft
                self.tell("Not started; what you wrote is kept.")

        self.when_free(lambda: self.app.push_screen(Consent(event.review), answered))

    def action_reset_cache(self) -> None:
        """Throw the snapshot away, once the user has said so twice."""
        entry = self.entry
        if entry is None or entry.environment is None:
            self.tell("There is no usable environment.")
            return
        environment = entry.environment
        self.ask(f"Reset the cache of {entry.name}?", "The next task runs setup again. Running tasks are not touched.",
                  "reset", lambda: self.do(lambda: self.bench.cache.reset(environment), ""))  # fmt: skip

    @on(EngineScreen.Done)
    def _done(self, event: EngineScreen.Done) -> None:
        self._look_around()
        if event.fault is not None:
            self.tell_fault(event.fault)
        elif event.text:
            self.tell(event.text)
        if event.sent is not None:
            self._follow_ups.pop(event.sent, None)
        if event.task:
            self.wanted = event.task
            self.focus_pane("log")
        self.read_tasks()
        if not event.task and event.fault is None:
            self.show_environment(self.entry_number)


def _stored(state: TaskState) -> tuple[bool, int]:
    """What changes when a task changed the cache: whether it has ended, and its snapshots."""
    return state.finished, sum(phase.name == "snapshot" and phase.status == "done" for phase in state.phases)
