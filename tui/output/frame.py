"""A frame whose bytes are known already."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from textual._compositor import CompositorUpdate


class Written(CompositorUpdate):
    """What Textual's display writes as it is."""

    def __init__(self, sequence: str) -> None:
        self._sequence = sequence

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As a control, for whoever renders it by Rich."""
        yield Segment(self._sequence, control=[])

    def render_segments(self, console: Console) -> str:
        """The bytes."""
        return self._sequence
