"""Where a result goes: into the checkout, to a branch, to a pull request (SPEC T10, W5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace
from textual import on, work
from textual.message import Message
from textual.worker import get_current_worker

from engine.bench import Bench
from engine.errors import EngineError, Unconfirmed
from engine.publish.wish import Publication
from tui.present import words
from tui.screens.review import ReviewScreen

if TYPE_CHECKING:
    from tui.screens.publish import Wanted

_LISTED = 3
_QUESTIONS = {
    "allow_likely_secrets": ("Publish it although there may be secrets in it?", "publish it"),
    "allow_default_branch": ("Push to the default branch?", "push to it"),
    "force_with_lease": ("Replace what others put on that branch?", "replace it"),
}


class HandOverScreen(ReviewScreen):
    """The actions that take a result out of the workbench."""

    class Planned(Message):
        """What publishing would do unless the user changes it."""

        def __init__(self, task: str, attempt: int, plan: Publication) -> None:
            super().__init__()
            self.task, self.attempt, self.plan = task, attempt, plan

    class Unsure(Message):
        """Something was refused that is done when the user says so; `again` does it."""

        def __init__(self, question: str, consequence: str, verb: str, again: Callable[[], object]) -> None:
            super().__init__()
            self.question, self.consequence, self.verb, self.again = question, consequence, verb, again

    def __init__(self, bench: Bench, first: str, *, watch: bool) -> None:
        super().__init__(bench, first, watch=watch)
        # What was written for a result that could not be published yet.
        self._wanted: dict[tuple[str, int], Wanted] = {}

    @on(Unsure)
    def _unsure(self, event: Unsure) -> None:
        self.when_free(lambda: self.ask(event.question, event.consequence, event.verb, event.again, late=True))

    # Into the checkout

    def action_apply(self) -> None:
        """Apply the diff to the checkout, once the user has said so twice."""
        state, feed = self.state, self.log_pane.feed
        if state is None or feed is None or self.why_not("apply"):
            self.tell("The open task has no result to apply.")
            return
        attempt = feed.attempt
        size = state.attempt(attempt).diff
        what = f"{words.count(size.files_changed, 'file')} +{size.lines_added} −{size.lines_removed}"
        self.ask(f"Apply {what} to your checkout?", f"Into {state.repository}; nothing is committed.", "apply",
                 lambda: self.apply_result(state.id, attempt))  # fmt: skip

    @work(thread=True, group="do", exit_on_error=False)
    def apply_result(self, task: str, attempt: int, force: bool = False) -> None:
        """Apply a diff; where that would touch uncommitted work, ask first."""
        try:
            outcome = self.bench.results.apply(task, attempt, force=force)
        except EngineError as error:
            self.post_message(self.Done(fault=error))
            return
        if outcome.dirty_paths:
            said = f"{_some(outcome.dirty_paths)}: the changes go in beside yours where they fit, else nothing is done."
            again = lambda: self.apply_result(task, attempt, force=True)  # noqa: E731
            self.post_message(self.Unsure("Apply to files with work that is not committed?", said, "apply", again))
        elif outcome.status == "success":
            self.post_message(self.Done(outcome.message))
        else:
            hint = f"conflicts: {_some(outcome.conflict_paths)}" if outcome.conflict_paths else ""
            self.post_message(self.Done(fault=EngineError(outcome.message, hint)))

    # To a remote

    def action_publish(self) -> None:
        """Push the result as a branch, or open a pull request."""
        feed = self.log_pane.feed
        reason = self.why_not("publish")
        if feed is None or reason:
            self.tell(f"{reason[:1].upper()}{reason[1:]}.")
            return
        self.plan_publication(feed.state.id, feed.attempt)

    @work(thread=True, exclusive=True, group="plan", exit_on_error=False)
    def plan_publication(self, task: str, attempt: int) -> None:
        """Find out where the result would go, and in which words."""
        try:
            plan = self.bench.publishing.plan(task, Publication(), attempt)
        except EngineError as error:
            self.post_message(self.Done(fault=error))
        else:
            if not get_current_worker().is_cancelled:
                self.post_message(self.Planned(task, attempt, plan))

    @on(Planned)
    def _planned(self, event: Planned) -> None:
        from tui.screens.publish import Publish

        key = (event.task, event.attempt)

        def written(wanted: Wanted | None) -> None:
            if wanted is not None:
                self._wanted[key] = wanted
            if wanted is not None and wanted.go:
                self.tell("Opening the request …" if wanted.request else "Pushing …")
                self.publish(event.task, event.attempt, wanted)

        self.when_free(lambda: self.app.push_screen(Publish(event.plan, self._wanted.get(key)), written))

    @work(thread=True, group="do", exit_on_error=False)
    def publish(self, task: str, attempt: int, wanted: Wanted) -> None:
        """Push a result, and open its request if that is wanted; what is refused may be asked about."""
        desk = self.bench.publishing
        do = desk.pull_request if wanted.request else desk.push
        try:
            outcome = do(task, wanted.publication, attempt)
        except Unconfirmed as error:
            question, verb = _QUESTIONS[error.option]
            told = replace(wanted, publication=wanted.publication.confirmed(error.option))
            again = lambda: self.publish(task, attempt, told)  # noqa: E731
            self.post_message(self.Unsure(question, f"{error.message}.", verb, again))
        except EngineError as error:
            self.post_message(self.Done(fault=error))
        else:
            self._wanted.pop((task, attempt), None)
            self.post_message(self.Done(outcome.message))


def _some(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - _LISTED} more" if len(paths) > _LISTED else ""
    return ", ".join(paths[:_LISTED]) + more
