"""What the user does with tasks: find, start, repeat, stop, compare, remove and bring back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

from textual import on, work
from textual.message import Message

from engine.bench import Bench
from engine.errors import EngineError
from engine.tasks.model import TaskState
from tui.panes.tasks import TasksPane
from tui.present import actions, notice, task, words
from tui.screens.draft import Draft
from tui.screens.finder import Finder, Item
from tui.screens.handover import HandOverScreen

if TYPE_CHECKING:
    from tui.app import Workbench


class TasksScreen(HandOverScreen):
    """The actions of the list of tasks, and the ways to find things: the palette, tasks, environments, themes."""

    class Removed(Message):
        """A task was removed, or brought back."""

        def __init__(self, state: TaskState, *, back: bool) -> None:
            super().__init__()
            self.state, self.back = state, back

    def __init__(self, bench: Bench, first: str, *, watch: bool) -> None:
        super().__init__(bench, first, watch=watch)
        # The task to open as soon as it is there: the beginning of its id, which "" is of any; None when it is open.
        self.wanted: str | None = None

    def tell_ending(self, state: TaskState) -> None:
        """A task has ended: told on the screen when another is open, and to a user who does not look."""
        text = notice.ending(state)
        if self.state is None or self.state.id != state.id:
            self.tell(text)
        cast("Workbench", self.app).call_user(text)

    # The list

    def action_filter_tasks(self) -> None:
        """Filter the list of tasks."""
        self.query_one(TasksPane).open_filter()

    def action_new_task(self) -> None:
        """Write a prompt and start a task; before environments have been read, as soon as that is done."""
        if self.environments_read:
            self.write_task(self.draft)
        else:
            self.prompt_next = True

    def action_retry_task(self) -> None:
        """Start a new task that asks for the same."""
        state = self.meant
        entry = next((e for e in self.entries if state and str(e.path) == state.environment_path), None)
        if state is None or entry is None or entry.environment is None:
            self.tell(self.why_not("retry_task") or "The environment of this task is not within reach.")
            return
        attempts = len(state.attempts) or 1
        self.tell(f"Starting again: {task.title(state)[:60]}")
        self.start_task(Draft(state.prompt, state.asked_branch, state.agent, attempts, entry, go=True))

    def action_cancel_task(self) -> None:
        """Stop a task, once the user has said so twice."""
        state = self.meant
        if state is None or state.finished:
            self.tell("This task does not run.")
            return
        question = f"Stop “{task.title(state)[:60]}”?"
        self.ask(question, "Its container ends; what it did so far is kept.", "stop it",
                 lambda: self.do(lambda: self.bench.tasks.cancel(state.id), "Stopping …"))  # fmt: skip

    def action_collect_task(self) -> None:
        """Make a diff of what an agent did that did not get to its end."""
        state = self.meant
        if state is None or not state.left_in:
            self.tell(self.why_not("collect_task"))
            return
        self.do(lambda: self.bench.tasks.collect(state.id, attempt=state.left_in), "Bringing out what the agent did …")

    def action_remove_task(self) -> None:
        """Remove a task; nothing is asked, as it can be brought back."""
        state = self.meant
        if state is None or not state.finished:
            self.tell(self.why_not("remove_task") or "There is no task to remove.")
        else:
            self._remove(state)

    @work(thread=True, group="do", exit_on_error=False)
    def _remove(self, state: TaskState, *, back: bool = False) -> None:
        try:
            if back:
                self.bench.tasks.bring_back(state.id)
            else:
                self.bench.tasks.remove(state.id)
        except EngineError as error:
            self.post_message(self.Done(fault=error))
        else:
            self.post_message(self.Removed(state, back=back))

    @on(Removed)
    def _removed(self, event: Removed) -> None:
        state = event.state
        name = task.title(state)[:40]
        if event.back:
            self.tell(f"“{name}” is back.")
            self.wanted = state.id
        else:
            self.undoable(lambda: self._remove(state, back=True))
            self.tell(f"Removed “{name}”", f"{actions.key_of('undo')} brings it back, for an hour")
            if self.state is not None and self.state.id == state.id:
                self.show_feed(None)
                self.diff_pane.show(None, None)
                # Whatever is at the cursor then is opened.
                self.wanted = ""
        self.read_tasks(check=True)

    def action_attempts(self) -> None:
        """Compare the attempts of a task."""
        from tui.screens.attempts import Attempts

        state = self.meant
        if state is None or len(state.attempts) < 2:
            self.tell(self.why_not("attempts") or "This task has one attempt.")
            return

        def chosen(answer: tuple[str, int] | None) -> None:
            if answer is None:
                return
            what, attempt = answer
            if what == "pick":
                self.do(lambda: self.bench.tasks.pick(state.id, attempt), f"Attempt {attempt} is meant from now on.")
            self.open_task(state.id, attempt)
            if what == "open":
                self.focus_pane("diff")

        shown = self.log_pane.feed.attempt if self.state and self.state.id == state.id and self.log_pane.feed else 0
        self.app.push_screen(Attempts(state, shown or state.chosen), chosen)

    # Finding

    def action_palette(self) -> None:
        """Find anything by its name."""
        items = [*self._actions(), *self._places(), *self._themes()]
        self._find("Palette", items, "an action, a task, an environment, a theme")

    def action_jump(self) -> None:
        """Find a task or an environment."""
        self._find("Go to", list(self._places()), "a task or an environment")

    def action_themes(self) -> None:
        """Choose the colours, which are seen while one moves over them."""
        self._find("Theme", list(self._themes()), "a theme", at=self.app.theme)

    def _find(self, title: str, items: list[Item], placeholder: str, *, at: str | None = None) -> None:
        app = cast("Workbench", self.app)
        before = app.theme

        def moved(item: Item | None) -> None:
            app.theme = item.value if item is not None and item.kind == "theme" else before

        def chosen(item: Item | None) -> None:
            if item is None:
                return
            if item.kind == "theme":
                self.tell(item.text, f'theme = "{item.value}" in config.toml keeps it')
            else:
                item.value()

        self.app.push_screen(Finder(title, items, at=at, moved=moved, placeholder=placeholder), chosen)

    def _actions(self) -> Iterator[Item]:
        here = self.current
        for action in sorted(actions.ACTIONS, key=lambda action: action.group != here):
            if action.group == "list" or action.id == "palette" or self.why_not(action.id):
                continue
            about = f"{actions.GROUPS[action.group]} · {action.key}"
            yield Item(action.tooltip, self._performing(action.id), about, "")

    def _performing(self, action_id: str) -> Callable[[], None]:
        return lambda: self.perform(action_id)

    def _places(self) -> Iterator[Item]:
        now = words.now()
        for state in self.board.newest_first():
            glyph = words.state(state.status)[0]
            about = f"{state.environment} · {words.ago(now - state.created_at)} · {state.id}"
            yield Item(f"{glyph} {task.title(state)}", self._going(state.id), "task", about)
        for number, entry in enumerate(self.entries):
            yield Item(entry.name, self._showing(number), "environment", str(entry.path))

    def _going(self, task_id: str) -> Callable[[], None]:
        def go() -> None:
            state = self.board.states.get(task_id)
            if state is None:
                self.tell("This task was removed meanwhile.")
                return
            self.tasks_pane.select(task_id)
            self.open_task(task_id, state.chosen)
            self.focus_pane("log")

        return go

    def _showing(self, number: int) -> Callable[[], None]:
        def show() -> None:
            self.show_environment(number)
            self.focus_pane("environment")

        return show

    def _themes(self) -> Iterator[Item]:
        for found in cast("Workbench", self.app).themes:
            yield Item(f"Theme: {found.title}", found.name, "theme")
