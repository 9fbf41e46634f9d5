"""What the user does about a diff: comment, send the comments, mark files, copy, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from msgspec.structs import replace
from textual import on
from textual.widgets import Input

from engine.errors import EngineError
from engine.tasks.comments import Comment, DiffReview, as_prompt
from tui.live.changes import Changes
from tui.panes.diff import DiffPane
from tui.present import actions
from tui.present.diff import quoted_lines
from tui.present.task import title
from tui.present.text import clean, one_name
from tui.screens.care import CareScreen
from tui.screens.draft import Draft
from tui.widgets.diff_view import DiffView

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.bench import Bench
    from tui.app import Workbench
    from tui.live.feed import Feed


# Seconds between two looks whether a question may be asked.
_FREE = 0.2


class ReviewScreen(CareScreen):
    """The actions of the diff, and what they share with those of the bench: questions, notices, the form for tasks."""

    def __init__(self, bench: Bench, first: str, *, watch: bool) -> None:
        super().__init__(bench, first, watch=watch)
        # What was written to go with these comments, should the engine not take it.
        self._follow_ups: dict[tuple[str, tuple[str, ...]], str] = {}
        self._undo: list[Callable[[], object]] = []

    @property
    def _shown(self) -> tuple[Feed, Changes] | None:
        feed, changes = self.log_pane.feed, self.diff_pane.changes
        return (feed, changes) if feed is not None and changes is not None and changes.whole else None

    def _change(self, how: Callable[[DiffReview], DiffReview]) -> None:
        if self._shown is not None:
            feed, changes = self._shown
            self.change_review(feed.state.id, feed.attempt, changes, how)

    # Comments

    def action_comment(self) -> None:
        """Write a comment on the selected lines, or go on with the one at the cursor."""
        view = self.diff_pane.diff_view
        if self._shown is None:
            return
        chosen = view.selected() if view.comment is None else None
        comment = view.comment or (chosen.comment() if chosen else None)
        if comment is None:
            self.tell("Go to a line of a file first: a comment is about lines.")
            return
        self._write(comment)

    @on(DiffView.CommentWanted)
    def _comment_wanted(self) -> None:
        self.action_comment()

    def _write(self, comment: Comment) -> None:
        from tui.screens.write import Writer

        if self._shown is None:
            return
        # Of the diff it is about, whatever is open when it is written.
        feed, changes = self._shown
        task, attempt = feed.state.id, feed.attempt

        def written(body: str | None) -> None:
            self.diff_pane.diff_view.unselect()
            if body is not None and body.strip():
                changed = replace(comment, body=body, sent=comment.sent and body == comment.body)
                self.change_review(task, attempt, changes, lambda review: review.put(changed))

        writer = Writer(f"Comment on {one_name(comment.place)}", comment.body, quoted=quoted_lines(comment))
        self.app.push_screen(writer, written)

    def action_delete_comment(self) -> None:
        """Delete the comment at the cursor; it can be brought back."""
        comment = self.diff_pane.diff_view.comment
        if comment is None:
            self.tell("Go to a comment first.")
        elif self._shown is not None:
            feed, changes = self._shown
            task, attempt = feed.state.id, feed.attempt
            self._change(lambda review: review.without(comment.id))
            self.undoable(lambda: self.change_review(task, attempt, changes, lambda review: review.put(comment)))
            self.tell("Comment deleted", f"{actions.key_of('undo')} brings it back")

    def action_comments(self) -> None:
        """List all comments of this diff."""
        if self._shown is None:
            return
        from tui.screens.comments import CommentList

        def chosen(answer: tuple[str, Comment] | None) -> None:
            if answer is None:
                return
            what, comment = answer
            if what == "send":
                self.action_send_comments()
            elif what == "edit":
                self._write(comment)
            elif what == "delete":
                self._change(lambda review: review.without(comment.id))
            elif not self.diff_pane.diff_view.to_comment(comment.id):
                self.tell(f"{comment.path} is not in this diff any more.")

        changes = self._shown[1]
        self.app.push_screen(CommentList(changes.review, changes.outdated), chosen)

    def action_send_comments(self) -> None:
        """Ask the agent for more; what it is asked begins with the comments that were not sent yet."""
        feed = self.log_pane.feed
        if feed is None:
            return
        if not feed.state.finished:
            self.tell("The task still works: a follow-up can be sent when it is done.")
            return
        from tui.screens.write import Writer

        task, attempt = feed.state.id, feed.attempt
        changes = self._shown[1] if self._shown else None
        review = changes.review if changes else DiffReview()
        ids = tuple(comment.id for comment in review.unsent)
        # The code that is quoted came from a task: what is invisible in it is shown in the field too.
        drafted = self._follow_ups.get((task, ids), clean(as_prompt(review.unsent)))

        def written(text: str | None) -> None:
            if text is not None and text.strip():
                self._follow_ups[(task, ids)] = text
                self.follow_up(task, attempt, text, changes, ids)

        writer = Writer(f"Follow-up · {title(feed.state)}", drafted, verb="send", earlier=self.earlier_prompts())
        self.app.push_screen(writer, written)

    # Files

    def action_mark_viewed(self) -> None:
        """Mark the file as viewed and go to the next one, or take the mark away."""
        if self._shown is None:
            return
        changes, view = self._shown[1], self.diff_pane.diff_view
        number = view.file_number
        file = changes.patch.files[number]
        viewed = changes.viewed(file)
        self._change(lambda review: review.with_viewed(file.path, None if viewed else file.digest))
        view.fold(view.folded - {number} if viewed else view.folded | {number})
        if not viewed:
            view.to_file(number + 1)

    def action_toggle_files(self) -> None:
        """Show or hide the tree of files."""
        self.diff_pane.toggle_files()

    def action_filter_files(self) -> None:
        """Filter the tree of files."""
        self.diff_pane.open_file_filter()

    def action_search(self) -> None:
        """Find a text in the diff."""
        self.focus_pane("diff")
        self.diff_pane.open_search()

    def action_split(self) -> None:
        """Old and new side by side."""
        self.diff_pane.toggle_split()

    def action_hide_space(self) -> None:
        """Hide changes of white space alone."""
        self.diff_pane.toggle_space()

    # Out of here

    def action_copy_lines(self) -> None:
        """Copy the selection or the hunk."""
        lines = self.diff_pane.diff_view.to_copy()
        self.diff_pane.diff_view.unselect()
        self._copy("\n".join(lines), f"{len(lines)} lines" if len(lines) != 1 else "1 line")

    def action_copy_path(self) -> None:
        """Copy the name of the file at the cursor."""
        changes = self.diff_pane.changes
        if changes is not None:
            path = changes.patch.files[self.diff_pane.diff_view.file_number].path
            self._copy(path, path)

    def _copy(self, text: str, what: str) -> None:
        note = "What is invisible in it was made visible; the patch itself: e"
        cast("Workbench", self.app).copy(text, what, note=note)

    def action_save_patch(self) -> None:
        """Write the patch to a file."""
        if self._shown is None:
            return
        from tui.screens.save_file import SaveFile

        feed = self._shown[0]
        task, attempt = feed.state.id, feed.attempt

        def named(path: Path | None) -> None:
            if path is not None:
                self.do(lambda: self.bench.results.export(task, path, attempt), "")

        self.app.push_screen(SaveFile("Write the patch to a file", f"{task}.patch"), named)

    # Shared

    @property
    def diff_pane(self) -> DiffPane:
        """Pane 5."""
        return self.query_one(DiffPane)

    def write_task(self, draft: Draft) -> None:
        """Let the user finish a draft and start it."""
        usable = [entry for entry in self.entries if entry.environment is not None]
        if not usable:
            self.tell_fault(EngineError(self.why_not("new_task"), "make one: fumehood env init"))
            return
        from tui.screens.new_task import NewTask

        def written(draft: Draft | None) -> None:
            if draft is not None and draft.go and draft.entry is not None:
                self.draft = Draft()
                self.start_task(draft)

        # A draft is of the environment it was written for; the files may have been read again since.
        meant = draft.entry if draft.prompt.strip() and draft.entry else self.entry
        first = next((n for n, entry in enumerate(usable) if meant and entry.path == meant.path), 0)
        self.app.push_screen(NewTask(self.bench, usable, first, draft, self.earlier_prompts()), written)

    def earlier_prompts(self) -> list[str]:
        """What was asked before, of any agent, the last first and each once."""
        states = self.board.newest_first()
        asked = (prompt for state in states for prompt in [*(t.prompt for t in state.turns[:0:-1]), state.prompt])
        return list(dict.fromkeys(clean(prompt) for prompt in asked))

    def when_free(self, then: Callable[[], object]) -> None:
        """Do what opens a dialog by itself as soon as no other is open and nothing is typed."""
        if self.app.screen is self and not isinstance(self.focused, Input):
            then()
        else:
            self.set_timer(_FREE, lambda: self.when_free(then))

    def ask(self, question: str, consequence: str, verb: str, then: Any, *, late: bool = False) -> None:
        """Do something once the user has said yes; `late`: it is asked by itself, not at a key."""
        from tui.screens.confirm import Confirm

        def answered(yes: bool | None) -> None:
            if yes:
                then()

        self.app.push_screen(Confirm(question, consequence, verb, late=late), answered)

    def undoable(self, back: Callable[[], object]) -> None:
        """Something was done that `back` takes back."""
        self._undo.append(back)
        self.refresh_bars()

    @property
    def can_undo(self) -> bool:
        """Whether there is something to take back."""
        return bool(self._undo)

    def action_undo(self) -> None:
        """Take back what was done last."""
        if self._undo:
            self._undo.pop()()
            self.refresh_bars()
        else:
            self.tell("There is nothing to take back.")

    def tell(self, text: str, hint: str = "") -> None:
        """A short notice that goes by itself."""
        cast("Workbench", self.app).tell(text, hint=hint)

    def tell_fault(self, error: EngineError) -> None:
        """What failed, and what to do."""
        cast("Workbench", self.app).tell(error.message, hint=error.hint, bad=True)
