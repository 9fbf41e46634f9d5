"""The panes of the bench and the bars around them: which pane has the keys, what can be done there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual import on
from textual.binding import BindingType
from textual.reactive import Reactive
from textual.widget import Widget

from engine.bench import Bench
from engine.bench.environments import EnvironmentEntry
from engine.tasks.model import TaskState
from tui.live.feed import Feed
from tui.panes.diff import DiffPane
from tui.panes.log import LogPane
from tui.panes.network import NetworkPane
from tui.panes.pane import Pane
from tui.panes.tasks import TasksPane
from tui.panes.time import TimePane
from tui.present import actions, task, words
from tui.present.row import Span
from tui.screens.layout import SHARED, LayoutScreen
from tui.terminal import TABS
from tui.widgets.bar import Bar, Choices
from tui.widgets.filter import FilterField

PANES = tuple(TABS)


class PanesScreen(LayoutScreen):
    """Panes and bars; `BenchScreen` fills them and does what the user asks for."""

    BINDINGS: ClassVar[list[BindingType]] = actions.bindings("everywhere")

    # As Textual's, but panes repaint themselves when the focus comes and goes: the rest of the screen stays as it is.
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)

    def __init__(self, bench: Bench, first: str = "") -> None:
        super().__init__(bench)
        self.entries: Sequence[EnvironmentEntry] = []
        self.entry_number = 0
        kept = self.preferences.pane
        self.current = first or (kept if kept in PANES else "tasks")
        self.set_class(not first and bool(self.preferences.zoomed), "zoomed")
        # Bytes that the cache takes and may take; None until the engine has said so.
        self.disk: tuple[int, int] | None = None

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
        if not pane.view.focusable:
            # A pane that was hidden can take the keys only when its styles say that it is seen.
            self.app.stylesheet.update(self)
        self.set_focus(pane.view, scroll_visible=False)
        self.refresh_bars()

    def on_descendant_focus(self) -> None:
        """The footer names what the keys do where the focus is now, also when the mouse put it there."""
        focused = self.focused
        pane = next((n for n in focused.ancestors_with_self if isinstance(n, Pane)), None) if focused else None
        if pane is not None and self.current != pane.GROUP:
            self._mark_current(pane)
        self.refresh_bars()

    def _update_focus_styles(self, focused: Widget | None = None, blurred: Widget | None = None) -> None:
        """As Textual's, but of what is in a pane nothing looks different for being in the one with the focus."""
        changed = {
            node
            for widget in (focused, blurred)
            if widget is not None
            for node in (widget, *(node for node in widget.ancestors if isinstance(node, Pane)))
        }
        self.app.stylesheet.update_nodes(changed, animate=True)

    def _mark_current(self, pane: Pane) -> None:
        self.current = pane.GROUP
        if self.current in SHARED:
            self.share(self.current)
        for other in self.query(Pane):
            other.set_class(other is pane, "current", update=False)
        for side in ("#left", "#right"):
            column = self.query_one(side)
            column.set_class(pane.parent is column, "current", update=False)
        if self.single:
            # Only then does it make a difference; where all panes are seen, the styles of none need to be found again.
            self.update_node_styles()

    def on_resize(self) -> None:
        """Bars are cut to the new width, and `LayoutScreen` lays out."""
        self.call_after_refresh(self.refresh_bars)
        self.call_after_refresh(self.tick_panes)

    def on_unmount(self) -> None:
        """The next bench begins where this one was left."""
        self.keep_place(self.current)

    def show_feed(self, feed: Feed | None) -> None:
        """Show a task in all panes but that of its diff; None is for no task."""
        self.log_pane.show(feed)
        self.query_one(NetworkPane).show(feed)
        self.query_one(TimePane).show(feed)
        self.fit_time()

    def tick_panes(self) -> None:
        """Carry what the panes show of the open task on to now."""
        self.log_pane.tick()
        self.query_one(NetworkPane).tick()
        self.query_one(TimePane).tick()
        self.fit_time()
        self.refresh_state()

    def refresh_state(self) -> None:
        """The open task in one line, where only one pane is seen."""
        feed = self.log_pane.feed
        shown = task.state_row(feed.state if feed else None, feed.attempt if feed else 1, words.now())
        self.query_one("#state", Bar).show(shown)

    def refresh_bars(self) -> None:
        """Head, tabs and keys; painted only where they read differently."""
        entry = self.entry
        state = self.state
        place = ""
        if state is not None and state.branch:
            place = f"{state.branch[:40]}@{state.base_sha[:7]}" if state.base_sha else state.branch[:40]
        states = self.board.newest_first()
        head = task.head_row(entry.name if entry else "", place, states, self.disk)
        self.query_one("#head", Bar).show(head)
        self._refresh_tabs(entry.name if entry else "fumehood", states)
        self._refresh_keys()
        self.refresh_state()

    def _refresh_keys(self) -> None:
        """What the keys do here; while something is typed they type."""
        pane = self.query_one(f"#{self.current}", Pane)
        found = ""
        if isinstance(self.focused, FilterField):
            keys = [(f"pane_{pane.NUMBER}", "enter", "done"), ("back", actions.key_of("back"), "leave")]
            found = self.focused.found
        else:
            offered = [*actions.of(pane.keys), *actions.of("everywhere")]
            keys = [(one.id, one.key, one.label) for one in offered if one.hint and not self.why_not(one.id)]
        parts = [(name, [(f" {key}", "key"), (f" {label} ", "muted")]) for name, key, label in keys]
        right = ((f"{found} ", "muted"),) if found and self.has_class("-narrow") else ()
        self.query_one("#keys", Choices).show_parts(parts, right=right)

    def _refresh_tabs(self, name: str, states: list[TaskState]) -> None:
        """The tabs, which in a narrow window are the head, too; panes that share a place name each other."""
        tabs = [(f"pane_{n}", self._tab(n, pane)) for n, pane in enumerate(PANES, 1)]
        narrow = self.has_class("-narrow")
        if narrow:
            room = self.size.width - 62
            tabs.insert(0, ("pane_2", [(f" {name[: max(0, room)]} ", "accent strong")]))
        self.query_one("#tabs", Choices).show_parts(tabs, right=task.counts(states, short=True) if narrow else ())
        for pane in PANES:
            if pane in SHARED:
                beside = tuple((f"pane_{n}", f"{n} {self._tab_name(other)}") for n, other in enumerate(PANES, 1)
                               if other in SHARED and other != pane)  # fmt: skip
                self.query_one(f"#{pane}", Pane).set_beside(beside if self.sharing else ())

    def _tab_name(self, pane: str) -> str:
        """The name of a pane that is not seen, with what should be known of it."""
        feed = self.log_pane.feed
        denied = feed.traffic.count("denied") if feed and pane == "network" else 0
        return f"{TABS[pane]} ✗{denied:,}" if denied else TABS[pane]

    def _tab(self, number: int, name: str) -> list[Span]:
        here = name == self.current
        return [(f" {number}", "key" if here else "muted"), (f" {TABS[name]}", "strong cursor" if here else "muted")]

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
            name = actions.PANE_OF.get(action.group, action.group)
            self.focus_pane(name)
            target = self if action.by_screen else self.query_one(f"#{name}", Pane).view_of(action.group)
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

    @property
    def meant(self) -> TaskState | None:
        """The task that an action is about: in the list the one at the cursor, elsewhere the one that is open."""
        return self.board.states.get(self.tasks_pane.selected) if self.current == "tasks" else self.state

    @property
    def can_undo(self) -> bool:
        """Whether there is something to take back."""
        return False

    def why_not(self, action_id: str) -> str:
        """Why an action does nothing here; empty when it works."""
        state, meant, entry = self.state, self.meant, self.entry
        usable = entry is not None and entry.environment is not None
        match action_id:
            case "cancel_task" if meant is None or meant.finished:
                return "this task does not run" if meant else "there is no task"
            case "open_task" | "filter_tasks" | "remove_task" | "retry_task" | "jump" if not self.board.states:
                return "there is no task"
            case "remove_task" if meant is not None and not meant.finished:
                return "this task still works"
            case "collect_task" if meant is None or not meant.left_in:
                return "this task has left nothing that is not in its diff" if meant else "there is no task"
            case "attempts" if meant is None or len(meant.attempts) < 2:
                return "the task has one attempt" if meant else "there is no task"
            case "undo" if not self.can_undo:
                return "nothing was removed"
            case "apply" if state is None or state.status != "ready":
                return "the open task has no result to apply"
            case "publish" if not self._has_result:
                return "there is no result to publish yet"
            case "new_task" | "reset_cache" | "refresh_cache" | "explain_cache" | "rebuild_cache" if not usable:
                return "there is no usable environment"
            case "edit_environment" | "edit_outside" if entry is None:
                return "there is no environment file"
            case "settings" if not usable:
                return "there is no usable environment"
            case "init_environment" if entry is not None:
                return "there is an environment file"
            case "next_environment" | "previous_environment" if len(self.entries) < 2:
                return "there is only one environment"
            case "next_attempt" if state is None or len(state.attempts) < 2:
                return "the task has one attempt"
            case "allow_task" if state is None or state.finished:
                return "no running task is open"
            case "allow_task" | "allow_environment" if not self._refused:
                return "no host that wants a rule is chosen"
            case "divider_left" | "divider_right" | "divider_up" | "divider_down" if self.single:
                return "there is only one pane on the screen"
            case _ if actions.group_of(action_id) == "log" and state is None:
                return "no task is open"
            case "fold" | "fold_all" if self.log_pane.log_view.shown.scope.raw:
                return "raw output is shown whole"
            case "log_next" | "log_previous" if self.log_pane.log_view.shown.needle is None:
                return "nothing is looked for"
            case _ if actions.group_of(action_id) in ("diff", "files") and not self._has_diff:
                return "there is no diff"
            case _:
                return ""

    @property
    def _has_diff(self) -> bool:
        return self.query_one(DiffPane).diff_view.row_count() > 0

    @property
    def _refused(self) -> bool:
        host = self.query_one(NetworkPane).host
        return host is not None and host.wants_a_rule

    @property
    def _has_result(self) -> bool:
        feed = self.log_pane.feed
        if feed is None or not feed.state.finished or feed.attempt > len(feed.state.attempts):
            return False
        return bool(feed.state.attempts[feed.attempt - 1].diff.files_changed)

    # Going from pane to pane

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

    def action_pane_6(self) -> None:
        """Go to the requests."""
        self.focus_pane("network")

    def action_pane_7(self) -> None:
        """Go to the times."""
        self.focus_pane("time")

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
        self.lay_out()
        self.call_after_refresh(self.focus_pane, self.current)
        self.call_after_refresh(self.tick_panes)

    def action_divider_left(self) -> None:
        """Move the line beside this pane to the left."""
        self.move_divider(self._near(self.current), -1)

    def action_divider_right(self) -> None:
        """Move the line beside this pane to the right."""
        self.move_divider(self._near(self.current), 1)

    def action_divider_up(self) -> None:
        """Move the line between upper and lower panes up."""
        self.move_divider("lower", -1)

    def action_divider_down(self) -> None:
        """Move the line between upper and lower panes down."""
        self.move_divider("lower", 1)

    def action_usual_sizes(self) -> None:
        """Give all panes their usual sizes."""
        self.forget_sizes()

    def action_back(self) -> None:
        """Out of what is innermost: filter, zoom, pane."""
        if self.query_one(f"#{self.current}", Pane).back() or self.log_pane.back():
            return
        if self.has_class("zoomed"):
            self._zoom(False)
        else:
            self.focus_pane("tasks")
