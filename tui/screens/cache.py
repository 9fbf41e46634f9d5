"""What the user has done about the cache: set an environment up again, clear up what nothing needs (SPEC C9, W3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on, work
from textual.message import Message

from engine.errors import EngineError
from tui.panes.cache import CachePane
from tui.present import cache, words
from tui.screens.engine import EngineScreen
from tui.screens.tasks import TasksScreen

if TYPE_CHECKING:
    from engine.tasks.garbage import Report


class CacheScreen(TasksScreen):
    """The actions of the cache that change something; resetting it is one that works everywhere."""

    class ReadyToCollect(Message):
        """What clearing up would remove was found out."""

        def __init__(self, report: Report) -> None:
            super().__init__()
            self.report = report

    def action_rebuild_cache(self) -> None:
        """Run setup again in the background, beside the snapshot there is."""
        entry = self.entry
        if entry is None or entry.environment is None:
            return
        environment, took = entry.environment, self.query_one(CachePane).setup_seconds
        before = f" It took {words.span(took)} the last time." if took else ""
        consequence = f"In the background; the snapshot there is holds until the new one does.{before}"
        self.ask(f"Run the setup of {entry.name} again now?", consequence, "rebuild",
                 lambda: self.do(lambda: self.bench.keeper.rebuild(environment), ""))  # fmt: skip

    @work(thread=True, exclusive=True, group="collect", exit_on_error=False)
    def action_collect_cache(self) -> None:
        """Find out what could be removed, then ask."""
        try:
            self.post_message(self.ReadyToCollect(self.bench.cache.gc(dry_run=True)))
        except EngineError as error:
            self.post_message(EngineScreen.Done(fault=error))

    @on(ReadyToCollect)
    def _ask_to_collect(self, event: ReadyToCollect) -> None:
        if not event.report.removed:
            self.tell(cache.nothing_to_collect(event.report))
            return
        question, consequence = cache.to_collect(event.report)

        def collect() -> None:
            self.do(lambda: cache.collected(self.bench.cache.gc()), "")

        self.when_free(lambda: self.ask(question, consequence, "remove", collect, late=True))
