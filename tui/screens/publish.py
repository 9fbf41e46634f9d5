"""Publishing a result: a branch or a pull request, where to, and in which words."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct
from msgspec.structs import replace
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static, TextArea

from engine.publish.wish import Publication
from tui.present.text import clean, content
from tui.screens.frames import Dialog
from tui.widgets.choice import Choice

_KINDS = ("pull request", "branch only")


class Wanted(Struct, frozen=True):
    """What the user wants: `publication` has what differs from the plan; `go` is False for what is kept for later."""

    publication: Publication
    request: bool
    go: bool


class Publish(Dialog[Wanted | None]):
    """Edits a plan; leaving with escape keeps what was written for the next time.

    Args:
        plan: with every default filled in.
        kept: what was written before.
    """

    CSS_PATH = "dialog.tcss"
    VERTICAL_BREAKPOINTS = [(0, "-low"), (36, "-tall")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "publish", "publish", priority=True),
        Binding("escape", "leave", "keep for later", priority=True),
    ]

    def __init__(self, plan: Publication, kept: Wanted | None) -> None:
        super().__init__()
        # What is invisible in an answer is shown in the fields too.
        self._plan = replace(plan, title=clean(plan.title), body=clean(plan.body or ""), remote=clean(plan.remote))
        self._request = kept.request if kept else not plan.remote.startswith("/")
        was = kept.publication if kept else Publication()
        self._first = replace(
            self._plan,
            remote=was.remote or self._plan.remote,
            branch=was.branch or self._plan.branch,
            base=was.base,
            draft=was.draft,
            title=was.title or self._plan.title,
            body=self._plan.body if was.body is None else was.body,
        )

    def compose(self) -> ComposeResult:
        """One line for each choice, then the text."""
        first = self._first
        with Vertical(classes="dialog") as box:
            box.border_title = "Publish"
            with Horizontal(classes="field"):
                yield Static(content("as"), classes="name")
                yield Choice(list(_KINDS), 0 if self._request else 1, widget_id="kind")
            yield from _field("to", "remote", first.remote)
            yield from _field("branch", "branch", first.branch)
            yield from _field("into", "base", first.base, "the task's branch, else the default one")
            with Horizontal(classes="field"):
                yield Static(content("draft"), classes="name")
                yield Choice(["no", "yes"], int(first.draft), widget_id="draft")
            yield from _field("title", "title", first.title)
            yield TextArea(first.body or "", tab_behavior="focus")
            yield Static(content(("^s", "bold"), " publish    ", ("tab", "bold"), " next field    ", ("esc", "bold"),
                                 " keep for later"), classes="keys")  # fmt: skip

    def on_mount(self) -> None:
        """Begin with the title, which is what is changed most; nothing blinks."""
        for field in self.query(Input):
            field.cursor_blink = False
        area = self.query_one(TextArea)
        area.cursor_blink = False
        title = self.query_one("#title", Input)
        title.cursor_position = len(title.value)
        title.focus()
        self._fit()

    def on_choice_changed(self) -> None:
        """A branch alone goes into nothing."""
        self._fit()

    def _fit(self) -> None:
        request = self.query_one("#kind", Choice).number == 0
        for name in ("base", "draft"):
            field = self.query_one(f"#{name}")
            field.disabled = not request
            assert field.parent is not None
            field.parent.set_class(not request, "off")

    def _read(self, *, go: bool) -> Wanted:
        def given(name: str, default: str) -> str:
            value = self.query_one(f"#{name}", Input).value.strip()
            return "" if value == default else value

        body = self.query_one(TextArea).text
        publication = Publication(
            remote=given("remote", self._plan.remote),
            branch=given("branch", self._plan.branch),
            base=given("base", ""),
            draft=self.query_one("#draft", Choice).number == 1,
            title=given("title", self._plan.title),
            body=None if body == self._plan.body else body,
        )
        return Wanted(publication, self.query_one("#kind", Choice).number == 0, go)

    def action_publish(self) -> None:
        """Close, to be published."""
        for name in ("remote", "branch", "title"):
            field = self.query_one(f"#{name}", Input)
            if not field.value.strip():
                self.query_one(".dialog").border_subtitle = "this must not be empty"
                field.focus()
                return
        self.dismiss(self._read(go=True))

    def action_leave(self) -> None:
        """Close; what was written is there the next time."""
        self.dismiss(self._read(go=False))


def _field(name: str, widget_id: str, value: str, placeholder: str = "") -> ComposeResult:
    with Horizontal(classes="field"):
        yield Static(content(name), classes="name")
        yield Input(value, placeholder=placeholder, compact=True, id=widget_id)
