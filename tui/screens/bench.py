"""The bench: tasks, environment and cache at the left, log and diff at the right; or one of them at a time."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical

from engine.bench import Bench, EnvironmentEntry
from engine.errors import EngineError
from engine.tasks.model import TaskState
from tui.panes.cache import CachePane
from tui.panes.diff import DiffPane
from tui.panes.environment import EnvironmentPane
from tui.panes.log import LogPane
from tui.panes.pane import Pane
from tui.panes.tasks import TasksPane
from tui.present import actions, pacing, task, words
from tui.present.row import Span
from tui.screens.confirm import Confirm
from tui.screens.engine import EngineScreen
from tui.screens.help import Help
from tui.screens.new_task import Draft, NewTask
from tui.widgets.bar import Bar, Choices
from tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from tui.app import Workbench

PANES = ("tasks", "environment", "cache", "log", "diff")
_TABS = {"tasks": "Tasks", "environment": "Env", "cache": "Cache", "log": "Log", "diff": "Diff"}


class BenchScreen(EngineScreen):
    """Everything of one bench; what it shows of tasks is read from their journals alone."""

    CSS_PATH = "bench.tcss"
    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]] | None] = [(0, "-narrow"), (120, "-wide"), (180, "-huge")]
    BINDINGS: ClassVar[list[BindingType]] = actions.bindings("everywhere")

    def __init__(self, bench: Bench, task_id: str | None = None) -> None:
        super().__init__(bench)
        self.entries: list[EnvironmentEntry] = []
        self.entry_number = 0
        self.wanted = task_id or ""
        self.current = "log" if task_id else "tasks"
        self._pace = pacing.Pace()
        self._patch_of: tuple[str, int, float] | None = None

    def compose(self) -> ComposeResult:
        """Head, tabs, panes, keys."""
        yield Bar(widget_id="head")
        yield Choices(widget_id="tabs")
        with Horizontal(id="panes"):
            with Vertical(id="left"):
                yield TasksPane()
                yield EnvironmentPane()
                yield CachePane()
            with Vertical(id="right"):
                yield LogPane()
                yield DiffPane()
        yield Choices(widget_id="keys")

    def on_mount(self) -> None:
        """Read what there is, in threads; the screen is there at once."""
        self.focus_pane(self.current)
        self.query_one(DiffPane).show(None, None)
        self.refresh_bars()
        self.read_tasks(check=True)
        self.read_environments()
        self.set_interval(pacing.FAST, self.tick)

    # Panes

    @property
    def tasks_pane(self) -> TasksPane:
        """Pane 1."""
        return self.query_one(TasksPane)

    @property
    def log_pane(self) -> LogPane:
        """Pane 4."""
        return self.query_one(LogPane)

    def focus_pane(self, name: str) -> None:
        """Go to a pane; where only one is shown at a time, show it."""
        pane = self.query_one(f"#{name}", Pane)
        self._mark_current(pane)
        pane.view.focus()
        self.refresh_bars()

    def on_descendant_focus(self) -> None:
        """The footer names what the keys do where the focus is now, also when the mouse put it there."""
        focused = self.focused
        pane = next((n for n in focused.ancestors_with_self if isinstance(n, Pane)), None) if focused else None
        if pane is not None and self.current != pane.GROUP:
            self._mark_current(pane)
        self.refresh_bars()

    def _mark_current(self, pane: Pane) -> None:
        self.current = pane.GROUP
        for other in self.query(Pane):
            other.set_class(other is pane, "current")
        for side in ("#left", "#right"):
            column = self.query_one(side)
            column.set_class(pane.parent is column, "current")

    def on_resize(self) -> None:
        """Bars are cut to the new width."""
        self.call_after_refresh(self.refresh_bars)
        self.call_after_refresh(self.log_pane.tick)

    def refresh_bars(self) -> None:
        """Head, tabs and keys; painted only where they read differently."""
        entry = self.entry
        state = self.state
        place = ""
        if state is not None and state.branch:
            place = f"{state.branch[:40]}@{state.base_sha[:7]}" if state.base_sha else state.branch[:40]
        states = self.board.newest_first()
        head = task.head_row(entry.name if entry else "", place, states)
        self.query_one("#head", Bar).show(head)
        tabs = [(f"pane_{n}", self._tab(n, name)) for n, name in enumerate(PANES, 1)]
        self.query_one("#tabs", Choices).show_parts(tabs)
        keys: list[tuple[str, list[Span]]] = []
        for action in [*actions.of(self.current), *actions.of("everywhere")]:
            if action.hint and not self.why_not(action.id):
                keys.append((action.id, [(f" {action.key}", "key"), (f" {action.label} ", "muted")]))
        self.query_one("#keys", Choices).show_parts(keys)

    def _tab(self, number: int, name: str) -> list[Span]:
        here = name == self.current
        return [(f" {number}", "key" if here else "muted"), (f" {_TABS[name]} ", "strong cursor" if here else "muted")]

    @on(Choices.Chosen)
    def _chosen(self, event: Choices.Chosen) -> None:
        self.perform(event.part)

    def perform(self, action_id: str) -> None:
        """Do an action of the registry, where it belongs."""
        action = next(action for action in actions.ACTIONS if action.id == action_id)
        target: Any = self
        if action.group == "list":
            target = self.query_one(f"#{self.current}", Pane).view
        elif action.group != "everywhere":
            self.focus_pane(action.group)
            target = self if action.by_screen else self.query_one(f"#{action.group}", Pane).view
        getattr(target, f"action_{action_id}")()

    # What can be done now

    @property
    def entry(self) -> EnvironmentEntry | None:
        """The environment that is shown."""
        return self.entries[self.entry_number] if self.entry_number < len(self.entries) else None

    @property
    def state(self) -> TaskState | None:
        """The task that is shown."""
        feed = self.log_pane.feed
        return feed.state if feed else None

    def why_not(self, action_id: str) -> str:
        """Why an action does nothing here; empty when it works."""
        state, entry = self.state, self.entry
        usable = entry is not None and entry.environment is not None
        match action_id:
            case "cancel_task" if state is None or state.finished:
                return "no running task is open"
            case "apply" if state is None or state.status != "ready":
                return "the open task has no result to apply"
            case "new_task" | "reset_cache" | "refresh_cache" if not usable:
                return "there is no usable environment"
            case "edit_environment" if entry is None:
                return "there is no environment file"
            case "next_environment" | "previous_environment" if len(self.entries) < 2:
                return "there is only one environment"
            case "open_task" if not self.board.states:
                return "there is no task"
            case "next_attempt" if state is None or len(state.attempts) < 2:
                return "the task has one attempt"
            case "toggle" | "filter" | "next_failure" | "previous_failure" | "toggle_all" if state is None:
                return "no task is open"
            case "next_hunk" | "previous_hunk" | "next_file" | "previous_file" | "toggle_files" if not self._has_diff:
                return "there is no diff"
            case _:
                return ""

    @property
    def _has_diff(self) -> bool:
        return self.query_one(DiffPane).diff_view.row_count() > 0

    @on(EngineScreen.TasksRead)
    def _tasks_read(self) -> None:
        states = self.board.newest_first()
        self.tasks_pane.show(states)
        if self.wanted or (self.log_pane.feed is None and states):
            wanted = next((s.id for s in states if self.wanted and s.id.startswith(self.wanted)), "")
            opened = wanted or (states[0].id if states and not self.wanted else "")
            if opened:
                self.wanted = ""
                self.tasks_pane.select(opened)
                self.open_task(opened)
        self.refresh_bars()

    @on(EngineScreen.Loaded)
    def _loaded(self, event: EngineScreen.Loaded) -> None:
        self.log_pane.show(event.feed)
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
        path = self.bench.patch(feed.state.id, feed.attempt)
        try:
            stamp = path.stat().st_mtime
        except OSError:
            stamp = 0.0
        key = (feed.state.id, feed.attempt, stamp)
        if key != self._patch_of:
            self._patch_of = key
            if stamp:
                self.read_patch(feed.state.id, feed.attempt)
                return
        if not stamp:
            self.query_one(DiffPane).show(None, feed.state)

    @on(EngineScreen.Patched)
    def _patched(self, event: EngineScreen.Patched) -> None:
        feed = self.log_pane.feed
        if feed is not None and (feed.state.id, feed.attempt) == (event.task, event.attempt):
            self.query_one(DiffPane).show(event.found, feed.state, event.fault)
            self.refresh_bars()

    @on(EngineScreen.EnvironmentsRead)
    def _environments_read(self, event: EngineScreen.EnvironmentsRead) -> None:
        if event.fault:
            self.tell_fault(event.fault)
        path = self.entry.path if self.entry else None
        self.entries = event.entries
        number = next((n for n, entry in enumerate(self.entries) if entry.path == path), 0)
        self.show_environment(number)

    def show_environment(self, number: int) -> None:
        """Show an environment and look at its cache."""
        self.entry_number = number % len(self.entries) if self.entries else 0
        entry = self.entry
        self.query_one(EnvironmentPane).show(entry, self.entry_number, len(self.entries))
        cache = self.query_one(CachePane)
        if entry is not None and entry.environment is not None:
            cache.looking()
            self.look_at_cache(entry)
        else:
            cache.show(None)
        self.refresh_bars()

    @on(EngineScreen.CacheSeen)
    def _cache_seen(self, event: EngineScreen.CacheSeen) -> None:
        if event.entry is self.entry:
            self.query_one(CachePane).show(event.found)

    # Time

    def tick(self) -> None:
        """Look at what is open; how often depends on what happens (see `pacing`)."""
        feed = self.log_pane.feed
        live = feed is not None and not feed.state.finished
        if self._pace.due("feed", pacing.FAST if live else pacing.IDLE) and feed is not None:
            was = feed.state.finished
            if feed.poll():
                self.log_pane.log_view.take()
                self.log_pane.tick()
                self._show_patch()
                self.refresh_bars()
            elif live and self._pace.due("clock", 1.0):
                self.log_pane.tick()
            if feed.state.finished and not was and self.entry and self.entry.environment:
                self.look_at_cache(self.entry)
        if self._pace.due("tasks", pacing.IDLE):
            self.read_tasks(check=self._pace.due("check", pacing.CHECK))
            self._tick_tasks()
        if self._pace.due("cache", pacing.CHECK):
            self.query_one(CachePane).tick()

    def _tick_tasks(self) -> None:
        states = self.board.newest_first()
        if any(state.status == "in_progress" for state in states):
            self.tasks_pane.show(states)

    # Choosing tasks

    @on(LineView.Moved, "#task-list")
    def _task_moved(self) -> None:
        # A settled cursor opens its task; passing over many opens none of them.
        self.set_timer(0.12, self._open_selected, name="open")

    def _open_selected(self) -> None:
        selected = self.tasks_pane.selected
        if selected and (self.state is None or self.state.id != selected) and self.current == "tasks":
            self.open_task(selected)

    @on(LineView.Opened, "#task-list")
    def _task_opened(self) -> None:
        selected = self.tasks_pane.selected
        if selected:
            if self.state is None or self.state.id != selected:
                self.open_task(selected)
            self.focus_pane("log")

    # Actions

    def action_pane_1(self) -> None:
        """Go to the tasks."""
        self.focus_pane("tasks")

    def action_pane_2(self) -> None:
        """Go to the environment."""
        self.focus_pane("environment")

    def action_pane_3(self) -> None:
        """Go to the cache."""
        self.focus_pane("cache")

    def action_pane_4(self) -> None:
        """Go to the log."""
        self.focus_pane("log")

    def action_pane_5(self) -> None:
        """Go to the diff."""
        self.focus_pane("diff")

    def action_next_pane(self) -> None:
        """Go to the next pane."""
        self.focus_pane(PANES[(PANES.index(self.current) + 1) % len(PANES)])

    def action_previous_pane(self) -> None:
        """Go to the pane before."""
        self.focus_pane(PANES[PANES.index(self.current) - 1])

    def action_zoom(self) -> None:
        """Give the pane the whole screen, or take it back."""
        self._zoom(not self.has_class("zoomed"))

    def action_unzoom(self) -> None:
        """Show all panes."""
        self._zoom(False)

    def _zoom(self, zoomed: bool) -> None:
        self.set_class(zoomed, "zoomed")
        self.call_after_refresh(self.focus_pane, self.current)
        self.call_after_refresh(self.log_pane.tick)

    def action_back(self) -> None:
        """Out of what is innermost: filter, zoom, pane."""
        if self.log_pane.close_filter():
            return
        if self.has_class("zoomed"):
            self._zoom(False)
        else:
            self.focus_pane("tasks")

    def action_filter(self) -> None:
        """Filter the log."""
        self.focus_pane("log")
        self.log_pane.open_filter()

    def action_toggle_files(self) -> None:
        """Show or hide the list of files."""
        self.query_one(DiffPane).toggle_files()

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

    def action_edit_environment(self) -> None:
        """Open the environment file in the user's editor, then read it again."""
        if self.entry is None:
            return
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or shutil.which("nano") or "vi"
        try:
            with self.app.suspend():
                subprocess.run([*shlex.split(editor), str(self.entry.path)], check=False)
        except (OSError, ValueError) as error:
            self.tell_fault(EngineError(f"the editor {editor!r} does not start: {error}", "set EDITOR to one that does"))
        self.read_environments()

    def action_help(self) -> None:
        """Show every key."""
        self.app.push_screen(Help(self.current, self.why_not))

    def action_palette(self) -> None:
        """Find an action by its name."""
        self.app.action_command_palette()

    def action_next_theme(self) -> None:
        """Use the next theme."""
        cast("Workbench", self.app).next_theme()

    def action_quit_bench(self) -> None:
        """Leave; tasks go on."""
        self.app.exit(0)

    def action_new_task(self) -> None:
        """Write a prompt and start a task."""
        usable = [entry for entry in self.entries if entry.environment is not None]
        if not usable:
            self.tell_fault(EngineError(self.why_not("new_task"), "make one: fumehood env init"))
            return
        first = usable.index(self.entry) if self.entry in usable else 0
        self.app.push_screen(NewTask(usable, first, self.draft), self._start)

    def _start(self, draft: Draft | None) -> None:
        if draft is not None and draft.go and draft.entry is not None:
            self.draft = Draft()
            self.start_task(draft)

    def action_cancel_task(self) -> None:
        """Stop the open task, once the user has said so twice."""
        state = self.state
        if state is None or state.finished:
            self.tell("No running task is open.")
            return
        question = f"Stop “{task.title(state)[:60]}”?"
        self._ask(question, "Its container ends; what it did so far is kept in the log.", "stop it",
                  lambda: self.do(lambda: self.bench.cancel(state.id), "Stopping …"))  # fmt: skip

    def action_reset_cache(self) -> None:
        """Throw the snapshot away, once the user has said so twice."""
        entry = self.entry
        if entry is None or entry.environment is None:
            self.tell("There is no usable environment.")
            return
        environment = entry.environment
        self._ask(f"Reset the cache of {entry.name}?", "The next task runs setup again. Running tasks are not touched.",
                  "reset", lambda: self.do(lambda: self.bench.cache_reset(environment), ""))  # fmt: skip

    def action_apply(self) -> None:
        """Apply the diff to the checkout, once the user has said so twice."""
        state, feed = self.state, self.log_pane.feed
        if state is None or feed is None or state.status != "ready":
            self.tell("The open task has no result to apply.")
            return
        attempt = feed.attempt
        size = state.attempt(attempt).diff
        what = f"{words.count(size.files_changed, 'file')} +{size.lines_added} −{size.lines_removed}"
        self._ask(f"Apply {what} to your checkout?", f"Into {state.repository}; nothing is committed.", "apply",
                  lambda: self.do(lambda: self.bench.apply(state.id, attempt), ""))  # fmt: skip

    def _ask(self, question: str, consequence: str, verb: str, then: Any) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                then()

        self.app.push_screen(Confirm(question, consequence, verb), answered)

    @on(EngineScreen.Done)
    def _done(self, event: EngineScreen.Done) -> None:
        if event.fault is not None:
            self.tell_fault(event.fault)
        elif event.text:
            self.tell(event.text)
        if event.task:
            self.wanted = event.task
            self.focus_pane("log")
        self.read_tasks()
        if not event.task and event.fault is None:
            self.show_environment(self.entry_number)

    def tell(self, text: str) -> None:
        """A short notice that goes by itself."""
        cast("Workbench", self.app).tell(text)

    def tell_fault(self, error: EngineError) -> None:
        """What failed, and what to do."""
        cast("Workbench", self.app).tell(error.message, hint=error.hint, bad=True)
