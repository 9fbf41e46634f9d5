"""Forms for secrets, network, variables, versions; each edits one value of the file (SPEC W2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from engine.bench import Bench
from engine.environment.model import Environment
from engine.environment.rewrite import Change
from engine.errors import EngineError
from tui.present import settings
from tui.present.row import Row, Span, row
from tui.present.settings import Item, Page
from tui.screens.confirm import Confirm
from tui.screens.frames import Dialog
from tui.widgets.bar import Bar, Choices
from tui.widgets.line_view import LineView, RowList


class Settings(Dialog[bool]):
    """The pages of one environment; the result says whether something was changed."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave", priority=True),
        Binding("q", "leave", "leave"),
        Binding("tab,right_square_bracket,l,right", "turn(1)", "next page"),
        Binding("shift+tab,left_square_bracket,h,left", "turn(-1)", "previous page"),
        Binding("a,n", "add", "add"),
        Binding("d,delete", "remove", "remove"),
    ]

    class Read(Message):
        """A page was read."""

        def __init__(self, environment: Environment, page: Page, items: list[Item]) -> None:
            super().__init__()
            self.environment, self.page, self.items = environment, page, items

    class Went(Message):
        """Something was changed, or was not (`bad`); `ask` names a secret whose value is wanted now."""

        def __init__(self, said: str, *, bad: bool = False, ask: str = "") -> None:
            super().__init__()
            self.said, self.bad, self.ask = said, bad, ask

    def __init__(self, bench: Bench, environment: Environment) -> None:
        super().__init__()
        self._bench, self._environment = bench, environment
        self._page: Page = "secrets"
        self._items: list[Item] = []
        self._changed = False
        # What the field at the bottom is for: a new line, the value of a variable, the value of a secret.
        self._asking: tuple[str, str] | None = None

    def compose(self) -> ComposeResult:
        """Pages, lines, what was said, a field, keys."""
        with Vertical(classes="dialog") as box:
            box.border_title = "Settings"
            yield Choices(widget_id="settings-pages")
            yield Bar(widget_id="settings-help")
            yield RowList(widget_id="settings-list")
            yield Input(id="settings-field", compact=True, select_on_focus=False)
            yield Bar(widget_id="settings-said")
            yield Choices(widget_id="settings-keys")

    def on_mount(self) -> None:
        """The first page."""
        field = self.query_one(Input)
        field.display, field.cursor_blink = False, False
        view = self.query_one(RowList)
        view.set_placeholder(row(("   none yet · a adds one", "muted")))
        view.focus()
        self._turn_to(self._page)

    def on_resize(self) -> None:
        """Bars are cut to the new width."""
        self.call_after_refresh(self._paint_bars)

    def _turn_to(self, page: Page) -> None:
        self._page = page
        self._paint_bars()
        self._say("")
        self._read(self._environment, page)

    def _paint_bars(self) -> None:
        pages: list[tuple[str, list[Span]]] = [
            (page, [(f" {settings.TITLES[page]} ", "strong cursor" if page == self._page else "muted")])
            for page in settings.PAGES
        ]
        self.query_one("#settings-pages", Choices).show_parts(pages)
        self.query_one("#settings-help", Bar).show(row((f" {settings.HELP[self._page]}", "muted")))
        keys = [("add", "a", "add"), ("choose", "enter", "change"), ("remove", "d", "remove")]
        keys += [("turn(1)", "tab", "page"), ("leave", "esc", "close")]
        self.query_one("#settings-keys", Choices).show_parts(
            [(i, [(f" {key}", "key"), (f" {label} ", "muted")]) for i, key, label in keys]
        )

    def _say(self, text: str, *, bad: bool = False) -> None:
        line = Row(((" ✗ " if bad else " ✓ ", "bad" if bad else "ok"), (text, ""))) if text else row("")
        self.query_one("#settings-said", Bar).show(line)

    # Reading

    @work(thread=True, exclusive=True, group="settings", exit_on_error=False)
    def _read(self, environment: Environment, page: Page) -> None:
        try:
            secrets = self._bench.secrets.list(environment) if page == "secrets" else []
            entries: Sequence[Any] = self._bench.network.entries(environment) if page == "network" else []
            self.post_message(self.Read(environment, page, settings.items(page, environment, secrets, entries)))
        except EngineError as error:
            self.post_message(self.Went(error.message, bad=True))

    @on(Read)
    def _page_read(self, event: Read) -> None:
        if event.page == self._page:
            self._items = event.items
            self.query_one(RowList).show([item.row for item in event.items])

    # Asking

    def _ask(self, what: str, about: str, *, prompt: str, value: str = "") -> None:
        self._asking = (what, about)
        field = self.query_one(Input)
        field.password = what == "secret"
        field.placeholder, field.value = prompt, value
        field.display = True
        field.cursor_position = len(value)
        field.focus()

    def _stop_asking(self) -> None:
        field = self.query_one(Input)
        # The value of a secret must not stay on the screen's objects longer than it is needed.
        field.value, field.display, self._asking = "", False, None
        self.query_one(RowList).focus()

    @on(Input.Submitted)
    def _answered(self, event: Input.Submitted) -> None:
        event.stop()
        if self._asking is None:
            return
        what, about = self._asking
        text = event.value
        self._stop_asking()
        if what == "secret":
            self._set_secret(about, text)
        else:
            self._add(text if what == "add" else f"{about}={text}")

    def _add(self, text: str) -> None:
        changes = settings.added(self._page, text)
        if not changes:
            self._say(f"write it as {settings.ASKS[self._page]}", bad=True)
        elif self._page == "network":
            self._allow(text.strip(), changes)
        else:
            self._change(changes, ask=text.strip() if self._page == "secrets" else "")

    # Changing, in threads

    def _attempt(self, what: Callable[[], tuple[str, str]]) -> None:
        try:
            said, ask = what()
            self.post_message(self.Went(said, ask=ask))
        except EngineError as error:
            self.post_message(self.Went(f"{error.message}; {error.hint}" if error.hint else error.message, bad=True))

    @work(thread=True, group="change", exit_on_error=False)
    def _change(self, changes: Sequence[Change], *, ask: str = "", said: str = "saved") -> None:
        def change() -> tuple[str, str]:
            edited = self._bench.environments.change(self._environment.path, changes)
            assert edited.environment is not None
            self._environment = edited.environment
            return f"{said} · {edited.effect.text}" if edited.effect else said, ask

        self._attempt(change)

    @work(thread=True, group="change", exit_on_error=False)
    def _allow(self, written: str, changes: Sequence[Change]) -> None:
        def change() -> tuple[str, str]:
            network = replace(self._environment.network, allow=(written,), deny=())
            entry = self._bench.network.entries(replace(self._environment, network=network))[0]
            if entry.refused:
                raise EngineError(f"{entry.written} was refused: {entry.problem}", entry.hint)
            edited = self._bench.environments.change(self._environment.path, changes)
            assert edited.environment is not None
            self._environment = edited.environment
            return f"allowed, stored as {', '.join(entry.stored) or entry.written}", ""

        self._attempt(change)

    @work(thread=True, group="change", exit_on_error=False)
    def _set_secret(self, name: str, value: str) -> None:
        def change() -> tuple[str, str]:
            if not value:
                raise EngineError(f"nothing was typed: {name} stays as it was")
            warnings = self._bench.secrets.set(self._environment, name, value.encode("utf-8", "surrogatepass"))
            return "; ".join([f"{name} is set; the next start runs setup again", *warnings]), ""

        self._attempt(change)

    @work(thread=True, group="change", exit_on_error=False)
    def _forget(self, name: str) -> None:
        def change() -> tuple[str, str]:
            self._bench.secrets.remove(self._environment, name)
            return f"the value of {name} is forgotten", ""

        self._attempt(change)

    @on(Went)
    def _went(self, event: Went) -> None:
        self._changed |= not event.bad
        self._read(self._environment, self._page)
        self._say(event.said, bad=event.bad)
        if event.ask:
            self._ask("secret", event.ask, prompt=f"value of {event.ask} (not shown)")

    # Actions

    @property
    def _item(self) -> Item | None:
        at = self.query_one(RowList).cursor
        return self._items[at] if at < len(self._items) else None

    def action_turn(self, step: int) -> None:
        """Another page."""
        if self._asking is None:
            self._turn_to(settings.PAGES[(settings.PAGES.index(self._page) + step) % len(settings.PAGES)])

    def action_add(self) -> None:
        """Ask for a new line."""
        self._ask("add", "", prompt=settings.ASKS[self._page])

    def action_choose(self) -> None:
        """Change what the cursor is on."""
        item = self._item
        if item is None:
            self.action_add()
        elif self._page == "secrets":
            self._ask("secret", item.name, prompt=f"value of {item.name} (not shown)")
        elif self._page == "network":
            if item.name == "agent" and item.remove is None:
                self._change([settings.next_mode(item.value)])
        else:
            self._ask("value", item.name, prompt=f"value of {item.name}", value=item.value)

    @on(LineView.Opened, "#settings-list")
    def _opened(self) -> None:
        self.action_choose()

    def action_remove(self) -> None:
        """Take the line away: of a secret first its value, once the user has agreed."""
        item = self._item
        if item is None:
            return
        if item.has_secret:

            def answered(yes: bool | None) -> None:
                if yes:
                    self._forget(item.name)

            question = Confirm(
                f"Forget the value of {item.name}?", "It cannot be brought back; tasks with it fail.", "forget"
            )
            self.app.push_screen(question, answered)
        elif item.remove is not None:
            self._change([item.remove], said=f"{item.name} is removed")

    def action_leave(self) -> None:
        """Out of the field, else out of the form."""
        if self._asking is not None:
            self._stop_asking()
        else:
            self.dismiss(self._changed)

    @on(Choices.Chosen)
    async def _chosen(self, event: Choices.Chosen) -> None:
        if event.bar.id == "settings-pages":
            # What is being typed belongs to the page it was begun on.
            if self._asking is None:
                self._turn_to(next(page for page in settings.PAGES if page == event.part))
        else:
            await self.run_action(event.part)
