"""An environment file in an editor: checked while it is written, saved without touching what was not (SPEC W2)."""

from __future__ import annotations

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widgets import TextArea

from engine.bench import Bench
from engine.bench.environments import Edited, EnvironmentEntry
from engine.environment.save import ChangedMeanwhile, sha256
from engine.errors import EngineError
from tui.present import editing, environment
from tui.present.row import Row, Span
from tui.screens.confirm import Confirm
from tui.screens.frames import PacedScreen
from tui.widgets.bar import Bar, Choices
from tui.widgets.completions import Completions
from tui.widgets.line_view import LineView, RowList
from tui.widgets.toml_area import TomlArea

# Seconds without a key after which the text is checked.
_PAUSE = 0.15
_KEYS = (("save", "^s", "save"), ("complete", "^space", "complete"), ("problems", "^e", "problems"),
         ("revert", "^r", "revert"), ("leave", "esc", "leave"))  # fmt: skip


class Editor(PacedScreen[bool]):
    """One file; the result says whether it was saved."""

    CSS_PATH = "editor.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "save", priority=True),
        Binding("ctrl+r", "revert", "revert", priority=True),
        Binding("ctrl+e", "problems", "problems", priority=True),
        # The text area would take it to let go of the focus.
        Binding("escape", "leave", "leave", priority=True),
    ]

    class Checked(Message):
        """A text was checked."""

        def __init__(self, text: str, edited: Edited | None, fault: str = "") -> None:
            super().__init__()
            self.text, self.edited, self.fault = text, edited, fault

    class Saved(Message):
        """The text was stored, or was not (`fault`)."""

        def __init__(self, text: str, fault: EngineError | None = None) -> None:
            super().__init__()
            self.text, self.fault = text, fault

    def __init__(self, bench: Bench, entry: EnvironmentEntry, text: str) -> None:
        super().__init__()
        self._bench, self._entry = bench, entry
        # What the file held when it was opened or saved last; anything else in it was written by somebody else.
        self._stored = text
        self._edited: Edited | None = None
        self._saved = False
        self._fault = ""
        self._check_soon: Timer | None = None

    def compose(self) -> ComposeResult:
        """Head, text, effect, problems, keys."""
        yield Bar(widget_id="editor-head")
        with Vertical(id="editor-body"):
            yield TomlArea(self._stored)
            yield Completions()
        yield Bar(widget_id="editor-effect")
        yield RowList(widget_id="editor-problems")
        yield Choices(widget_id="editor-keys")

    def on_mount(self) -> None:
        """Write at once."""
        self.area.popup = self.query_one(Completions)
        self.area.focus()
        self._paint()
        self._check()

    @property
    def area(self) -> TomlArea:
        """The text."""
        return self.query_one(TomlArea)

    @property
    def text(self) -> str:
        """What would be saved: lines that were not edited are as in the file, to the byte."""
        return editing.with_line_ends(self._stored, self.area.document.lines)

    @property
    def changed(self) -> bool:
        """Whether there is something to save."""
        return self.text != self._stored

    def on_resize(self) -> None:
        """Bars are cut to the new width."""
        self.call_after_refresh(self._paint)

    def _paint(self) -> None:
        changed = self.changed
        mark: Span = (" ● not saved", "warn") if changed else (" ✓ saved", "ok") if self._saved else ("", "")
        name = (f" {self._entry.name} ", "accent strong")
        at_row, at_column = self.area.cursor_location
        place = (f"{at_row + 1}:{at_column + 1} ", "muted")
        where = environment.near(self._entry.path)
        self.query_one("#editor-head", Bar).show(Row((name, (where, "muted"), mark), (place,), "bar"))
        effect = editing.effect_row(self._edited, changed=changed, fault=self._fault)
        self.query_one("#editor-effect", Bar).show(effect)
        problems = editing.problem_rows(self._edited)
        view = self.query_one("#editor-problems", RowList)
        view.display = bool(problems)
        view.styles.height = min(max(3, self.size.height // 4), len(problems)) or 1
        view.show(problems)
        parts: list[tuple[str, list[Span]]] = [
            (i, [(f" {key}", "key"), (f" {label} ", "muted")]) for i, key, label in _KEYS
        ]
        self.query_one("#editor-keys", Choices).show_parts(parts)

    # Checking

    @on(TextArea.Changed)
    def _text_changed(self) -> None:
        self._fault = ""
        if self._check_soon is not None:
            self._check_soon.stop()
        self._check_soon = self.set_timer(_PAUSE, self._check)
        self._paint()

    @on(TextArea.SelectionChanged)
    def _cursor_moved(self) -> None:
        self._paint()

    @work(thread=True, exclusive=True, group="check", exit_on_error=False)
    def _check(self) -> None:
        text = self.text
        try:
            edited = self._bench.environments.edited(self._entry.path, text.encode("utf-8", "surrogatepass"))
            self.post_message(self.Checked(text, edited))
        except EngineError as error:
            self.post_message(self.Checked(text, None, str(error)))

    @on(Checked)
    def _text_checked(self, event: Checked) -> None:
        if event.text != self.text:
            return
        self._edited, self._fault = event.edited, event.fault or self._fault
        problems = event.edited.problems if event.edited else ()
        # Errors last: they win over warnings of the same line.
        ordered = sorted(problems, key=lambda problem: problem.severity == "error")
        roles = {
            editing.row_of(event.text, p.line): "bad" if p.severity == "error" else "warn" for p in ordered if p.line
        }
        self.area.mark(roles)
        self._paint()

    def action_problems(self) -> None:
        """Go to the problems and back."""
        view = self.query_one("#editor-problems", RowList)
        if view.display and not view.has_focus:
            view.focus()
        else:
            self.area.focus()

    @on(LineView.Opened, "#editor-problems")
    def _to_problem(self, event: LineView.Opened) -> None:
        problems = self._edited.problems if self._edited else ()
        line = problems[event.row].line if event.row < len(problems) else None
        if line:
            at = min(editing.row_of(self.text, line), self.area.document.line_count - 1)
            self.area.move_cursor((at, 0), center=True)
        self.area.focus()

    # Completion

    @on(TomlArea.Completing)
    def _place_popup(self) -> None:
        popup, area = self.query_one(Completions), self.area
        height = int(popup.styles.height.value) if popup.styles.height else 1
        y = popup.row - area.scroll_offset.y
        below = y + 1 + height <= area.size.height
        popup.styles.offset = (
            min(area.gutter_width, max(0, self.size.width - 72)),
            y + 1 if below else max(0, y - height),
        )

    # Saving

    def action_save(self) -> None:
        """Store the text, if the file is still what it was."""
        if self.changed:
            self._save(self.text, sha256(self._stored.encode("utf-8", "surrogatepass")))

    @work(thread=True, exclusive=True, group="save", exit_on_error=False)
    def _save(self, text: str, before: str | None) -> None:
        try:
            self._bench.environments.save(self._entry.path, text.encode("utf-8", "surrogatepass"), before=before)
            self.post_message(self.Saved(text))
        except EngineError as error:
            self.post_message(self.Saved(text, error))

    @on(Saved)
    def _was_saved(self, event: Saved) -> None:
        if isinstance(event.fault, ChangedMeanwhile):
            self._ask_about_other(event.text)
            return
        if event.fault is not None:
            self._fault = event.fault.message
        else:
            self._stored, self._saved, self._fault = event.text, True, ""
            self._check()
        self._paint()

    def _ask_about_other(self, text: str) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                self._save(text, None)
            else:
                self._fault = "changed by somebody else meanwhile, not saved · ^r shows what it says now"
                self._paint()

        self.app.push_screen(
            Confirm("The file was changed by somebody else meanwhile. Write over it?",
                    "What the other wrote is lost. n keeps both: the file as it is, your text here.", "write over it"),
            answered,
        )  # fmt: skip

    def action_revert(self) -> None:
        """Take what the file says now, once the user has agreed to lose what he wrote."""

        def answered(yes: bool | None) -> None:
            if yes:
                self._reload()

        if self.changed:
            self.app.push_screen(
                Confirm("Throw your changes away?", "The text becomes what the file says now.", "throw away"), answered
            )
        else:
            self._reload()

    def _reload(self) -> None:
        try:
            self._stored = self._bench.environments.text(self._entry.path).decode("utf-8", "replace")
        except EngineError as error:
            self._fault = error.message
            self._paint()
            return
        self._fault, self._edited = "", None
        self.area.load_text(self._stored)
        self._check()

    def action_leave(self) -> None:
        """Out of what is innermost, at last back to the bench; what is not saved is asked about first."""

        def answered(yes: bool | None) -> None:
            if yes:
                self.dismiss(self._saved)

        if self.query_one(Completions).is_open:
            self.query_one(Completions).close()
        elif self.query_one("#editor-problems", RowList).has_focus:
            self.area.focus()
        elif self.changed:
            question = Confirm("Leave without saving?", "Your changes are lost; ^s in the editor saves them.", "leave")
            self.app.push_screen(question, answered)
        else:
            self.dismiss(self._saved)

    def action_complete(self) -> None:
        """Offer what could be written."""
        self.area.action_complete()

    @on(Choices.Chosen)
    def _chosen(self, event: Choices.Chosen) -> None:
        getattr(self, f"action_{event.part}")()
