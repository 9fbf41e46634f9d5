"""A log with what belongs to it: the field for a text to look for, the row that says where one is, ways out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from tui.live.feed import Feed
from tui.live.page import Scope
from tui.live.preferences import Preferences
from tui.present import words
from tui.present.needle import Needle
from tui.present.row import Row, Span, row
from tui.widgets.bar import Bar
from tui.widgets.filter import FilterField
from tui.widgets.log_view import LogView, Wanted

if TYPE_CHECKING:
    from tui.app import Workbench


class LogReader(Vertical):
    """The view of a log, and under it one row."""

    DEFAULT_CSS = """
    LogReader { height: 1fr; }
    LogReader LogView { height: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__(classes="log-reader")
        self.preferences = Preferences.read()
        self._filtering = False
        self._empty: tuple[Row, ...] = ()

    def compose(self) -> ComposeResult:
        """The log, the field where it is asked for, the status."""
        yield LogView(self._wanted, widget_id="log-view")
        field = FilterField("")
        field.display = False
        yield field
        yield Bar(widget_id="log-status")

    def on_mount(self) -> None:
        """As it was left the last time."""
        self.log_view.set_wrap(bool(self.preferences.log_wrap))
        self.log_view.set_times(bool(self.preferences.log_times))

    @property
    def log_view(self) -> LogView:
        """The log."""
        return self.query_one(LogView)

    @property
    def feed(self) -> Feed | None:
        """What is shown."""
        return self.log_view.feed

    def show(self, feed: Feed | None) -> None:
        """Show another task."""
        self._hide_field()
        self.log_view.show(feed)
        self.tick()

    # The row below

    @on(LogView.Status)
    def _status_changed(self) -> None:
        self.tick()

    def tick(self) -> None:
        """Bring the status up to date; paints only what reads differently."""
        view, feed = self.log_view, self.feed
        self._say_why_empty()
        if feed is None or not view.shown.blocks:
            self.query_one("#log-status", Bar).show(Row(()))
            return
        count = view.row_count()
        parts: list[list[Span]] = [[(f"{min(view.cursor + 1, count):,}/{count:,}", "muted")]]
        if view.following:
            parts.append([("following", "run")] if not feed.state.finished else [("end", "muted")])
        elif view.unseen:
            parts += [[("paused", "warn")], [(f"+{view.unseen:,} new", "strong")], [("G follows", "muted")]]
        else:
            parts.append([("G to the end", "muted")])
        if feed.needle is not None:
            parts.append(self._needle_words(feed, feed.needle))
        if view.mark is not None:
            parts.append([(f"{words.count(len(view.selected_rows), 'row')} selected", "accent")])
        left: list[Span] = [(" ", "")]
        for number, part in enumerate(parts):
            left += [(" · ", "faint"), *part] if number else part
        marks = self._marks(feed)
        if view.shown.scope.raw:
            room = self.size.width - sum(cell_len(text) for text, _ in (*left, *marks)) - len(" · raw ·   ")
            left += [(" · ", "faint"), ("raw", "accent"), (" · ", "faint"), (self._raw_place(feed, room), "muted")]
        self.query_one("#log-status", Bar).show(Row(tuple(left), marks))

    def set_empty(self, *rows: Row) -> None:
        """What to show while nothing is open."""
        self._empty = rows
        self._say_why_empty()

    def _say_why_empty(self) -> None:
        feed = self.feed
        if feed is None or feed.needle is None or not feed.needle.only:
            self.log_view.set_placeholder(*self._empty)
            return
        said = "Looking for it …" if feed.searching is not None else f'Nothing here contains "{feed.needle.text}".'
        back = row(("  esc", "key"), (" shows everything again", "muted"))
        self.log_view.set_placeholder(row(""), row(f"  {said}"), row(""), back)

    def _needle_words(self, feed: Feed, needle: Needle) -> list[Span]:
        view = self.log_view
        total = view.shown.hits()
        at = view.shown.hit_number(view.shown.spot(view.cursor)) if view.row_count() and not needle.only else 0
        found = f"{at:,}/{total:,}" if at else words.count(total, "match", "matches")
        lead = "only " if needle.only else ""
        spans: list[Span] = [(f'{lead}"{needle.text}" ', "muted"), (found, "strong" if total else "warn")]
        part = feed.searching
        if part is not None:
            spans.append((f" searching {part:.0%}", "muted"))
        return spans

    def _raw_place(self, feed: Feed, room: int) -> str:
        """The file that is shown; of a long path its end, which says more."""
        command = self.log_view.command
        if not self.log_view.shown.scope.command or command is None:
            return "all outputs"
        path = str(feed.path(command))
        return path if len(path) <= room else f"…{path[-max(8, room - 1) :]}"

    def _marks(self, feed: Feed) -> tuple[Span, ...]:
        view = self.log_view
        marks = []
        if (part := feed.indexing) is not None:
            marks.append(f"counting lines {part:.0%}")
        marks += ["wrap"] if view.wrap else []
        marks += ["times"] if view.shown.times else []
        return ((f"{' · '.join(marks)} ", "muted"),) if marks else ()

    # What the view wants

    def _wanted(self, what: Wanted) -> None:
        match what:
            case "search" | "filter":
                self.open_field(filtering=what == "filter")
            case "wrap":
                self.log_view.set_wrap(not self.log_view.wrap)
                self.preferences.keep(log_wrap=self.log_view.wrap)
                self.tick()
            case "times":
                self.log_view.set_times(not self.log_view.shown.times)
                self.preferences.keep(log_times=self.log_view.shown.times)
            case "copy" | "command":
                self._copy(what)
            case "save" | "pager":
                self._give_out(what)

    def _copy(self, what: str) -> None:
        view, app = self.log_view, cast("Workbench", self.app)
        command = view.command
        if what == "command":
            app.copy(command.command if command else "", "the command")
            return
        lines = view.to_copy()
        if not lines and len(view.selected_rows) > 1:
            app.tell("That is too much to copy; s writes it to a file.")
            return
        app.copy("\n".join(lines), words.count(len(lines), "line"))
        view.unselect()
        self.tick()

    def _give_out(self, what: str) -> None:
        from tui.screens import log_out

        if self.feed is not None:
            (log_out.save if what == "save" else log_out.read)(cast("Workbench", self.app), self.log_view.shown)

    # The field

    def open_field(self, *, filtering: bool) -> None:
        """Ask what to look for; what was looked for before stands in it."""
        if self.feed is None:
            return
        text = self.feed.needle.text if self.feed.needle else ""
        self._filtering = filtering
        field = self._field
        field.value = text
        field.placeholder = "show only lines that contain …" if filtering else "find in the log …"
        # At once: what is typed next is for the field.
        field.display = True
        self.screen.set_focus(field, scroll_visible=False)
        self.set_filter(text)

    def set_filter(self, text: str) -> None:
        """Another text is looked for."""
        self.log_view.look_for(Needle(text, only=self._filtering) if text else None)

    def filter_entered(self) -> None:
        """To the first that was found; the field goes, what was found stays marked."""
        self._hide_field()
        if not self._filtering:
            self.log_view.to_first_hit()

    @property
    def _field(self) -> FilterField:
        return self.query_one(FilterField)

    def _hide_field(self) -> bool:
        shown = self._field.display
        if self._field.has_focus:
            self.screen.set_focus(self.log_view, scroll_visible=False)
        self._field.display = False
        return shown

    def back(self) -> bool:
        """Leave what is innermost: the field, the selection, the search, what is raw; False when there is nothing."""
        view = self.log_view
        if self._hide_field():
            self.set_filter("")
        elif view.unselect():
            self.tick()
        elif self.feed is not None and self.feed.needle is not None:
            self.set_filter("")
        elif view.shown.scope.raw:
            view.set_scope(Scope())
        else:
            return False
        return True
