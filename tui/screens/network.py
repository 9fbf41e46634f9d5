"""What the user does about the network of a task: look for requests, let it reach a host that was refused (SPEC N6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on

from engine.errors import EngineError
from tui.panes.network import NetworkPane
from tui.present.actions import key_of
from tui.present.task import title
from tui.screens.cache import CacheScreen
from tui.widgets.log_view import LogView

if TYPE_CHECKING:
    from engine.environment.model import Environment
    from tui.present.requests import Host


class NetworkScreen(CacheScreen):
    """The actions of the requests."""

    @property
    def _asked_for(self) -> Host | None:
        return self.query_one(NetworkPane).host

    @on(LogView.RequestOpened)
    def _request_opened(self, event: LogView.RequestOpened) -> None:
        """From the log to the host, where the keys are that allow it."""
        self.focus_pane("network")
        self.query_one(NetworkPane).go_to(event.key)

    def action_filter_requests(self) -> None:
        """Filter the requests."""
        self.focus_pane("network")
        self.query_one(NetworkPane).open_filter()

    def action_allow_task(self) -> None:
        """Let the running task reach the host at the cursor, once the user has said so twice."""
        state, entry = self.state, self._entry("allow_task")
        if state is None or not entry:
            return

        def allow() -> str:
            return f"This task may reach {self.bench.network.allow_task(state.id, entry)} now."

        consequence = (
            f"Adds {entry} to what the agent of “{title(state)[:60]}” may reach, as long as the task lasts: it can send"
            " there what it has read, and read what is there. No file is changed."
        )
        self.ask(f"Let this task reach {entry}?", consequence, "allow it", lambda: self.do(allow, ""))

    def action_allow_environment(self) -> None:
        """Let all later tasks of the environment reach the host at the cursor, once the user has said so twice."""
        state, entry = self.state, self._entry("allow_environment")
        if state is None or not entry:
            return
        path = state.environment_path

        def allow() -> str:
            environment = self.bench.environments.load(path)
            return self._allowed_always(environment, entry)

        consequence = (
            f"Adds {entry} to allow in [network] of {path}, for the agents of all tasks started from now on."
            f" Tasks that run keep what they have: {key_of('allow_task')} is for the open one."
        )
        self.ask(f"Let every later task reach {entry}?", consequence, "add it", lambda: self.do(allow, ""))

    def _allowed_always(self, environment: Environment, entry: str) -> str:
        edited = self.bench.environments.editing(environment.path)
        stored, changed = self.bench.network.allow(environment, entry)
        edited()
        return f"{stored} {'is allowed' if changed else 'was allowed already'} in {environment.path}"

    def _entry(self, action: str) -> str:
        """The entry for the host at the cursor; empty, and said why, when none would help."""
        host, why = self._asked_for, self.why_not(action)
        if host is None or why:
            self.tell(f"{why[:1].upper()}{why[1:]}.")
            return ""
        try:
            return self.bench.network.entry(host.host, host.port)
        except EngineError as error:
            self.tell_fault(error)
            return ""
