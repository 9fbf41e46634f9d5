"""The least that a Textual app can be: one Static. The yardstick for a start; the key x changes what it says."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Static


class Minimal(App[None]):
    """One text."""

    def __init__(self) -> None:
        super().__init__()
        self._pressed = 0

    def compose(self) -> ComposeResult:
        """The text."""
        yield Static("a small app is open")

    def key_x(self) -> None:
        """Say how often x was pressed."""
        self._pressed += 1
        self.query_one(Static).update(f"pressed {self._pressed} times")


if __name__ == "__main__":
    Minimal().run()
