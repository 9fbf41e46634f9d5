"""A new task: what to do, in which environment, by which agent, on which branch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static, TextArea

from engine.bench.agents import Agents
from engine.bench.environments import EnvironmentEntry
from tui.present.text import content
from tui.screens.draft import Draft
from tui.widgets.choice import Choice


class NewTask(ModalScreen[Draft]):
    """Edits a draft; leaving with escape keeps it for the next time."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "start", "start", priority=True),
        Binding("escape", "leave", "keep the draft", priority=True),
    ]

    def __init__(self, entries: Sequence[EnvironmentEntry], first: int, draft: Draft) -> None:
        super().__init__()
        self._entries, self._first, self._draft = list(entries), first, draft
        self._agents = Agents().names()

    def compose(self) -> ComposeResult:
        """The prompt, then one line for each choice."""
        with Vertical(classes="dialog") as box:
            box.border_title = "New task"
            yield TextArea(self._draft.prompt, id="prompt", tab_behavior="focus")
            with Horizontal(classes="field"):
                yield Static(content("environment"), classes="name")
                yield Choice([entry.name for entry in self._entries], self._first, widget_id="environments")
            with Horizontal(classes="field"):
                yield Static(content("agent"), classes="name")
                yield Choice(list(self._agents), 0, widget_id="agents")
            with Horizontal(classes="field"):
                yield Static(content("branch"), classes="name")
                yield Input(self._draft.branch, placeholder="default branch", compact=True, id="branch")
            with Horizontal(classes="field"):
                yield Static(content("attempts"), classes="name")
                yield Choice(["1", "2", "3", "4"], self._draft.attempts - 1, widget_id="attempts")
            yield Static(content(("^s", "bold"), " start    ", ("tab", "bold"), " next field    ", ("esc", "bold"),
                                 " keep for later"), classes="keys")  # fmt: skip

    def on_mount(self) -> None:
        """Write at once; nothing blinks."""
        area = self.query_one(TextArea)
        area.cursor_blink = False
        area.move_cursor(area.document.end)
        area.focus()
        self.query_one("#branch", Input).cursor_blink = False
        self._use_agent()

    def on_choice_changed(self, event: Choice.Changed) -> None:
        """Another environment brings its own agent."""
        if event.choice.id == "environments":
            self._draft.agent = ""
            self._use_agent()

    def _use_agent(self) -> None:
        environment = self._entries[self.query_one("#environments", Choice).number].environment
        wanted = self._draft.agent or (environment.agent.use if environment else "")
        if wanted in self._agents:
            self.query_one("#agents", Choice).number = self._agents.index(wanted)

    def _read(self) -> Draft:
        draft = self._draft
        draft.prompt = self.query_one(TextArea).text
        draft.branch = self.query_one("#branch", Input).value.strip()
        draft.agent = self._agents[self.query_one("#agents", Choice).number]
        draft.attempts = self.query_one("#attempts", Choice).number + 1
        draft.entry = self._entries[self.query_one("#environments", Choice).number]
        return draft

    def action_start(self) -> None:
        """Start it, unless there is nothing to do."""
        draft = self._read()
        if not draft.prompt.strip():
            self.query_one(".dialog").border_subtitle = "write what to do first"
            self.query_one(TextArea).focus()
            return
        draft.go = True
        self.dismiss(draft)

    def action_leave(self) -> None:
        """Keep what is written."""
        draft = self._read()
        draft.go = False
        self.dismiss(draft)
