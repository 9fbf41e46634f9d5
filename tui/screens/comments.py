"""All comments on a diff: go to one, change it, delete it, send them."""

from __future__ import annotations

from typing import ClassVar, TypeAlias

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from engine.tasks.comments import Comment, DiffReview
from tui.present import words
from tui.present.row import Row, Span, row
from tui.present.text import content, one_line, one_name
from tui.screens.frames import Dialog
from tui.widgets.line_view import LineView, RowList

Answer: TypeAlias = tuple[str, Comment]


class CommentList(Dialog[Answer | None]):
    """Gives back what is to be done (`go`, `edit`, `delete`, `send`), and with which comment."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,C", "dismiss", "close"),
        Binding("c", "answer('edit')", "edit"),
        Binding("d", "answer('delete')", "delete"),
        Binding("f", "answer('send')", "send"),
    ]

    def __init__(self, review: DiffReview, outdated: frozenset[str]) -> None:
        super().__init__()
        self._comments = sorted(review.comments, key=lambda c: (c.sent, c.path, c.line, c.made_at))
        self._outdated = outdated

    def compose(self) -> ComposeResult:
        """The list and the keys."""
        with Vertical(classes="dialog") as box:
            box.border_title = content(words.count(len(self._comments), "comment"))
            yield RowList(widget_id="comment-list")
            keys = (("enter", "go to it"), ("c", "edit"), ("d", "delete"), ("f", "send"), ("esc", "close"))
            yield Static(
                content(*(part for key, what in keys for part in ((key, "bold"), f" {what}   "))), classes="keys"
            )

    def on_mount(self) -> None:
        """Fill it."""
        view = self.query_one(RowList)
        view.set_placeholder(row("  There is no comment yet: c on a line writes one."))
        view.show([comment_line(comment, outdated=comment.id in self._outdated) for comment in self._comments])
        view.focus()

    @on(LineView.Opened)
    def _opened(self) -> None:
        self.action_answer("go")

    def action_answer(self, what: str) -> None:
        """Close with what is to be done with the comment at the cursor."""
        at = self.query_one(RowList).cursor
        if at < len(self._comments):
            self.dismiss((what, self._comments[at]))


def comment_line(comment: Comment, *, outdated: bool) -> Row:
    """A comment on one line: where, what, and how it stands."""
    state: list[Span] = [("outdated ", "warn")] if outdated else []
    state += [("sent ", "muted")] if comment.sent else []
    role = "muted" if comment.sent else ""
    return row(" ", (one_name(comment.place), "accent"), "  ", (one_line(comment.body), role), right=tuple(state))
