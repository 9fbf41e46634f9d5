"""A new task: what to do, in which environment, by which agent, on which branch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Static

from engine.bench.environments import EnvironmentEntry
from engine.errors import EngineError
from tui.present.text import content
from tui.screens.draft import Draft
from tui.screens.finder import Finder, Item
from tui.screens.frames import Dialog
from tui.widgets.choice import Choice
from tui.widgets.prompt_area import PromptArea

if TYPE_CHECKING:
    from engine.bench import Bench

_DEFAULT = "default branch"


class NewTask(Dialog[Draft]):
    """Edits a draft; leaving with escape keeps it for the next time."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "start", "start", priority=True),
        Binding("escape", "leave", "keep the draft", priority=True),
    ]

    class AgentsSeen(Message):
        """What each agent still needs before it can start."""

        def __init__(self, missing: dict[str, str]) -> None:
            super().__init__()
            self.missing = missing

    class BranchesSeen(Message):
        """The branches of a repository, or why they could not be read."""

        def __init__(self, finder: Finder, names: Sequence[str], fault: str = "") -> None:
            super().__init__()
            self.finder, self.names, self.fault = finder, names, fault

    def __init__(
        self, bench: Bench, entries: Sequence[EnvironmentEntry], first: int, draft: Draft, earlier: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self._bench, self._entries, self._first, self._draft = bench, list(entries), first, draft
        self._agents = bench.agents.names()
        self._earlier = earlier
        self._missing: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        """The prompt, then one line for each choice."""
        fields = (
            ("environment", Choice([entry.name for entry in self._entries], self._first, widget_id="environments")),
            ("agent", Choice(self._agents, 0, widget_id="agents")),
            ("branch", Choice([_DEFAULT], 0, widget_id="branches")),
            ("attempts", Choice(["1", "2", "3", "4"], self._draft.attempts - 1, widget_id="attempts")),
        )
        with Vertical(classes="dialog") as box:
            box.border_title = "New task"
            yield PromptArea(self._draft.prompt, self._earlier)
            for name, choice in fields:
                with Horizontal(classes="field"):
                    yield Static(content(name), classes="name")
                    yield choice
            keys = (("tab", "bold"), " fields   ", ("enter", "bold"), " list   ", ("esc", "bold"), " keep")
            yield Static(content(("^s", "bold"), " start   ", *PromptArea.KEYS, *keys), classes="keys")

    def on_mount(self) -> None:
        """As the draft says."""
        if self._draft.branch:
            self._choice("branches").choose(self._draft.branch)
        self._use_agent()
        self._look_at_agents()

    def _choice(self, name: str) -> Choice:
        return self.query_one(f"#{name}", Choice)

    @property
    def _entry(self) -> EnvironmentEntry:
        return self._entries[self._choice("environments").number]

    # Agents

    @work(thread=True, group="agents", exit_on_error=False)
    def _look_at_agents(self) -> None:
        try:
            found = {entry.name: "; ".join(entry.missing) for entry in self._bench.agents.list()}
        except (EngineError, OSError):
            return
        self.post_message(self.AgentsSeen(found))

    @on(AgentsSeen)
    def _agents_seen(self, event: AgentsSeen) -> None:
        self._missing = event.missing
        self._choice("agents").set_notes({name: why and f"cannot start: {why}" for name, why in event.missing.items()})

    @on(Choice.Changed)
    def _changed(self, event: Choice.Changed) -> None:
        """Another environment brings its own agent and its own branches."""
        if event.choice.id == "environments":
            self._draft.agent = ""
            self._use_agent()

    def _use_agent(self) -> None:
        environment = self._entry.environment
        wanted = self._draft.agent or (environment.agent.use if environment else "")
        if wanted in self._agents:
            self._choice("agents").number = self._agents.index(wanted)

    # Lists

    @on(Choice.ListWanted)
    def _list_wanted(self, event: Choice.ListWanted) -> None:
        choice = event.choice

        if choice.id == "branches":

            def written(item: Item | None) -> None:
                if item is not None:
                    choice.choose(item.value)

            finder = Finder("Branch, tag or commit", [Item(value, value) for value in choice.values], typed=event.typed,
                            free=lambda typed: Item(typed, typed, "as it is written"))  # fmt: skip
            self.app.push_screen(finder, written)
            finder.call_after_refresh(self._look_at_branches, finder, self._entry)
            return

        def chosen(item: Item | None) -> None:
            if item is not None:
                choice.go_to(item.value)

        about = self._about(choice)
        items = [Item(value, n, about=about[n]) for n, value in enumerate(choice.values)]
        self.app.push_screen(Finder(str(choice.id).capitalize(), items, typed=event.typed, at=choice.number), chosen)

    def _about(self, choice: Choice) -> list[str]:
        if choice.id == "environments":
            return [str(entry.path) for entry in self._entries]
        return [self._missing.get(value, "") for value in choice.values]

    @work(thread=True, exclusive=True, group="branches", exit_on_error=False)
    def _look_at_branches(self, finder: Finder, entry: EnvironmentEntry) -> None:
        assert entry.environment is not None
        try:
            self.post_message(self.BranchesSeen(finder, self._bench.tasks.branches(entry.environment)))
        except (EngineError, OSError) as error:
            self.post_message(self.BranchesSeen(finder, [], str(error)))

    @on(BranchesSeen)
    def _branches_seen(self, event: BranchesSeen) -> None:
        if event.finder.is_attached:
            event.finder.add((Item(name, name) for name in event.names), event.fault)

    # The end

    def _read(self) -> Draft:
        draft = self._draft
        draft.prompt = self.query_one(PromptArea).text
        branch = self._choice("branches").value
        draft.branch = "" if branch == _DEFAULT else branch
        draft.agent = self._choice("agents").value
        draft.attempts = self._choice("attempts").number + 1
        draft.entry = self._entry
        return draft

    def action_start(self) -> None:
        """Start it, unless there is nothing to do."""
        draft = self._read()
        if not draft.prompt.strip():
            self.query_one(".dialog").border_subtitle = "write what to do first"
            self.query_one(PromptArea).focus()
            return
        draft.go = True
        self.dismiss(draft)

    def action_leave(self) -> None:
        """Keep what is written."""
        draft = self._read()
        draft.go = False
        self.dismiss(draft)
