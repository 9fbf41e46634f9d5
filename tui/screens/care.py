"""What the bench does for environments: the keeper's care, the cache pane, the editor and the forms of their files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual import on, work
from textual.message import Message

from engine.bench import Bench
from engine.bench.environments import EnvironmentEntry
from engine.errors import EngineError
from tui.live.feed import Feed
from tui.live.keeping import CareNow, Keeping
from tui.panes.cache import CachePane
from tui.panes.environment import EnvironmentPane
from tui.present import pacing, timeline
from tui.screens.engine import EngineScreen
from tui.screens.panes import PanesScreen

if TYPE_CHECKING:
    from engine.environment.first import FirstLook

# Seconds: from the first paint to the keeper, between two looks whether it lives, between two looks at what it does.
_AFTER_PAINT, _ENSURE, _LOOK = 1.0, 10.0, 0.5


class CareScreen(PanesScreen):
    """Keeps environments in the keeper's care while the bench is open, and lets the user change them."""

    class Cared(Message):
        """The keeper's journal was looked at."""

        def __init__(self, path: Path, care: CareNow, ended: str) -> None:
            super().__init__()
            self.path, self.care, self.ended = path, care, ended

    class EditorReady(Message):
        """The text of an environment file was read."""

        def __init__(self, entry: EnvironmentEntry, text: str) -> None:
            super().__init__()
            self.entry, self.text = entry, text

    class LookedFirst(Message):
        """The project here was looked at, which has no environment."""

        def __init__(self, look: FirstLook) -> None:
            super().__init__()
            self.look = look

    def __init__(self, bench: Bench, first: str, *, watch: bool) -> None:
        super().__init__(bench, first)
        self.keeping = Keeping(bench, watch=watch)
        self._care_pace = pacing.Pace()
        self._ended = ""
        self._attending = False
        # Whether the environment files have been read, and whether to ask for a prompt as soon as there is one.
        self.environments_read = self.prompt_next = False

    def begin_care(self) -> None:
        """Have the keeper come, some time after the first paint, which it must not delay."""
        self.set_timer(_AFTER_PAINT, self._start_attending)
        self.set_interval(_LOOK, self._tick_care)

    def on_unmount(self) -> None:
        """Nobody is at this bench any more."""
        super().on_unmount()
        self.keeping.close()

    def _start_attending(self) -> None:
        self._attending = True
        self._attend()

    def attend(self) -> None:
        """The environments within reach may be others now."""
        if self._attending:
            self._attend()

    @work(thread=True, exclusive=True, group="attend", exit_on_error=False)
    def _attend(self) -> None:
        try:
            self.keeping.attend([entry.path for entry in self.entries if entry.environment is not None])
        except (EngineError, OSError) as error:
            self.post_message(EngineScreen.Done(fault=EngineError(f"nothing is watched for changes: {error}")))

    def _tick_care(self) -> None:
        pane = self.query_one(CachePane)
        state, entry = self.state, self.entry
        ours = state is not None and entry is not None and state.environment_path == str(entry.path)
        feed = self.log_pane.feed
        pane.show_task(state if ours else None, feed.last_seconds if feed else {})
        if entry is not None and entry.environment is not None:
            self._look_at_care(entry)
        if self._attending and self._care_pace.due("ensure", _ENSURE):
            self._attend()

    @work(thread=True, exclusive=True, group="care", exit_on_error=False)
    def _look_at_care(self, entry: EnvironmentEntry) -> None:
        assert entry.environment is not None
        try:
            seconds = timeline.environment_seconds(self.board.newest_first(), str(entry.path))
            care = self.keeping.look(entry.environment, seconds)
        except (EngineError, OSError):
            return
        ended = care.care.last.job if care.care.last else ""
        self.post_message(self.Cared(entry.path, care, ended))

    @on(Cared)
    def _care_seen(self, event: Cared) -> None:
        entry = self.entry
        if entry is None or entry.path != event.path:
            return
        self.query_one(CachePane).show_kept(event.care)
        key = f"{event.path} {event.ended}"
        if key != self._ended:
            again = self._ended.startswith(f"{event.path} ")
            self._ended = key
            if again:
                # A refresh or rebuild has ended: the snapshot is another one.
                self.look_at_cache(entry)

    def show_environment(self, number: int) -> None:
        """Show an environment and look at its cache."""
        self.entry_number = number % len(self.entries) if self.entries else 0
        entry = self.entry
        self.query_one(EnvironmentPane).show(entry, self.entry_number, len(self.entries))
        self.tasks_pane.show(self.board.newest_first(), entry.name if entry else "")
        cache = self.query_one(CachePane)
        cache.show_kept(None)
        if entry is not None and entry.environment is not None:
            cache.looking()
            self.look_at_cache(entry)
        else:
            cache.show(None)
        self.refresh_bars()

    # Actions of the cache

    def action_explain_cache(self) -> None:
        """All that is known of the cache's decision, over the whole screen."""
        from tui.screens.text import TextDialog

        pane = self.query_one(CachePane)
        self.app.push_screen(TextDialog("Cache", lambda width: pane.details(width)))

    def action_cache_log(self) -> None:
        """The log of the refresh or rebuild that runs, or ran last."""
        from tui.screens.job_log import JobLog

        kept = self.query_one(CachePane).kept
        event = (kept.care.running or kept.care.last) if kept else None
        if event is None or not (folder := self.bench.keeper.job_folder(event.job)).is_dir():
            self.app.notify("Nothing was refreshed or rebuilt yet.", markup=False)
            return
        self.app.push_screen(JobLog(f"{event.environment}: {event.action}", Feed(folder)))

    # Actions of the environment

    def action_edit_environment(self) -> None:
        """Open the environment file in the editor."""
        if self.entry is not None:
            self._read_text(self.entry)

    @work(thread=True, exclusive=True, group="text", exit_on_error=False)
    def _read_text(self, entry: EnvironmentEntry) -> None:
        try:
            self.post_message(self.EditorReady(entry, text_of(self.bench, entry.path)))
        except EngineError as error:
            self.post_message(EngineScreen.Done(fault=error))

    @on(EditorReady)
    def _open_editor(self, event: EditorReady) -> None:
        from tui.screens.editor import Editor

        def left(saved: bool | None) -> None:
            if saved:
                self.read_environments()

        self.app.push_screen(Editor(self.bench, event.entry, event.text), left)

    def action_settings(self) -> None:
        """Change secrets, network, variables and versions in forms."""
        entry = self.entry
        if entry is None or entry.environment is None:
            return
        from tui.screens.settings import Settings

        def left(changed: bool | None) -> None:
            if changed:
                self.read_environments()

        self.app.push_screen(Settings(self.bench, entry.environment), left)

    def action_init_environment(self) -> None:
        """Show what a first environment of this folder would be."""
        if self.entry is None:
            self._look_first()

    @work(thread=True, exclusive=True, group="first", exit_on_error=False)
    def _look_first(self) -> None:
        try:
            self.post_message(self.LookedFirst(self.bench.environments.first_look()))
        except (EngineError, OSError) as error:
            self.post_message(EngineScreen.Done(fault=EngineError(f"cannot look at {self.bench.cwd}: {error}")))

    @on(LookedFirst)
    def _looked_first(self, event: LookedFirst) -> None:
        from tui.screens.first_start import FirstStart

        def answered(answer: str | None) -> None:
            if answer is not None:
                self.prompt_next = answer == "go"
                self._write_first(event.look)

        self.app.push_screen(FirstStart(event.look), answered)

    @work(thread=True, exclusive=True, group="first", exit_on_error=False)
    def _write_first(self, look: FirstLook) -> None:
        try:
            self.post_message(EngineScreen.Done(f"Wrote {self.bench.environments.init(look)}"))
        except EngineError as error:
            self.post_message(EngineScreen.Done(fault=error))
        self.read_environments()


def text_of(bench: Bench, path: Path) -> str:
    """The text of an environment file.

    Raises:
        EngineError: it cannot be read, or is no text.
    """
    try:
        return bench.environments.text(path).decode()
    except UnicodeDecodeError:
        raise EngineError(f"{path} is not UTF-8", "open it in $EDITOR with E, and save it as UTF-8") from None
