"""One of many, found by a few letters: the palette, tasks and environments, themes, branches, earlier prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from tui.present import fuzzy
from tui.present.row import Row, Span, marked, row
from tui.present.text import content
from tui.screens.frames import Dialog
from tui.widgets.line_view import LineView, RowList

# More than anybody reads; letters narrow it down.
_MOST = 300


class Item(Struct, frozen=True):
    """What can be found: its text, what kind of thing it is, what else to say, and what it stands for."""

    text: str
    value: Any
    kind: str = ""
    about: str = ""
    usable: bool = True


class Found(RowList, can_focus=False):
    """What fits; the field above has the keys, so the row at the cursor looks as if this had them."""

    def over(self, number: int) -> str:
        """The row that enter chooses."""
        return "cursor" if number == self.cursor else ""


class Finder(Dialog[Item | None]):
    """Gives back the item that was chosen, or None.

    Args:
        items: in the order they have while nothing is typed.
        typed: what is typed at first.
        at: the value of the item to begin on.
        free: makes an item of what was typed, when no item reads so; None when only items can be chosen.
        moved: is told the item at the cursor, and None when the user leaves without one.
    """

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave", priority=True),
        Binding("down,ctrl+n", "move(1)", "down", priority=True),
        Binding("up,ctrl+p", "move(-1)", "up", priority=True),
        Binding("pagedown", "move(10)", "page down", priority=True),
        Binding("pageup", "move(-10)", "page up", priority=True),
    ]

    def __init__(
        self,
        title: str,
        items: Iterable[Item],
        *,
        typed: str = "",
        at: Any = None,
        free: Callable[[str], Item] | None = None,
        moved: Callable[[Item | None], None] | None = None,
        placeholder: str = "type to find",
    ) -> None:
        super().__init__()
        self._title, self._items, self._typed, self._at = title, list(items), typed, at
        self._free, self._moved, self._placeholder = free, moved, placeholder
        self._found: list[Item] = []

    def compose(self) -> ComposeResult:
        """What is looked for, what was found, the keys."""
        with Vertical(classes="dialog") as box:
            box.border_title = content(self._title)
            yield Input(self._typed, placeholder=self._placeholder, compact=True, select_on_focus=False)
            yield Found()
            yield Static(content(("↑ ↓", "bold"), " move    ", ("enter", "bold"), " choose    ", ("esc", "bold"),
                                 " leave"), classes="keys")  # fmt: skip

    def on_mount(self) -> None:
        """Type at once; nothing blinks."""
        field = self.query_one(Input)
        field.cursor_blink = False
        field.focus()
        self._find()
        self._to(next((n for n, item in enumerate(self._found) if item.value == self._at), 0))

    def add(self, items: Iterable[Item], note: str = "") -> None:
        """More items, that took a while to get; `note` says what went wrong meanwhile."""
        known = {item.text for item in self._items}
        self._items += [item for item in items if item.text not in known]
        self.query_one(".dialog").border_subtitle = content(note) if note else None
        at = self._found[self.query_one(Found).cursor] if self._found else None
        self._find()
        self._to(self._found.index(at) if at in self._found else 0)

    @on(Input.Changed)
    def _find(self) -> None:
        typed = self.query_one(Input).value
        ranked = fuzzy.ranked(typed, ((item.text, item) for item in self._items))[:_MOST]
        if self._free and typed.strip() and not any(item.text == typed.strip() for item, _ in ranked):
            ranked.append((self._free(typed.strip()), []))
        self._found = [item for item, _ in ranked]
        view = self.query_one(Found)
        view.set_placeholder(row((" nothing fits", "muted")))
        view.show([_row(item, parts) for item, parts in ranked])
        self._to(0)

    def _to(self, number: int) -> None:
        view = self.query_one(Found)
        view.move_to(number)
        if self._moved and self._found:
            self._moved(self._found[view.cursor])

    def action_move(self, by: int) -> None:
        """Go up or down."""
        self._to(self.query_one(Found).cursor + by)

    @on(Input.Submitted)
    @on(LineView.Opened)
    def _chosen(self) -> None:
        view = self.query_one(Found)
        if not self._found:
            return
        item = self._found[view.cursor]
        if item.usable:
            self.dismiss(item)
        else:
            self.query_one(".dialog").border_subtitle = content(item.about)

    @on(LineView.Moved)
    def _pointed(self, event: LineView.Moved) -> None:
        if self._moved and event.row < len(self._found):
            self._moved(self._found[event.row])

    def action_leave(self) -> None:
        """Close; nothing was chosen."""
        if self._moved:
            self._moved(None)
        self.dismiss(None)


def _row(item: Item, parts: fuzzy.Parts) -> Row:
    kind: tuple[Span, ...] = ((f" {item.kind} ", "muted"),) if item.kind else ()
    text = marked([(item.text, "" if item.usable else "muted")], parts, "accent")
    about: tuple[Span, ...] = ((f"  {item.about}", "muted"),) if item.about else ()
    return row((" ", ""), *text, *about, right=kind)
