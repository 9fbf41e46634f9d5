"""A frame whose bytes are known already."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderResult
from textual._compositor import CompositorUpdate


class Written(CompositorUpdate):
    """What Textual's display writes as it is."""

    def __init__(self, sequence: str) -> None:
        self._sequence = sequence

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Nothing: it is no text."""
        yield from ()

    def render_segments(self, console: Console) -> str:
        """The bytes."""
        return self._sequence
